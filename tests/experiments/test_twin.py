"""mytorch and PyTorch from the same weights over the same batches."""

import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image

from experiments import twin as module
from experiments.config.load import load_recipe
from experiments.errors import FacesError
from experiments.training.build_mytorch import predict_logits
from experiments.training.mytorch_engine import MytorchEngine
from experiments.training.torch_engine import build_torch_optimizer
from experiments.twin import TorchTwin, run_twin

OPTIMIZERS = {
    "sgd": "{name: sgd, lr: 0.05, momentum: 0.9, nesterov: true, weight_decay: 0.01}",
    "adam": "{name: adam, lr: 0.005, weight_decay: 0.01}",
    "adamw": "{name: adamw, lr: 0.005, weight_decay: 0.05}",
}


@pytest.fixture
def quick(monkeypatch):
    """A plot that takes no time to draw."""
    monkeypatch.setattr(module, "plot_twin_curves", lambda ours, theirs, difference, path, dtype: path.touch())


def engine(recipe, dtype=np.float32) -> MytorchEngine:
    """The engine of a recipe, with a network for four people."""
    made = MytorchEngine(recipe, dtype=dtype)
    made.build_network(4)
    return made


@pytest.mark.parametrize("network", ["face_cnn", "small_resnet"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_hundred_steps_in_float64_agree(people, tiny, tmp_path, quick, optimizer, network):
    recipe = tiny("epochs=20", f"optimizer={OPTIMIZERS[optimizer]}", f"model.name={network}", "label_smoothing=0.1")
    result = run_twin(recipe, people, tmp_path / "twin", steps=100, dtype="float64")
    assert result["steps"] == 100
    assert result["largest_difference"] <= 1e-9
    assert result["mytorch_top1"] == result["torch_top1"]


@pytest.mark.parametrize("network", ["face_cnn", "small_resnet"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_first_five_steps_in_float32_agree(people, tiny, tmp_path, quick, optimizer, network):
    recipe = tiny("epochs=20", f"optimizer={OPTIMIZERS[optimizer]}", f"model.name={network}")
    assert run_twin(recipe, people, tmp_path / "twin", steps=5)["largest_difference_first_5"] <= 1e-3


@pytest.mark.real
@pytest.mark.slow
def test_a_hundred_steps_on_real_faces_agree(shared_data, tmp_path):
    """The project's own claim: scratch_cnn on ORL, 5 images a person to train, dropout off."""
    recipe = load_recipe("scratch_cnn", ["split.train=5"])
    result = run_twin(recipe, shared_data / "orl", tmp_path / "twin", steps=100, dtype="float64")
    assert result["steps"] == 100
    assert result["largest_difference"] <= 1e-9


def test_a_disagreement_would_be_seen(people, tiny, tmp_path, quick, monkeypatch):
    """The test of the tests: another learning rate for one of the two parts them."""
    step = TorchTwin.step
    monkeypatch.setattr(TorchTwin, "step", lambda self, x, y, lr: step(self, x, y, lr * (1 + 1e-6)))
    result = run_twin(tiny("epochs=20"), people, tmp_path / "twin", steps=20, dtype="float64")
    assert result["largest_difference"] > 1e-9


def test_both_see_the_same_batches_and_the_schedules_learning_rate(people, tiny, tmp_path, quick, monkeypatch):
    seen = {MytorchEngine: [], TorchTwin: []}
    for kind, step in ((MytorchEngine, MytorchEngine.learn), (TorchTwin, TorchTwin.step)):

        def watch(self, pixels, labels, *lr, kind=kind, step=step):
            seen[kind].append((pixels.copy(), labels.copy(), lr[0] if lr else self.lr))
            return step(self, pixels, labels, *lr)

        monkeypatch.setattr(kind, step.__name__, watch)
    run_twin(tiny("epochs=2"), people, tmp_path / "twin", None)
    assert len(seen[MytorchEngine]) == 10
    for (pixels, labels, lr), (their_pixels, their_labels, their_lr) in zip(*seen.values(), strict=True):
        assert np.array_equal(pixels, their_pixels)
        assert np.array_equal(labels, their_labels)
        assert lr == their_lr
    assert len({lr for *_, lr in seen[MytorchEngine]}) > 5


@pytest.mark.parametrize("schedule", ["step", "plateau"])
def test_a_schedule_by_the_epoch_steps_for_both(people, tiny, tmp_path, quick, monkeypatch, schedule):
    rates, step = [], TorchTwin.step
    monkeypatch.setattr(TorchTwin, "step", lambda self, x, y, lr: (rates.append(lr), step(self, x, y, lr))[1])
    settings = f"schedule={{name: {schedule}, step_size: 1, gamma: 0.5, patience: 0}}"
    recipe = tiny("epochs=8", settings, "optimizer.lr=1e-6" if schedule == "plateau" else "optimizer.lr=0.01")
    result = run_twin(recipe, people, tmp_path / "twin", None, "float64")
    if schedule == "step":
        assert rates == [0.01 * 0.5**epoch for epoch in range(8) for _ in range(5)]
    assert len(set(rates)) > 1  # at so low a rate the loss goes up and down
    assert result["largest_difference"] <= 1e-9


def test_losses_that_are_no_numbers_end_it_with_advice(people, tiny, tmp_path, contents):
    recipe = tiny("epochs=20", "optimizer={name: sgd, lr: 1e30}")
    with pytest.raises(FacesError, match=r"at step \d+ the losses are .*diverged; try a learning rate below"):
        run_twin(recipe, people, tmp_path / "twin", 100)
    assert contents(tmp_path) == set()


def test_the_files_say_what_happened(people, tiny, tmp_path):
    result = run_twin(tiny("model.dropout=0.5"), people, tmp_path / "twin", steps=7, dtype="float64")
    folder = tmp_path / "twin"
    assert {path.name for path in folder.iterdir()} == {"twin.csv", "twin.json", "twin.png", "recipe.yaml"}
    with (folder / "twin.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == [str(n) for n in range(1, 8)]
    for row in rows:
        ours, theirs = float(row["mytorch"]), float(row["torch"])
        assert float(row["relative_difference"]) == abs(ours - theirs) / theirs
    assert json.loads((folder / "twin.json").read_text()) == result
    assert result["largest_difference"] == max(float(row["relative_difference"]) for row in rows)
    assert load_recipe(folder / "recipe.yaml").model.dropout == 0
    with Image.open(folder / "twin.png") as image:
        assert min(image.size) > 300


def test_steps_beyond_the_recipes_epochs_are_not_made(people, tiny, tmp_path, quick):
    assert run_twin(tiny(), people, tmp_path / "twin", steps=1000)["steps"] == 10


@pytest.mark.parametrize(
    ("dtype", "out", "expected"),
    [("float16", "new", "--dtype float16: expected float32 or float64"), ("float64", "people", "exists already")],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(own_people, tiny, tmp_path, contents, dtype, out, expected):
    before = contents(tmp_path)
    with pytest.raises(FacesError, match=expected):
        run_twin(tiny(), own_people, tmp_path / out, 3, dtype)
    assert contents(tmp_path) == before


def test_an_interrupt_while_the_results_are_written_leaves_nothing(people, tiny, tmp_path, contents, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "plot_twin_curves", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_twin(tiny(), people, tmp_path / "twin", 2)
    assert contents(tmp_path) == set()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_pytorchs_optimiser_has_the_settings_of_the_recipe(tiny, optimizer):
    settings = tiny(f"optimizer={OPTIMIZERS[optimizer]}").optimizer
    theirs = build_torch_optimizer(
        [{"params": list(torch.nn.Linear(2, 2).parameters()), "weight_decay": settings.weight_decay}], settings
    )
    ours = engine(tiny(f"optimizer={OPTIMIZERS[optimizer]}")).optimizer
    assert type(theirs).__name__ == type(ours).__name__
    for key in ours.param_groups[0].keys() & theirs.param_groups[0].keys() - {"params", "lr"}:
        assert theirs.param_groups[0][key] == ours.param_groups[0][key], key


def test_predictions_of_both_agree_and_leave_the_twin_in_training(tiny):
    learner = engine(tiny(), np.float64)
    theirs = TorchTwin(learner, tiny().optimizer)
    pixels = np.random.default_rng(0).standard_normal((130, 3, 16, 16))
    np.testing.assert_allclose(theirs.predict(pixels), predict_logits(learner.network, pixels), rtol=0, atol=1e-12)
    assert theirs.network.training
    assert learner.network.training
