"""The whole benchmark: every section, and what is made of it.

What a benchmark ran on: the machine, the versions, and how fast it multiplies matrices at best.
"""

import platform
import shlex
import sys
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from experiments.bench.convolutions import CONVOLUTIONS, RIVALRY, measure_convolution, measure_rivals
from experiments.bench.devices import Device, device_called, tensor_float32
from experiments.bench.layers import LAYERS, OPTIMIZERS, measure_layer, measure_optimizer
from experiments.bench.memory import available, measure_peak, measure_resident
from experiments.bench.report import draw_ratios, summarize, tables
from experiments.bench.steps import NETWORKS, measure_growth, measure_step
from experiments.bench.timing import Plan, available_processors, limited, race
from experiments.errors import FacesError
from experiments.files import write_json
from experiments.progress import console, say, track

SIDE = 2048
PACKAGES = ("mytorch-faces", "numpy", "torch", "cupy-cuda12x", "cupy-cuda13x")


def describe(plan: Plan) -> dict[str, Any]:
    """The processor, the GPU where it computes, the versions, and the BLAS with the kernels that it chose."""
    from threadpoolctl import threadpool_info

    blas = [
        {key: pool.get(key) for key in ("internal_api", "version", "architecture", "num_threads")}
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    ]
    gpu = {"gpu": torch.cuda.get_device_name()} if plan.device == "cuda" else {}
    return {
        "processor": _processor(), "processors": available_processors(), "system": platform.system(),
        "machine": platform.machine(), **gpu, "python": platform.python_version(), "packages": _versions(),
        "blas": blas,
    }  # fmt: skip


def measure_peak_rate(plan: Plan, device: Device) -> dict[str, float]:
    """GFLOP/s of a float32 matrix product of (2048, 2048) by each library; the better is what there is to hope for.

    Counted as products and sums, 2 n^3.
    """
    n = 256 if plan.quick else SIDE
    rng = np.random.default_rng(plan.seed)
    a, b = (rng.standard_normal((n, n), np.float32) for _ in range(2))
    ours, theirs = [device.ours(m) for m in (a, b)], [device.theirs(m, "torch") for m in (a, b)]
    runners: dict[str, Callable[[], Any]] = {
        "mytorch": lambda: ours[0] @ ours[1],
        "torch": lambda: theirs[0] @ theirs[1],
    }
    return {side: 2e-6 * n**3 / time["low"] for side, time in race(runners, plan, device).items()}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def run_bench(plan: Plan, json_file: Path | None = None, chart: Path | None = None) -> dict[str, Any]:
    """Measure everything and show it; write the JSON and the chart where asked for. Returns what the JSON holds.

    On a GPU everything is measured twice, without and with TF32. Raises FacesError for a file in a folder that does not
    exist, and for a GPU that is not there, before anything is measured.
    """
    for path in (json_file, chart):
        if path is not None and not path.absolute().parent.is_dir():
            raise FacesError(f"{path}: {path.absolute().parent} is no folder: make it first")
    device = device_called(plan.device)
    with limited(plan.threads):
        result = _about(plan)
        say(_headline(result))
        for name in ("", "_tf32") if plan.device == "cuda" else ("",):
            with tensor_float32(bool(name)) if plan.device == "cuda" else nullcontext():
                peak = measure_peak_rate(plan, device)
                sections = measure_sections(plan, device)
            summary = summarize(sections)
            result |= {f"summary{name}": summary, f"peak_gflops{name}": peak, f"sections{name}": sections}
            if name:
                say("with TF32:")
            for table in tables(sections, summary, max(peak.values())):
                console.print(table)
            say(f"a matrix product of float32: {', '.join(f'{k} {v:,.0f} GFLOP/s' for k, v in peak.items())}")
    if json_file is not None:
        write_json(json_file, result)
        say(f"written to {json_file}")
    if chart is not None:
        draw_ratios(result["sections"], _headline(result), chart)
        say(f"drawn in {chart}")
    return result


def measure_sections(plan: Plan, device: Device) -> dict[str, Any]:
    """Every section of the benchmark, by name: rows, a dictionary a row."""
    cpu = plan.device == "cpu"
    memory = cpu and available()

    def each(label: str, items: Iterable[Any], measure: Callable[[Any], Any]) -> list[Any]:
        rows, names = [], plan.some(items)
        with track(label, len(names), "measured") as advance:
            for done, name in enumerate(names, start=1):
                rows.append(measure(name))
                advance(done, len(names))
        return rows

    def joined(rows: list[list[Any]]) -> list[Any]:
        return [row for group in rows for row in group]

    return {
        "convolutions": joined(each("convolutions", CONVOLUTIONS, lambda c: measure_convolution(c, plan, device))),
        "convolutions_float64": joined(
            each("in float64", CONVOLUTIONS, lambda c: measure_convolution(c, plan, device, np.float64))
        ),
        "layers": [
            *each("layers", LAYERS, lambda name: measure_layer(name, plan, device)),
            *each("optimisers", OPTIMIZERS, lambda name: measure_optimizer(name, plan, device)),
        ],
        "steps": [measure_step(name, plan, device) for name in NETWORKS],
        "growth": measure_growth(plan, device),
        "handwritten": each("other ways", RIVALRY, lambda c: measure_rivals(c, plan, device)) if cpu else [],
        "memory": each("memory", NETWORKS, lambda name: measure_peak(name, plan)) if memory else [],
        "resident": measure_resident(plan) if memory and plan.memory_steps else None,
    }


def _about(plan: Plan) -> dict[str, Any]:
    return {
        "command": shlex.join(["faces", *sys.argv[1:]]),
        "device": plan.device, "threads": plan.threads, "seed": plan.seed, "quick": plan.quick,
        "repeats": plan.repeats, "seconds_each": plan.seconds, "machine": describe(plan),
    }  # fmt: skip


def _headline(result: dict[str, Any]) -> str:
    """What ran where."""
    machine = result["machine"]
    kernels = ", ".join(sorted({str(pool["architecture"]) for pool in machine["blas"]}))
    where = machine.get("gpu") or f"{machine['processor']}, {result['threads']} threads, BLAS kernels {kernels}"
    versions = machine["packages"]
    return f"mytorch against torch {versions['torch']}, NumPy {versions['numpy']}: {where}"
