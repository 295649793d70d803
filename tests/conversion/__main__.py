"""Networks of timm, torchvision and facenet-pytorch, converted and compared with PyTorch: `python -m tests.conversion`.

Prints a table, writes it to results/conversion, and exits with status 1 if an error exceeds its limit.
"""

import argparse
import json
import os
import platform
import shlex
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mytorch.files import atomic_write
from tests.conversion.compare import SMALL, one_pass, training
from tests.conversion.networks import NETWORKS, build

LIMITS = {"float64": 1e-9, "float32": 1e-3, "losses": 1e-8}
FLOAT32_DRAWS = 5
"""Batches in float32, of which the smallest error counts.

In about half of all batches a rounding decides whether a ReLU passes a gradient, in PyTorch's float32 as often as in
ours, and the error is then of the size of that gradient. The smallest is that of a batch in which none was decided so.
"""

PARTS = ("output", "input", "parameters", "buffers")


def measure(name: str, seed: int, steps: int) -> dict[str, Any]:
    """Return the largest errors of a network in both modes, PyTorch's own in float32, and those of the losses."""
    network, module = NETWORKS[name], build(name, seed)
    row: dict[str, Any] = {"network": name, "size": network.size}
    row["count"] = sum(parameter.numel() for parameter in module.parameters())
    for kind, dtype, draws in (("float64", np.float64, 1), ("float32", np.float32, FLOAT32_DRAWS)):
        modes = [
            [one_pass(module, network.size, mode, dtype, seed + draw) for draw in range(draws)]
            for mode in (True, False)
        ]
        row[kind], row[f"PyTorch {kind}"] = (
            {part: max(min(draw[who][part] for draw in mode) for mode in modes) for part in PARTS} for who in (0, 1)
        )
    fresh = build(name, seed, perturbed=False)
    row["losses"], row["change"] = training(fresh, network.training_size, network.batch, steps, seed)
    return row


def too_far(row: dict[str, Any]) -> list[str]:
    """Return the errors of a row that exceed their limits."""
    errors = {(kind, part): row[kind][part] for kind in ("float64", "float32") for part in PARTS}
    limits = {(kind, part): max(LIMITS[kind], 2 * row[f"PyTorch {kind}"][part]) for kind, part in errors}
    errors["losses", "all steps"], limits["losses", "all steps"] = row["losses"], LIMITS["losses"]
    return [
        f"{row['network']}: {key[1]} {error:.1e} in {key[0]}, limit {limits[key]:.0e}"
        for key, error in errors.items()
        if not error <= limits[key]
    ]


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a Markdown table. PyTorch's own errors in float32 are in brackets."""
    columns = [(kind, part) for kind in ("float64", "float32") for part in PARTS]
    lines = [
        "| network | image | weights | " + " | ".join(map(" ".join, columns)) + " | losses | change |",
        "| --- |" + " ---: |" * (len(columns) + 4),
    ]
    for row in rows:
        cells = [row["network"], "x".join(map(str, row["size"])), f"{row['count']:,}"]
        for kind, part in columns:
            own = f" ({row['PyTorch float32'][part]:.1e})" if kind == "float32" else ""
            cells.append(f"{row[kind][part]:.1e}{own}")
        lines.append(f"| {' | '.join(cells)} | {row['losses']:.1e} | {row['change']:.1e} |")
    return "\n".join(lines)


def write(rows: list[dict[str, Any]], names: list[str], options: argparse.Namespace, seconds: float) -> list[str]:
    """Write the rows so far as Markdown and JSON, and return the errors that exceed their limits."""
    failures = [line for row in rows for line in too_far(row)]
    command = f"python -m tests.conversion --seed {options.seed} --steps {options.steps}"
    if options.networks:
        command += f" --networks {shlex.join(options.networks)}"
    versions = {
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "torch", "torchvision", "timm", "facenet-pytorch")},
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }
    missing = "" if len(rows) == len(names) else f" {len(names) - len(rows)} networks are missing: it was stopped."
    verdict = "\n".join(failures) if failures else f"Every error is within its limit.{missing}"
    heading = f"""# Networks converted from PyTorch

`{command}`: {", ".join(" ".join(pair) for pair in versions.items())}; {seconds:.0f} s.

Each network is built with random weights, without dropout, and converted by `models.from_torch`. A batch of two images
passes it in training and in evaluation mode. An error is the largest |ours - PyTorch's| over the largest |PyTorch's|
of an array: of the outputs, of the gradient at the images, of the gradient of every parameter, and of the running
statistics afterwards; the table has the larger of both modes. PyTorch computes in float64 from the same numbers; in
brackets is the error of PyTorch itself in float32.

The limit in float64 is {LIMITS["float64"]:.0e}. In float32 a rounding may decide which pixel is the maximum of a
window, or whether ReLU passes a gradient: in about half of all batches, for PyTorch as often as for us. So the errors
in float32 are the smallest of {FLOAT32_DRAWS} batches, and their limit is {LIMITS["float32"]:.0e}, or twice PyTorch's
own error if that is larger. Gradients of parameters below {SMALL[np.float64]} (float64) or {SMALL[np.float32]}
(float32) of the largest one are compared with that: of a bias before a batch norm there is only rounding.

The column "losses" has the largest relative difference of the losses in {options.steps} steps of SGD with momentum in
float64, on smaller images where the network accepts them (limit {LIMITS["losses"]:.0e}); "change" says how much the
loss changes in these steps. The learning rate is small, because a new network on few images is chaotic at larger ones.

{verdict}
"""
    options.out.mkdir(parents=True, exist_ok=True)
    with atomic_write(options.out / "table.md") as path:
        path.write_text(f"{heading}\n{table(rows)}\n", encoding="utf-8")
    record = {"command": command, "seed": options.seed, "steps": options.steps, "versions": versions, "limits": LIMITS}
    with atomic_write(options.out / "table.json") as path:
        path.write_text(json.dumps({**record, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    return failures


def main(arguments: list[str] | None = None) -> int:
    """Convert, compare, print; write after each network."""
    parser = argparse.ArgumentParser(prog="python -m tests.conversion", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=20, help="steps of SGD")
    parser.add_argument("--out", type=Path, default=Path("results/conversion"))
    parser.add_argument("--networks", nargs="*", choices=list(NETWORKS), help="these alone")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    start, names, failures = time.perf_counter(), options.networks or list(NETWORKS), []
    rows: list[dict[str, Any]] = []
    for name in names:
        rows.append(measure(name, options.seed, options.steps))
        failures = write(rows, names, options, time.perf_counter() - start)
        lines = table(rows).splitlines()
        print("\n".join(lines if len(rows) == 1 else lines[-1:]), flush=True)
    print("\n".join(["", *failures, str(options.out / "table.md")]))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
