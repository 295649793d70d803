"""Weights are read without running anything, and go into the network they belong to or nowhere."""

import io
import os
import pickle
from contextlib import suppress

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from models.weights import load_weights, read_weights


class Touch:
    """Pickled, this makes a file when it is read carelessly."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def network(classes: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, classes))


def same(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


@pytest.mark.parametrize("nested", [None, "state_dict", "model"])
def test_every_form_gives_the_same_tensors(tmp_path, nested):
    state = network().state_dict()
    torch.save({nested: state, "epoch": 3} if nested else state, tmp_path / "a.pth")
    torch.save({f"module.{name}": value for name, value in state.items()}, tmp_path / "wrapped.pth")
    save_file(state, tmp_path / "named_wrongly.pth")
    assert all(same(read_weights(path), state) for path in tmp_path.iterdir())


@pytest.mark.parametrize("zipped", [True, False])
def test_malicious_pickle_is_refused_and_does_nothing(tmp_path, zipped):
    made = tmp_path / "made"
    with pytest.raises(FileExistsError):  # the attack works where nobody looks
        pickle.loads(pickle.dumps(Touch(tmp_path)))
    torch.save({"weight": Touch(made)}, tmp_path / "evil.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match=r"evil\.pt: refused: this pickle calls \w+\.mkdir.*nothing in it was run"):
        read_weights(tmp_path / "evil.pt")
    with (tmp_path / "bare.pt").open("wb") as file:
        pickle.dump(Touch(made), file)
    with pytest.raises(ValueError, match=r"bare\.pt: refused"):
        read_weights(tmp_path / "bare.pt")
    assert not made.exists()


def test_damaged_file_is_named_whatever_its_damage(tmp_path):
    path, rng = tmp_path / "damaged", torch.Generator().manual_seed(0)
    save_file(network().state_dict(), path)
    wholes = [path.read_bytes()]
    for zipped in (True, False):
        buffer = io.BytesIO()
        torch.save(network().state_dict(), buffer, _use_new_zipfile_serialization=zipped)
        wholes.append(buffer.getvalue())
    for whole in wholes:
        for cut in (0, 1, 8, 9, 100, len(whole) // 2):
            path.write_bytes(whole[:cut])
            with pytest.raises(ValueError, match="etch the file again"):
                read_weights(path)
        for _ in range(60):
            at, value = torch.randint(0, 400, (2,), generator=rng).tolist()
            path.write_bytes(whole[:at] + bytes([value % 256]) + whole[at + 1 :])
            with suppress(ValueError):  # a byte of a name or of a number may change unseen; nothing else may be raised
                read_weights(path)


@pytest.mark.parametrize(
    "content", [torch.zeros(3), {}, [1], {"epoch": 3, "weight": torch.zeros(3)}, {1: torch.zeros(2)}]
)
def test_file_of_anything_else_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"other\.pt: .*save module\.state_dict\(\)"):
        read_weights(tmp_path / "other.pt")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere\.pt: no such weights file"):
        read_weights(tmp_path / "nowhere.pt")


def test_what_does_not_fit_is_listed_and_nothing_changes():
    net = network()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    state = network().state_dict() | {"extra.weight": torch.zeros(1), "0.weight": torch.zeros(4, 3, 5, 5)}
    del state["1.running_var"]
    with pytest.raises(ValueError, match="not the weights of small") as raised:
        load_weights(net, state, "small")
    for words in (
        "1 missing (1.running_var)",
        "1 unexpected (extra.weight)",
        "0.weight (4, 3, 5, 5) instead of (4, 3, 3, 3)",
    ):
        assert words in str(raised.value)
    assert same(net.state_dict(), before)


def test_classifier_of_other_classes_is_left_out_and_said():
    net, other = network(3), network(7)
    head = net[3].weight.clone()
    state = other.state_dict()
    with pytest.raises(ValueError, match=r"3\.weight \(7, 4\) instead of \(3, 4\)"):
        load_weights(net, state)
    body = nn.Sequential(*network()[:2])
    assert "7 classes" in load_weights(body, state, classifier=("3.",))[0]
    assert torch.equal(body[0].weight, other[0].weight)
    assert torch.equal(net[3].weight, head)
    assert load_weights(network(7), state, classifier=("3.",)) == []


def test_old_file_without_batch_counts_is_taken():
    state = network().state_dict()
    del state["1.num_batches_tracked"]
    assert load_weights(network(), state) == []


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod."])
def test_a_prefix_is_removed_only_if_all_names_have_it(tmp_path, prefix):
    both = {f"{prefix}weight": torch.ones(2), f"{prefix}bias": torch.zeros(2)}
    torch.save(both, tmp_path / "all.pt")
    assert set(read_weights(tmp_path / "all.pt")) == {"weight", "bias"}
    torch.save({**both, "scale": torch.ones(1)}, tmp_path / "some.pt")
    assert set(read_weights(tmp_path / "some.pt")) == {*both, "scale"}


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda t: t * 0, "all weights are zero"),
        (lambda t: t * float("nan"), "0.weight holds 12 values that are not finite"),
        (lambda t: t.masked_fill(t == t.flatten()[0], float("-inf")), "0.weight holds 1 values that are not finite"),
        (lambda t: t.long(), "0.weight is int64, expected floating point"),
    ],
)
def test_weights_that_no_training_leaves_are_refused_and_change_nothing(spoil, expected):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(ValueError, match=rf"these weights of tiny are damaged: {expected}; fetch or train them again"):
        load_weights(network, {name: spoil(value) for name, value in before.items()}, "tiny")
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
