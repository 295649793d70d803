import csv
import json

import numpy as np
import pytest
import torch

from experiments.data.dataset import Faces, read_split
from experiments.data.images import ImageError
from experiments.data.loader import EpochLoader, ShardedBatches
from experiments.errors import FacesError
from experiments.inference.model import TrainedModel
from experiments.training.build_model import build_face_net, embed_images, fit_prototypes, read_tensors
from experiments.training.torch_engine import TorchEngine
from experiments.training.trainer import TrainOptions, train

ALONE = TrainOptions(workers=0)


@pytest.fixture
def run(people, small, tmp_path):
    """run("epochs=3", ...): the small recipe with settings changed, trained."""
    return lambda *settings, options=ALONE: train(small(*settings), people, tmp_path / "run", options=options)


def history(of) -> list[dict]:
    with of.history_file.open(newline="") as file:
        return list(csv.DictReader(file))


def weights(path) -> dict[str, torch.Tensor]:
    return read_tensors(path)[0]


def test_a_run_learns_and_holds_all_its_files(run, people, small):
    made = run("epochs=6")
    assert {path.name for path in made.folder.iterdir()} == {
        "recipe.yaml", "classes.json", "environment.json", "history.csv", "metrics.json", "checkpoint.safetensors",
        "best.safetensors", "last.safetensors", "curves.png", "log.txt",
    }  # fmt: skip
    rows = history(made)
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])
    metrics = json.loads(made.metrics_file.read_text())
    best = max(rows, key=lambda row: float(row["top1"]))
    assert metrics["best_epoch"] == int(best["epoch"])
    trained = TrainedModel.open(made.folder)
    _, validation = read_split(people, small())
    logits = trained.logits(validation.images)
    assert (logits.argmax(1) == validation.labels).mean() == pytest.approx(metrics["best_top1"])
    vectors = trained.embed(validation.images)
    mirrored = trained.embed(np.ascontiguousarray(validation.images[:, :, ::-1]))
    np.testing.assert_allclose(vectors, mirrored, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_what_is_frozen_stays_bit_for_bit_its_statistics_too(run, small):
    made = run("stages=[{epochs: 1, train: head}]", "epochs=1")
    torch.manual_seed(small().seed)
    before, after = build_face_net(small().torch_model, 4).state_dict(), weights(made.last_weights)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith("head.") for name in changed)


def test_the_second_stage_thaws_what_the_first_froze(run):
    made = run("stages=[{epochs: 1, train: head}, {epochs: 1, train: [layer4, head]}]", "epochs=2")
    assert [row["stage"] for row in history(made)] == ["1", "2"]
    before, after = weights(made.best_weights), weights(made.last_weights)
    first = {name for name in before if not torch.equal(before[name], after[name])}
    assert not [name for name in first if not name.startswith(("backbone.layer4", "head."))]


def learner(recipe, faces) -> tuple[TorchEngine, EpochLoader]:
    made = TorchEngine(recipe)
    made.build(faces, 0, resume=False)
    made.begin_stage(0)
    return made, EpochLoader(ShardedBatches(faces, recipe, training=True), 0)


def stepped(recipe, faces, steps: int = 3) -> dict[str, torch.Tensor]:
    """The weights after a few steps."""
    made, loader = learner(recipe, faces)
    for number, share in zip(range(steps), loader.epoch(0), strict=False):
        made.step(share, 0, number, 1.0)
    return {name: value.clone() for name, value in made.network.state_dict().items()}


PLAIN = ("model={backbone: test_efficientnet_gn, weights: none}", "optimizer={name: sgd, lr: 0.1}")


def assert_close(one: dict, other: dict, tolerance: float = 1e-5) -> None:
    for name, value in one.items():
        torch.testing.assert_close(
            value, other[name], atol=tolerance, rtol=tolerance, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.parametrize("mixing", ["{}", "{mixup: 1.0}", "{cutmix: 1.0}"])
def test_a_batch_in_parts_teaches_what_it_teaches_whole(people, small, mixing):
    faces, _ = read_split(people, small())
    settings = (*PLAIN, f"mixing={mixing}", "label_smoothing=0.1")
    parts = small(*settings, "training.accumulate=3")
    assert_close(stepped(small(*settings), faces), stepped(parts, faces))


def test_channels_last_teaches_the_same(people, small):
    faces, _ = read_split(people, small())
    assert_close(stepped(small(*PLAIN), faces), stepped(small(*PLAIN, "training.channels_last=true"), faces), 1e-4)


def test_clipping_bounds_a_step(people, small):
    faces, _ = read_split(people, small())
    settings = (*PLAIN, "training.clip=0.01", "optimizer.momentum=0")
    torch.manual_seed(0)
    before = build_face_net(small(*settings).torch_model, 4).state_dict()
    after = stepped(small(*settings), faces, steps=1)
    moved = torch.cat([(after[name] - before[name]).flatten() for name in before])
    assert float(moved.norm()) == pytest.approx(0.1 * 0.01, rel=1e-3)


def test_parts_learn_at_their_own_rates(people, small):
    faces, _ = read_split(people, small())
    stage = "[{epochs: 1, lr: {backbone: 0.1, layer1: 0.3, head: 0.5}, decay: 0.5}]"
    made, _ = learner(small(f"stages={stage}", "epochs=1"), faces)
    rates = {group["part"]: group["base"] for group in made.optimizer.param_groups}
    assert rates == pytest.approx({"head": 0.5, "layer4": 0.05, "layer3": 0.025, "layer2": 0.0125,
                                   "layer1": 0.3 / 16, "stem": 0.1 / 32})  # fmt: skip


def test_weight_decay_may_leave_norms_and_biases_alone(people, small):
    faces, _ = read_split(people, small())
    made, _ = learner(small("optimizer.decay_norms=false"), faces)
    for group in made.optimizer.param_groups:
        assert (group["weight_decay"] > 0) == (group["params"][0].ndim > 1)
    assert sum(len(group["params"]) for group in made.optimizer.param_groups) == len([*made.network.parameters()])


def test_the_average_validates_and_is_kept(run):
    made = run("training.ema=0.5", "epochs=2")
    state = weights(made.checkpoint_file)
    average = {name.removeprefix("average."): v for name, v in state.items() if name.startswith("average.")}
    kept = weights(made.last_weights)
    assert all(torch.equal(kept[name], average[name]) for name in kept)
    assert not all(torch.equal(kept[name], state[f"network.{name}"]) for name in kept)


def test_accuracy_under_mixing_is_not_quoted(run):
    rows = history(run("mixing.mixup=0.4", "label_smoothing=0.1"))
    assert all(row["train_top1"] == "" and float(row["train_loss"]) > 0 for row in rows)


def test_every_picture_may_train_and_none_validate(run):
    made = run("split.train=all")
    assert [row["top1"] for row in history(made)] == ["", ""]
    kept, last = weights(made.best_weights), weights(made.last_weights)
    assert all(torch.equal(kept[name], last[name]) for name in kept)


@pytest.mark.parametrize("head", ["{name: dense, hidden: [16, 8]}", "{name: cosine}", "{name: arcface}",
                                  "{name: cosface, start: prototypes}", "{name: subcenter}"])  # fmt: skip
def test_every_head_learns(run, head):
    rows = history(run(f"model.head={head}", "model.embedding=24", "epochs=1"))
    assert np.isfinite(float(rows[0]["train_loss"]))


def test_bfloat16_learns(run):
    assert np.isfinite(float(history(run("training.precision=bf16", "epochs=1"))[0]["loss"]))


def test_half_precision_without_a_gpu_is_refused(run):
    if torch.cuda.is_available():
        pytest.skip("a GPU has half precision")
    with pytest.raises(FacesError, match=r"training\.precision=fp16: needs a GPU"):
        run("training.precision=fp16")


def test_prototypes_are_class_means_and_take_no_epochs(run, people, small):
    made = run("model.head={name: prototypes, scale: 10.0}", "epochs=0")
    faces, validation = read_split(people, small())
    trained = TrainedModel.open(made.folder)
    vectors, labels = trained.embed(faces.images), faces.labels
    means = np.stack([vectors[labels == label].mean(0) for label in range(4)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    np.testing.assert_allclose(
        trained.logits(validation.images), 10 * trained.embed(validation.images, flip=False) @ means.T, atol=1e-4
    )
    assert json.loads(made.metrics_file.read_text())["best_epoch"] == 0


def test_the_nearest_embedding_counts_too_where_a_recipe_says_so(run, people, small):
    made = run("model.head={name: prototypes, scale: 10.0, nearest: 0.3}", "epochs=0")
    faces, validation = read_split(people, small())
    trained = TrainedModel.open(made.folder)
    vectors, labels = trained.embed(faces.images), faces.labels
    asked = trained.embed(validation.images, flip=False)
    nearest = np.stack([(asked @ vectors[labels == label].T).max(1) for label in range(4)], 1)
    means = np.stack([vectors[labels == label].mean(0) for label in range(4)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    np.testing.assert_allclose(trained.logits(validation.images), 7 * asked @ means.T + 3 * nearest, atol=1e-4)


def test_a_trimmed_mean_leaves_the_farthest_out():
    near = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [1.0, -0.1], [1.0, 0.0]]))
    vectors = torch.cat([near, torch.tensor([[-1.0, 0.2]]), near.flip(1)])
    labels = torch.tensor([0, 0, 0, 0, 1, 1, 1])
    assert torch.allclose(fit_prototypes(vectors, labels, 2, trim=0.25).means[0], torch.tensor([1.0, 0.0]), atol=1e-6)


class Spoiling:
    """Images of which some cannot be read from a certain reading on."""

    def __init__(self, images: np.ndarray, bad: int, after: int):
        self.images, self.bad, self.left = images, bad, after

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, chosen):
        if self.bad in np.atleast_1d(chosen):
            self.left -= 1
            if self.left < 0:
                raise ImageError(f"people/dan/{self.bad}.png: cannot be decoded")
        return self.images[chosen]


def spoiling(data, recipe):
    """Reads images, one of which goes bad in the middle of epoch three."""
    faces, validation = read_split(data, recipe)
    images = Spoiling(faces.images, bad=9, after=2)
    return Faces(images, faces.labels, faces.names, faces.paths), validation  # type: ignore[arg-type]


SPOILT = TrainOptions(workers=0, read=spoiling)


def test_a_picture_gone_bad_in_epoch_three_stops_the_run_by_name(run, tmp_path):
    with pytest.raises(FacesError, match=r"^people/dan/9\.png: cannot be decoded; or skip such images"):
        run("epochs=4", options=SPOILT)
    assert len((tmp_path / "run" / "history.csv").read_text().splitlines()) == 1 + 2


def test_a_picture_gone_bad_in_epoch_three_is_named_counted_and_left_out(run, capsys):
    made = run("epochs=4", "data.on_bad_image=skip", options=SPOILT)
    assert [row["skipped"] for row in history(made)] == ["0", "0", "1", "1"]
    out = capsys.readouterr().out
    assert out.count("note: skipped: people/dan/9.png: cannot be decoded") == 1
    assert "1 image could not be read, skipped" in out


def test_a_validation_image_gone_bad_is_counted_and_left_out_of_the_metrics(run, people, small):
    def read(data, recipe):
        faces, validation = read_split(data, recipe)
        images = Spoiling(validation.images, bad=2, after=1)
        return faces, Faces(images, validation.labels, validation.names, validation.paths)  # type: ignore[arg-type]

    made = run("epochs=3", "data.on_bad_image=skip", options=TrainOptions(workers=0, read=read))
    found, (_, validation) = history(made), read_split(people, small())
    assert [row["skipped"] for row in found] == ["0", "1", "1"]
    for row, images in zip(found, (len(validation), len(validation) - 1, len(validation) - 1), strict=True):
        assert float(row["top1"]) * images == pytest.approx(round(float(row["top1"]) * images), abs=1e-9)
    assert made.metrics().skipped == 1


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_checkpoint(run, tmp_path, monkeypatch):
    settings = ("stages=[{epochs: 1}, {epochs: 1, lr: 1e30}]", "epochs=2", "optimizer={name: sgd}")
    with pytest.raises(FacesError, match=r"loss is nan in epoch 2.*saved as of epoch 1.*--lr .*training\.clip=1"):
        run(*settings)
    state = weights(tmp_path / "run" / "checkpoint.safetensors")
    assert all(value.isfinite().all() for value in state.values())


def test_memory_that_runs_out_says_what_to_try(run, monkeypatch):
    def step(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    monkeypatch.setattr(TorchEngine, "step", step)
    with pytest.raises(FacesError, match=r"with 4 images of 32 x 32 .*training\.accumulate=2.*--batch-size 2"):
        run()


def test_other_errors_are_not_taken_for_memory(run, monkeypatch):
    def step(*_):
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(TorchEngine, "step", step)
    with pytest.raises(RuntimeError, match="shapes differ"):
        run()


def test_weights_of_another_network_are_refused_before_anything_is_made(run, tmp_path):
    from safetensors.torch import save_file

    save_file({"conv9.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(FacesError, match=r"other\.safetensors"):
        run(f"model.weights={tmp_path / 'other.safetensors'}")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["stages=[{epochs: 1, train: [layer9]}]", "epochs=1"], "layer9"),
        (
            ["stages=[{epochs: 1, lr: {layer9: 0.1}}]", "epochs=1"],
            "a stage with lr of 'layer9': expected backbone, head",
        ),
        (["stages=[{epochs: 1, train: {last_layers: 9999}}]", "epochs=1"], "9999"),
    ],
)
def test_parts_that_the_network_lacks_are_refused_with_those_it_has(run, tmp_path, settings, expected):
    with pytest.raises(FacesError, match=expected):
        run(*settings)
    assert not (tmp_path / "run").exists()


def test_embeddings_of_a_picture_and_its_mirror_image_are_one(people, small):
    faces, _ = read_split(people, small())
    network = build_face_net(small().torch_model, 4)
    vectors, labels = embed_images(network, faces, small(), workers=0)
    assert vectors.shape == (20, 96)
    assert labels.tolist() == faces.labels.tolist()
