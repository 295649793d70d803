import pytest
import torch

from experiments.config.recipe import Recipe
from experiments.training.schedule import EpochPosition, TrainingProgress, lr_factor, next_epoch

STEPS = 7
"""Batches an epoch."""


def recipe(stages=(3, 5), training=None, **schedule) -> Recipe:
    model = {"backbone": "test_resnet", "weights": "none"}
    plan = [{"epochs": epochs} for epochs in stages]
    return Recipe.model_validate({"model": model, "stages": plan, "schedule": schedule, "training": training or {}})


def course(of: Recipe, losses=None) -> list[float]:
    """The factor of every step of a run."""
    history, factors = [], []
    while (place := next_epoch(of, history)) is not None:
        factors += [lr_factor(of, place, step, STEPS) for step in range(STEPS)]
        loss = 1.0 if losses is None else losses[len(history)]
        history.append({"stage": place.stage + 1, "loss": loss, "train_loss": 9.0})
    return factors


def torchs(build, steps: int, losses=None) -> list[float]:
    """The rate of each step by a schedule of PyTorch's, of an optimizer at rate 1."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule, rates = build(optimizer), []
    for step in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step(*([] if losses is None else [losses[step]]))
    return rates


@pytest.mark.parametrize("warmup", [0.1, 0.3, 0.5])
def test_one_cycle_is_pytorchs(warmup):
    steps = 8 * STEPS
    expected = torchs(
        lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=1.0, total_steps=steps, pct_start=warmup, cycle_momentum=False
        ),
        steps,
    )
    assert course(recipe(name="one_cycle", warmup=warmup, span="run")) == pytest.approx(expected, abs=1e-12)


def test_a_course_over_stages_begins_anew_in_each_and_one_over_the_run_does_not():
    alone = course(recipe((5,), name="one_cycle"))
    assert course(recipe((3, 5), name="one_cycle"))[3 * STEPS :] == alone
    assert course(recipe((3, 5), name="cosine", span="run")) == course(recipe((8,), name="cosine"))


def test_cosine_without_warmup_is_pytorchs():
    steps = 8 * STEPS
    expected = torchs(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, steps, eta_min=0.1), steps)
    assert course(recipe((8,), name="cosine", warmup=0, min_factor=0.1)) == pytest.approx(expected, abs=1e-12)


def test_cosine_warms_up_in_a_line_to_the_highest_rate():
    factors = course(recipe((10,), name="cosine", warmup=0.2))
    assert factors[:14] == pytest.approx([(n + 1) / 15 for n in range(14)])
    assert factors[14] == max(factors) == 1.0


def test_step_is_pytorchs():
    expected = torchs(lambda o: torch.optim.lr_scheduler.StepLR(o, 3, 0.5), 8)
    assert course(recipe((8,), name="step", step_size=3, gamma=0.5))[::STEPS] == pytest.approx(expected)


@pytest.mark.parametrize("patience", [0, 1, 2])
@pytest.mark.parametrize("seed", range(5))
def test_plateau_is_pytorchs(patience, seed):
    losses = torch.rand(20, generator=torch.Generator().manual_seed(seed)).mul(0.2).add(1).tolist()
    expected = torchs(
        lambda o: torch.optim.lr_scheduler.ReduceLROnPlateau(o, factor=0.5, patience=patience, min_lr=0.01), 20, losses
    )
    of = recipe((20,), name="plateau", gamma=0.5, patience=patience, min_factor=0.01)
    assert course(of, losses)[::STEPS] == pytest.approx(expected)


def test_a_plateau_is_forgotten_at_the_next_stage():
    factors = course(recipe((4, 2), name="plateau", gamma=0.5, patience=0))[::STEPS]
    assert factors == [1.0, 1.0, 0.5, 0.25, 1.0, 1.0]


def test_the_schedule_never_leaves_its_highest_rate_when_constant():
    assert set(course(recipe(name="constant"))) == {1.0}


def test_stages_follow_one_another_and_end():
    of, history = recipe((2, 1)), []
    places = []
    while (place := next_epoch(of, history)) is not None:
        places.append((place.stage, place.epoch))
        history.append({"stage": place.stage + 1, "loss": 1.0, "train_loss": 1.0})
    assert places == [(0, 0), (0, 1), (1, 0)]


def test_early_stopping_ends_a_stage_and_the_next_begins():
    of = recipe((6, 6), training={"early_stopping": 2}, name="constant")
    losses = [3.0, 2.0, 2.5, 2.1, 9.0, 8.0, 8.1, 8.2]
    history = []
    for loss in losses:
        place = next_epoch(of, history)
        history.append({"stage": place.stage + 1, "loss": loss, "train_loss": 0.0})
    assert [row["stage"] for row in history] == [1, 1, 1, 1, 2, 2, 2, 2]
    assert next_epoch(of, history) is None


def test_where_nothing_validates_the_training_loss_decides():
    history = [{"stage": 1, "loss": None, "train_loss": loss} for loss in (2.0, 2.0)]
    assert next_epoch(recipe(), history) == EpochPosition(0, 2, (2.0, 2.0))


@pytest.mark.parametrize(
    ("losses", "patience", "ended"),
    [
        ([2.0, 2.0], 1, True),
        ([2.0, 1.9], 1, False),
        ([1.0, 2.0, 1.0], 2, True),
        ([1.0, 2.0, 0.9], 2, False),
        ([1.0], 1, False),
    ],
)
def test_a_loss_equal_to_the_best_is_no_better(losses, patience, ended):
    of = recipe((6,), training={"early_stopping": patience})
    history = [{"stage": 1, "loss": loss, "train_loss": 0.0} for loss in losses]
    assert (next_epoch(of, history) is None) == ended


def test_sums_of_an_earlier_version_lack_the_gradient():
    assert TrainingProgress(totals=[1.5, 2.0, 3.0]).totals == [1.5, 2.0, 3.0, 0.0, 0.0]
    assert TrainingProgress().totals == [0.0] * 5
