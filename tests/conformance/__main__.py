"""PyTorch's and ONNX's own test inputs given to mytorch: `python -m tests.conformance`.

Prints a table for each, writes it to results/conformance, and exits with status 1 unless every sample in scope agrees.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import torch

from tests.conformance.modules import run_modules
from tests.conformance.onnx_nodes import run_onnx
from tests.conformance.opinfo import run_opinfo
from tests.conformance.record import Outcome, rows_of, shortened, summary, table, versions, write
from tests.conformance.scope import OUTSIDE_MODULES, OUTSIDE_NODES, OUTSIDE_OPS


@dataclass(frozen=True)
class Kind:
    """One source of samples. outside: what of it is never run, and why."""

    title: str
    about: str
    run: Callable[[int, Sequence[str]], Iterator[Outcome]]
    outside: dict[str, str]
    packages: tuple[Any, ...]


KINDS = {
    "modules": Kind(
        "PyTorch's module inputs",
        "The inputs that PyTorch tests its own modules with (`torch.testing._internal.common_modules.module_db`), in "
        "train and in eval mode: a mytorch layer of the same name gets the same arguments, parameters and buffers. A "
        "sample agrees if every output, every buffer and every gradient does, in float64 (relative error 1e-9) and in "
        "float32 (1e-4).",
        run_modules,
        OUTSIDE_MODULES,
        (torch,),
    ),
    "opinfo": Kind(
        "PyTorch's samples of functions",
        "The samples that PyTorch tests its functions with (OpInfo, "
        "`torch.testing._internal.common_methods_invocations.op_db`), in float64: the "
        "layer of mytorch that computes the function gets the same arguments. A sample agrees "
        "if every output, every running statistic, and the gradient at every input and parameter does (relative error "
        "1e-9).",
        run_opinfo,
        OUTSIDE_OPS,
        (torch,),
    ),
    "onnx": Kind(
        "ONNX's node tests",
        "ONNX's own tests of single operators (`onnx.backend.test`), with weights and settings stored in the model as "
        "exporters write them: `mytorch.onnx.load` reads each, and its output is compared within the tolerance of the "
        "test.",
        run_onnx,
        OUTSIDE_NODES,
        (onnx,),
    ),
}


def report(name: str, options: argparse.Namespace) -> bool:
    """Run one kind, print its table, write it unless only some names were run. Return True if all in scope agree."""
    kind, start = KINDS[name], time.perf_counter()
    print(f"{kind.title}\n", flush=True)
    outcomes = list(kind.run(options.seed, options.name))
    if options.name and not outcomes:
        print(f"no sample of {', '.join(options.name)}", file=sys.stderr)
        return False
    rows = rows_of(outcomes)
    for outcome in outcomes:
        if options.verbose and outcome.status in ("differ", "unsupported"):
            print(f"{outcome.status}: {outcome.sample}\n    {outcome.reason}")
        if outcome.stale:
            print(f"excluded, but it agrees: {outcome.sample}; take it out of tests/conformance/scope.py")
    print(f"{table(rows)}\n\n{summary(rows)}\n{time.perf_counter() - start:.0f} s\n", flush=True)
    if not options.name:
        command = f"python -m tests.conformance --only {name} --seed {options.seed}"
        found = versions(*kind.packages)
        made = ", ".join(f"{package} {version}" for package, version in found.items())
        heading = f"# {kind.title}\n\n`{command}`: {made}.\n\n{kind.about}"
        record = {"title": kind.title, "about": kind.about, "command": command, "seed": options.seed, "versions": found}
        write(options.out, name, heading, record, rows, kind.outside)
    return all(row.agrees for row in rows) and not any(outcome.stale for outcome in outcomes)


def main(arguments: list[str] | None = None) -> int:
    """Run, compare, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--only", choices=sorted(KINDS), help="one kind of samples")
    parser.add_argument("--name", nargs="*", default=[], help="these modules or operators alone; nothing is written")
    parser.add_argument("--verbose", action="store_true", help="print every sample that does not agree, and why")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("results/conformance"))
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        agree = [report(name, options) for name in ([options.only] if options.only else KINDS)]
    except RuntimeError as error:
        print(shortened(str(error), 400), file=sys.stderr)
        return 2
    return 0 if all(agree) else 1


if __name__ == "__main__":
    sys.exit(main())
