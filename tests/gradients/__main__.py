"""Every layer and loss of mytorch against PyTorch and against differences: `python -m tests.gradients`.

Prints a table, writes it to results/gradcheck, and exits with status 1 if an error exceeds its limit.
"""

import argparse
import json
import platform
import sys
import time
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import torch

from mytorch.files import atomic_write
from tests.gradients.cases import CASES, forgotten
from tests.gradients.compare import SMALL, against_differences, against_pytorch

LIMITS = {"float64": 1e-10, "float32": 1e-4, "differences": 1e-5}


def measure(name: str, seed: int, draws: int) -> dict[str, Any]:
    """Return the largest error of each kind over `draws` configurations: of the output, and of the gradients."""
    worst: dict[str, dict[str, float]] = {kind: {} for kind in LIMITS}
    for index in range(draws):
        draw = np.random.default_rng((seed, crc32(name.encode()), index))
        case = CASES[name](draw)
        found = {
            "float64": against_pytorch(case, np.float64, index),
            "float32": against_pytorch(case, np.float32, index),
            "differences": against_differences(case, index),
        }
        for kind, errors in found.items():
            for what, error in errors.items():
                part = what.split()[0] if what.startswith(("output", "input")) else "parameters"
                worst[kind][part] = max(error, worst[kind].get(part, 0.0))
    return {"layer": name, **worst}


def short_of(row: dict[str, Any]) -> list[str]:
    """Return the errors of a row that exceed their limits."""
    return [
        f"{row['layer']}: {part} {error:.1e} in {kind}, limit {LIMITS[kind]:.0e}"
        for kind in LIMITS
        for part, error in row[kind].items()
        if not error <= LIMITS[kind]
    ]


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a Markdown table."""
    columns = [("float64", part) for part in ("output", "input", "parameters")]
    columns += [("float32", part) for part in ("output", "input", "parameters")]
    columns += [("differences", part) for part in ("input", "parameters")]
    lines = [
        "| layer | " + " | ".join(f"{kind} {part}" for kind, part in columns) + " |",
        "| --- |" + " ---: |" * len(columns),
    ]
    for row in rows:
        figures = (f"{row[kind][part]:.1e}" if part in row[kind] else "" for kind, part in columns)
        lines.append(f"| {row['layer']} | " + " | ".join(figures) + " |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Draw, compare, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.gradients", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--draws", type=int, default=400, help="configurations a layer")
    parser.add_argument("--out", type=Path, default=Path("results/gradcheck"))
    parser.add_argument("--layers", nargs="*", help="these alone")
    options = parser.parse_args(arguments)
    if missing := forgotten():
        print(f"no case for {sorted(missing)}: add one to tests/gradients/cases.py", file=sys.stderr)
        return 1
    torch.set_num_threads(1)
    start, rows = time.perf_counter(), []
    for name in options.layers or sorted(CASES, key=str.lower):
        rows.append(measure(name, options.seed, options.draws))
        lines = table(rows).splitlines()
        print("\n".join(lines if len(rows) == 1 else lines[-1:]), flush=True)
    failures = [line for row in rows for line in short_of(row)]
    command = f"python -m tests.gradients --seed {options.seed} --draws {options.draws}"
    versions = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "machine": platform.machine(),
    }
    verdict = "\n".join(failures) if failures else "Every figure is within its limit."
    heading = f"""# Every gradient, against PyTorch and against differences

`{command}`: {", ".join(" ".join(pair) for pair in versions.items())}; {time.perf_counter() - start:.0f} s.

The largest relative error of {options.draws} drawn configurations a layer: largest |ours - PyTorch's| over largest
|PyTorch's| of an array. PyTorch computes in float64 from the same numbers, ours in float64 (limit
{LIMITS["float64"]:.0e}) and in float32 (limit {LIMITS["float32"]:.0e}). And the error of a gradient along a random
direction against a central difference in float64 (limit {LIMITS["differences"]:.0e}). Gradients below
{SMALL[np.float64]} (float64) or {SMALL[np.float32]} (float32) are compared with that: of some there is nothing but
rounding. Values near a kink, such as a tie of max pooling, are moved off it: there is no derivative, and ties have
tests of their own. Dropouts are compared for the mask that was drawn.

{verdict}
"""
    options.out.mkdir(parents=True, exist_ok=True)
    with atomic_write(options.out / "table.md") as path:
        path.write_text(f"{heading}\n{table(rows)}\n", encoding="utf-8")
    record = {"command": command, "seed": options.seed, "draws": options.draws, "versions": versions, "limits": LIMITS}
    with atomic_write(options.out / "table.json") as path:
        path.write_text(json.dumps({**record, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    print(f"\n{verdict}\n{options.out / 'table.md'}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
