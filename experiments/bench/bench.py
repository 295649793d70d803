"""The whole benchmark: the machine it ran on, every section, and the tables, JSON and plot that it writes."""

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

from experiments.bench.convolutions import CONVOLUTIONS, HANDWRITTEN_CASES, measure_convolution, measure_handwritten
from experiments.bench.layers import LAYERS, OPTIMIZERS, measure_layer, measure_optimizer
from experiments.bench.report import plot_ratios, summarize, tables
from experiments.bench.steps import (
    NETWORKS,
    measure_growth,
    measure_peak,
    measure_resident,
    measure_step,
    reports_memory,
)
from experiments.bench.timing import Device, Plan, available_processors, limited, open_device, race, tensor_float32
from experiments.errors import FacesError
from experiments.files import write_json
from experiments.progress import print_table, say, track

PEAK_SIZE = 2048
"""Rows and columns of the matrices whose product gives the machine's peak rate."""

PACKAGES = ("mytorch-faces", "numpy", "torch", "cupy-cuda12x", "cupy-cuda13x")


def describe(plan: Plan) -> dict[str, Any]:
    """Return the processor, the GPU if one computes, the versions, and the BLAS with the kernels it selected."""
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
    """Return the GFLOP/s of a float32 product of (2048, 2048) matrices by each library, counted as 2 n^3.

    The better one is the peak that a convolution can hope to reach.
    """
    n = 256 if plan.quick else PEAK_SIZE
    rng = np.random.default_rng(plan.seed)
    a, b = (rng.standard_normal((n, n), np.float32) for _ in range(2))
    ours, theirs = [device.ours(m) for m in (a, b)], [device.theirs(m, "torch") for m in (a, b)]
    runners: dict[str, Callable[[], Any]] = {
        "mytorch": lambda: ours[0] @ ours[1],
        "torch": lambda: theirs[0] @ theirs[1],
    }
    return {backend: 2e-6 * n**3 / time["low"] for backend, time in race(runners, plan, device).items()}


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
    """Measure everything and print it; write the JSON file and the plot where given. Returns what the JSON file holds.

    On a GPU everything is measured twice, without and with TF32. Raises FacesError for a file in a folder that does not
    exist, and for a missing GPU, before anything is measured.
    """
    for path in (json_file, chart):
        if path is not None and not path.absolute().parent.is_dir():
            raise FacesError(f"{path}: {path.absolute().parent} is not a folder: make it first")
    device = open_device(plan.device)
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
                print_table(table)
            say(f"a matrix product of float32: {', '.join(f'{k} {v:,.0f} GFLOP/s' for k, v in peak.items())}")
    if json_file is not None:
        write_json(json_file, result)
        say(f"written to {json_file}")
    if chart is not None:
        plot_ratios(result["sections"], _headline(result), chart)
        say(f"plotted in {chart}")
    return result


def measure_sections(plan: Plan, device: Device) -> dict[str, Any]:
    """Return every section of the benchmark by name: rows, a dictionary each."""
    cpu = plan.device == "cpu"
    memory = cpu and reports_memory()

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
            *each("optimizers", OPTIMIZERS, lambda name: measure_optimizer(name, plan, device)),
        ],
        "steps": [measure_step(name, plan, device) for name in NETWORKS],
        "growth": measure_growth(plan, device),
        "handwritten": each("handwritten", HANDWRITTEN_CASES, lambda c: measure_handwritten(c, plan, device))
        if cpu
        else [],
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
    """One line that says what ran where."""
    machine = result["machine"]
    kernels = ", ".join(sorted({str(pool["architecture"]) for pool in machine["blas"]}))
    where = machine.get("gpu") or f"{machine['processor']}, {result['threads']} threads, BLAS kernels {kernels}"
    versions = machine["packages"]
    return f"mytorch against torch {versions['torch']}, NumPy {versions['numpy']}: {where}"
