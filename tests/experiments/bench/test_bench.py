"""`faces bench` from the command to its table, JSON and chart, and what it refuses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from threadpoolctl import threadpool_info

from experiments.bench import steps
from experiments.bench.timing import Plan, limited
from mytorch.device import require_cuda

PLAIN = [
    "conv_geomean_ratio",
    "conv_worst_ratio",
    "conv_float64_geomean_ratio",
    "layers_geomean_ratio",
    "train_step_ratio_scratch_cnn",
    "train_step_ratio_small_resnet",
    "train_step_memory_ratio",
]


@pytest.fixture(scope="module")
def quick(tmp_path_factory) -> tuple[str, dict, Path]:
    """What `faces bench --quick` prints, its JSON file, and its chart."""
    folder = tmp_path_factory.mktemp("bench")
    numbers, chart = folder / "bench.json", folder / "bench.png"
    command = [sys.executable, "-m", "experiments.cli", "bench", "--quick", "--threads", "1"]
    done = subprocess.run(
        [*command, "--json", str(numbers), "--chart", str(chart)],
        capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "160"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(numbers.read_text()), chart


@pytest.mark.slow
def test_a_quick_run_from_the_command_line(quick):
    printed, result, chart = quick
    for name in [*PLAIN, *(f"{name}_channels_last" for name in PLAIN), "versus_handwritten_geomean_ratio"]:
        assert name in printed
        assert result["summary"][name] > 0, name
    assert result["threads"] == 1
    assert result["command"].startswith("faces bench --quick")
    assert {"processor", "blas", "packages", "python"} <= set(result["machine"])
    sections = result["sections"]
    for row in sections["convolutions"] + sections["layers"] + sections["steps"]:
        assert row["ratio"] == pytest.approx(row["mytorch"]["ms"] / row["torch"]["ms"])
        assert 0 < row["torch"]["low"] <= row["torch"]["ms"] <= row["torch"]["high"]
    assert "3x3 3-64 112px" in printed
    assert "BatchNorm2d" in printed
    with Image.open(chart) as image:
        assert image.size[0] > 1000


def test_a_file_in_no_folder_is_refused_before_anything_is_measured(command, tmp_path):
    result = command("bench", "--json", tmp_path / "none" / "bench.json")
    assert result.status == 2
    assert f"{tmp_path / 'none'} is not a folder: make it first" in result.err


def test_an_unknown_device_is_refused(command):
    result = command("bench", "--device", "tpu")
    assert result.status == 2
    assert result.err.strip() == "faces: --device tpu: expected cpu or cuda"


def test_without_a_gpu_cuda_is_refused_in_a_line(command):
    try:
        require_cuda()
    except RuntimeError:
        result = command("bench", "--device", "cuda")
        assert result.status == 2
        assert result.err.startswith("faces: --device cuda: ")
        assert result.err.count("\n") == 1
    else:
        pytest.skip("there is a GPU here")


def test_threads_are_the_same_for_all_and_put_back():
    def state():
        return torch.get_num_threads(), [
            pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"
        ]

    before = state()
    with limited(1):
        threads, blas = state()
        assert threads == 1
        assert set(blas) == {1}
    assert state() == before


@pytest.mark.skipif(not steps.reports_memory(), reason="only Linux says how much memory a process has")
def test_a_steps_memory_grows_with_the_batch(quick):
    (of_two,) = quick[1]["sections"]["memory"]
    assert (of_two["name"], of_two["batch"]) == ("scratch_cnn", 2)
    (of_sixteen,) = steps._in_a_process("peak", "scratch_cnn", "mytorch", 16, Plan(), steps=1)
    at_least = 14 * 32 * 64 * 64 * 4 / steps.MIB  # what the first convolution alone gives for 14 more images
    assert of_sixteen - of_two["mib"]["mytorch"] > at_least


@pytest.mark.skipif(not steps.reports_memory(), reason="only Linux says how much memory a process has")
def test_memory_is_read_after_each_tenth_of_the_steps(quick):
    found = quick[1]["sections"]["resident"]
    assert found["steps"] == 50
    assert len(found["mib"]) == steps.SAMPLES
    assert found["grown_mib"] == max(found["mib"]) - found["mib"][0] >= 0
    assert min(found["mib"]) > 10
