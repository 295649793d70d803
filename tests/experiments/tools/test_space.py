import pytest

from experiments.errors import FacesError
from experiments.tools.tune import Dimension, fit_space, read_space, trial_recipe


class Highest:
    """Suggests the last value there is."""

    def suggest_int(self, name, low, high, *, log=False):
        return high

    def suggest_float(self, name, low, high, *, log=False):
        return high

    def suggest_categorical(self, name, choices):
        return choices[-1]


@pytest.mark.parametrize(
    ("text", "dimension"),
    [
        ("optimizer.lr=1e-4..1e-2:log", Dimension("optimizer.lr", 1e-4, 1e-2, log=True)),
        ("batch_size=16..64", Dimension("batch_size", 16, 64)),
        ("augment.rotate=0..12.5", Dimension("augment.rotate", 0, 12.5)),
        ("schedule.name=cosine, step", Dimension("schedule.name", choices=("cosine", "step"))),
        ("model.widths=[4],[4, 8]", Dimension("model.widths", choices=("[4]", "[4, 8]"))),
        ("augment.flip=0.5,0", Dimension("augment.flip", choices=("0.5", "0"))),
    ],
)
def test_a_dimension_is_read(text, dimension):
    assert read_space([text]) == [dimension]


def test_what_a_trial_suggests_reaches_the_recipe(recipe_file):
    texts = [
        "optimizer.lr=1e-7..2e-5:log",
        "batch_size=2..8",
        "model.widths=[4],[4, 8, 8]",
        "schedule.name=cosine,step",
    ]
    recipe = trial_recipe(recipe_file, ["seed=3"], read_space(texts), Highest())
    assert (recipe.optimizer.lr, recipe.batch_size, recipe.schedule.name, recipe.seed) == (2e-5, 8, "step", 3)
    assert recipe.mytorch_model.widths == [4, 8, 8]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("optimizer.lr", "expected KEY=low..high"),
        ("=1..2", "expected KEY=low..high"),
        ("optimizer.lr=1e-3", "expected KEY=low..high"),
        ("optimizer.lr=a..b", "expected KEY=low..high"),
        ("optimizer.lr=1e-4..1e-2:lin", "expected KEY=low..high"),
        ("model.widths=[4],[4", "expected KEY=low..high"),
        ("optimizer.lr=2..1", "2 is not below 1"),
        ("augment.rotate=0..10:log", "begins above 0"),
    ],
)
def test_another_form_is_refused(text, expected):
    with pytest.raises(FacesError, match=rf"^--space .*{expected}"):
        read_space([text])


@pytest.mark.parametrize(
    ("texts", "expected"), [([], "nothing to search"), (["a=1..2", "a=3..4"], "given more than once")]
)
def test_nothing_and_twice_are_refused(texts, expected):
    with pytest.raises(FacesError, match=expected):
        read_space(texts)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("optimizer.lrr=1..2", r"--space optimizer.lrr=1: recipe .*did you mean 'optimizer.lr'"),
        ("augment.flip=0.5..1.5", r"--space augment.flip=1.5: recipe .*augment.flip=1.5"),
        ("schedule.name=cosine,cosin", r"--space schedule.name=cosin: "),
    ],
)
def test_values_that_the_recipe_does_not_take_are_refused_before_any_trial(recipe_file, text, expected):
    with pytest.raises(FacesError, match=f"(?s){expected}"):
        fit_space(read_space([text]), recipe_file, [])


def test_a_range_is_of_whole_numbers_only_where_the_recipe_takes_no_others(recipe_file):
    space = fit_space(read_space(["augment.flip=0..1", "batch_size=4..16", "augment.rotate=0..20"]), recipe_file, [])
    assert [type(dimension.high) for dimension in space] == [float, int, float]
