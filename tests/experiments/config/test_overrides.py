"""--epochs, --lr, --batch-size and --seed do what is meant, for every recipe of the project."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.config.load import load_recipe, override_recipe, recipe_names, scale_epochs
from experiments.config.recipe import Recipe
from experiments.errors import FacesError
from experiments.training.schedule import lr_factor, next_epoch

STAGED = {"backbone": "resnet18", "weights": "none"}


def staged(*lengths, **groups) -> Recipe:
    stages = [{"epochs": length} for length in lengths]
    return Recipe.model_validate({"model": STAGED, "stages": stages, **groups})


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_takes_the_options(name):
    recipe = load_recipe(name)
    if not recipe.epochs:
        assert override_recipe(recipe, batch_size=7, seed=3).batch_size == 7
        return
    changed = override_recipe(recipe, epochs=6, lr=0.0125, batch_size=7, seed=3)
    assert (changed.epochs, changed.optimizer.lr, changed.batch_size, changed.seed) == (6, 0.0125, 7, 3)
    assert sum(stage.epochs for stage in changed.planned_stages) == 6
    assert override_recipe(recipe) == recipe
    assert override_recipe(recipe, epochs=recipe.epochs, lr=recipe.optimizer.lr) == recipe


@given(st.lists(st.integers(1, 60), min_size=1, max_size=6), st.integers(0, 200))
def test_epochs_are_divided_in_proportion(lengths, more):
    total = len(lengths) + more
    scaled = scale_epochs(lengths, total)
    assert sum(scaled) == total
    assert min(scaled) >= 1
    exact = [total * length / sum(lengths) for length in lengths]
    if min(exact) >= 1:  # then no stage is raised to one epoch, and each is its share, rounded up or down
        assert all(abs(one - share) < 1 for one, share in zip(scaled, exact, strict=True))
    assert all(a <= b for (x, a), (y, b) in zip_pairs(lengths, scaled) if x < y)


def zip_pairs(lengths, scaled):
    return [(one, other) for one in zip(lengths, scaled, strict=True) for other in zip(lengths, scaled, strict=True)]


@pytest.mark.parametrize(
    ("lengths", "total", "expected"), [([3, 14], 34, [6, 28]), ([3, 7], 5, [2, 3]), ([1, 60], 2, [1, 1])]
)
def test_examples(lengths, total, expected):
    assert scale_epochs(lengths, total) == expected


def test_stages_keep_their_share_and_what_trains_in_them():
    recipe = override_recipe(load_recipe("resnet50_a"), epochs=34)
    assert [(stage.epochs, stage.train) for stage in recipe.stages] == [(6, "head"), (28, "all")]


def test_fewer_epochs_than_stages_are_refused():
    with pytest.raises(FacesError, match="--epochs 1: expected at least 2, one for each stage"):
        override_recipe(staged(3, 14), epochs=1)
    with pytest.raises(FacesError, match="--epochs 0: expected at least 1"):
        override_recipe(Recipe(), epochs=0)


def test_rates_of_stages_and_parts_keep_their_ratio():
    recipe = load_recipe("resnet18")
    before, after = recipe.stages[0].lr, override_recipe(recipe, lr=recipe.optimizer.lr / 4).stages[0].lr
    assert after == {name: rate / 4 for name, rate in before.items()}
    recipe = override_recipe(load_recipe("inception_resnet_v1_a"), lr=0.01)
    assert [stage.lr for stage in recipe.stages] == [None, pytest.approx(0.005)]


def test_a_step_schedule_keeps_its_shape():
    schedule = {"name": "step", "step_size": 10, "gamma": 0.1}
    recipe = staged(30, schedule=schedule)

    def rates(recipe):
        history, found = [], []
        while (position := next_epoch(recipe, history)) is not None:
            found.append(lr_factor(recipe, position, 0, 1))
            history.append({"stage": 1, "loss": 1.0})
        return found

    assert rates(override_recipe(recipe, epochs=60)) == [rate for rate in rates(recipe) for _ in range(2)]
    assert override_recipe(recipe, epochs=2).schedule.step_size == 1


@pytest.mark.parametrize("options", [{"epochs": 3}, {"lr": 0.1}])
def test_class_means_are_not_learned(options):
    with pytest.raises(FacesError, match="computes class means and learns nothing"):
        override_recipe(load_recipe("mobilefacenet_prototypes"), **options)


@pytest.mark.parametrize(
    ("options", "key"), [({"lr": 0.0}, "optimizer.lr"), ({"batch_size": 1}, "batch_size"), ({"seed": 2**63}, "seed")]
)
def test_impossible_values_are_named(options, key):
    with pytest.raises(FacesError, match=f"{key}="):
        override_recipe(Recipe(), **options)
