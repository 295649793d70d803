"""Which kernels NumPy's OpenBLAS is told to take, and when it is told nothing."""

import subprocess
import sys

import pytest

from experiments import runtime as blas

NEW = "fpu sse2 avx2 fma avx512f avx512dq avx512cd avx512bw avx512vl avx512_bf16"

CHOOSE = """
import os, sys
from pathlib import Path
{before}
from experiments.runtime import choose_blas_kernels
print(choose_blas_kernels(processor=Path(sys.argv[1])), os.environ.get("OPENBLAS_CORETYPE"))
"""


@pytest.fixture
def chosen(tmp_path, monkeypatch):
    """chosen(flags, before): what a new process chooses on such a processor, and what the variable is then."""

    def run(flags: str, before: str = "") -> list[str]:
        monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
        processor = tmp_path / "cpuinfo"
        processor.write_text(f"processor\t: 0\nmodel name\t: any\nflags\t\t: {flags}\n\nprocessor\t: 1\n")
        program = [sys.executable, "-c", CHOOSE.format(before=before), str(processor)]
        return subprocess.run(program, capture_output=True, text=True, check=True).stdout.split()

    return run


def test_a_processor_with_avx512_gets_its_kernels(chosen):
    assert chosen(NEW) == ["SKYLAKEX", "SKYLAKEX"]


@pytest.mark.parametrize("flags", ["", "fpu sse2 avx2 fma", NEW.replace("avx512bw", ""), "avx512f_of_another_kind"])
def test_another_processor_is_left_alone(chosen, flags):
    assert chosen(flags) == ["None", "None"]


def test_the_users_choice_stands(chosen):
    assert chosen(NEW, "os.environ['OPENBLAS_CORETYPE'] = 'HASWELL'") == ["None", "HASWELL"]


def test_nothing_is_chosen_too_late(chosen):
    assert chosen(NEW, "import numpy") == ["None", "None"]


def test_a_system_that_lists_no_processor_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "numpy", raising=False)
    environment: dict[str, str] = {}
    assert blas.choose_blas_kernels(environment, tmp_path / "none") is None
    assert environment == {}
