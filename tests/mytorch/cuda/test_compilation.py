"""Every kernel compiles for every GPU from Turing to Blackwell, and none has an atomic instruction: no GPU needed."""

import re

import pytest

from mytorch.ops.cuda.loader import FOLDER, options, source_text

nvrtc = pytest.importorskip("cuda.bindings.nvrtc", reason="no cuda-bindings, which hold NVRTC: pip install '.[dev]'")

SOURCES = sorted(path.stem for path in FOLDER.glob("*.cu"))
ARCHITECTURES = ["sm_75", "sm_80", "sm_90", "sm_100"]
CUPYS = ["-ftz=true"]
"""The options that CuPy adds."""


def _buffer(size: int) -> bytes:
    """Return bytes that NVRTC may write to. Never a single byte: Python shares that object with the whole process."""
    return b" " * (size + 1)


def compiled(text: str, *flags: str) -> str:
    """Return the PTX, after assembling it too. Raises AssertionError with the compiler's message."""
    _, program = nvrtc.nvrtcCreateProgram(text.encode(), b"kernel.cu", 0, [], [])
    arguments = [flag.encode() for flag in flags]
    (result,) = nvrtc.nvrtcCompileProgram(program, len(arguments), arguments)
    log = _buffer(nvrtc.nvrtcGetProgramLogSize(program)[1])
    nvrtc.nvrtcGetProgramLog(program, log)
    words = log.decode().strip(" \0\n")
    assert result == nvrtc.nvrtcResult.NVRTC_SUCCESS, words
    assert not words, f"warnings: {words}"
    assert nvrtc.nvrtcGetCUBINSize(program)[1] > 0
    ptx = _buffer(nvrtc.nvrtcGetPTXSize(program)[1])
    nvrtc.nvrtcGetPTX(program, ptx)
    nvrtc.nvrtcDestroyProgram(program)
    return ptx.decode().rstrip(" \0")


@pytest.fixture(scope="module", autouse=True)
def library():
    try:
        nvrtc.nvrtcVersion()
    except (RuntimeError, ImportError, OSError) as error:
        pytest.skip(f"no NVRTC library: pip install '.[dev]' ({error})")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("source", SOURCES)
def test_source_compiles_without_a_warning_and_without_atomics(source, architecture):
    text = source_text(source)
    for kind in "fd":
        ptx = compiled(text, *options(kind), *CUPYS, f"--gpu-architecture={architecture}")
        assert set(re.findall(r"\.entry (\w+)\(", ptx)) == set(re.findall(r"__global__ void (\w+)\(", text))
        assert not re.findall(r"^\s*(?:@\S+\s+)?((?:atom|red)\.\S+)", ptx, re.MULTILINE)


def test_compiling_leaves_pythons_shared_bytes_alone():
    compiled("", "--gpu-architecture=sm_80")  # no message: a log of one byte
    assert bytes([32])[0] == 32


def test_an_atomic_instruction_would_be_found():
    text = 'extern "C" __global__ void add(float* x, float* y) { atomicAdd(x, 1.f); y[0] = atomicAdd(y + 1, 1.f); }'
    ptx = compiled(text, "--gpu-architecture=sm_80")
    assert len(re.findall(r"^\s*(?:@\S+\s+)?((?:atom|red)\.\S+)", ptx, re.MULTILINE)) == 2
