import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

import mytorch
from mytorch import nn

STATE = {
    "0.weight": np.arange(6.0).reshape(2, 3),
    "count": np.array(3),
    "turned": np.arange(6, dtype="f").reshape(2, 3).T,
}


def test_what_is_saved_is_loaded_with_its_metadata(tmp_path):
    mytorch.save(STATE, tmp_path / "a.safetensors", {"recipe": "tiny"})
    loaded, notes = mytorch.load(tmp_path / "a.safetensors")
    assert notes == {"recipe": "tiny"}
    assert set(loaded) == set(STATE)
    for name, value in STATE.items():
        np.testing.assert_array_equal(loaded[name], value)
        assert (loaded[name].dtype, loaded[name].shape) == (value.dtype, value.shape)


def test_saved_weights_are_read_by_pytorch_and_back(tmp_path):
    ours = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    theirs = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    mytorch.save(ours.state_dict(), tmp_path / "ours.safetensors")
    theirs.load_state_dict(safetensors.torch.load_file(tmp_path / "ours.safetensors"))
    for name, value in theirs.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), ours.state_dict()[name])
    torch.nn.init.normal_(theirs[0].weight)
    safetensors.torch.save_file(theirs.state_dict(), tmp_path / "theirs.safetensors")
    ours.load_state_dict(mytorch.load(tmp_path / "theirs.safetensors")[0])
    np.testing.assert_array_equal(ours[0].weight.data, theirs[0].weight.detach().numpy())


def truncate(path):
    mytorch.save(STATE, path)
    path.write_bytes(path.read_bytes()[:-5])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: None, "no such file; give the path of a .safetensors file"),
        (lambda path: path.mkdir(), "no such file"),
        (truncate, "not a complete safetensors file .* fetch it again"),
        (lambda path: path.write_text("epoch,loss\n1,2.3\n" * 20), "not a complete safetensors file"),
        (lambda path: path.write_bytes(b""), "not a complete safetensors file"),
        (lambda path: torch.save({"a": torch.ones(3)}, path), "not a complete safetensors file"),
        (
            lambda path: safetensors.torch.save_file({"a": torch.ones(3, dtype=torch.bfloat16)}, path),
            "a type of number that NumPy does not have",
        ),
    ],
)
def test_file_that_cannot_be_read_is_named_with_a_remedy(tmp_path, spoil, message):
    path = tmp_path / "weights.safetensors"
    spoil(path)
    with pytest.raises(mytorch.CheckpointError, match=f"{path}: .*{message}"):
        mytorch.load(path)


def stands_as_it_was(path):
    loaded, _ = mytorch.load(path)
    return [file.name for file in path.parent.iterdir()] == [path.name] and "0.weight" in loaded


def test_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    mytorch.save(STATE, path)

    def fill(self, content):
        with self.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", fill)
    with pytest.raises(OSError, match="No space left"):
        mytorch.save({"other": np.zeros(1000)}, path)
    assert stands_as_it_was(path)


def test_file_that_may_not_grow_leaves_the_old_one_and_nothing_else(tmp_path):
    resource = pytest.importorskip("resource", reason="limits on the size of files are POSIX's")
    path = tmp_path / "a.safetensors"
    mytorch.save(STATE, path)
    script = f"""
import resource, signal, numpy, mytorch
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, {resource.RLIM_INFINITY}))
mytorch.save({{"other": numpy.zeros(100_000)}}, {str(path)!r})
"""
    root = Path(mytorch.__file__).parents[1]
    run = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False)
    assert "File too large" in run.stderr
    assert stands_as_it_was(path)
