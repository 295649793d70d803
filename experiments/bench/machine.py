"""What a benchmark ran on: the machine, the versions, and how fast it multiplies matrices at best."""

import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from experiments.bench.devices import Device
from experiments.bench.plan import Plan
from experiments.bench.threads import processors
from experiments.bench.timing import race

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
        "processor": _processor(), "processors": processors(), "system": platform.system(),
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
