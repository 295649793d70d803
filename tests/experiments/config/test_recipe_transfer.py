"""Recipes of transfer networks: the defaults, and what is refused."""

import pytest

from experiments.config.load import load_recipe
from experiments.errors import FacesError

BASE = "model={backbone: test_resnet, weights: none}"


def loaded(*settings):
    return load_recipe("scratch_cnn", [BASE, "data={}", *settings])


def refused(*settings) -> str:
    with pytest.raises(FacesError) as error:
        loaded(*settings)
    return str(error.value)


def test_the_networks_own_size_and_statistics_stand_unless_the_recipe_sets_them():
    own = loaded("epochs=1").data
    assert (own.size, own.mean, own.std) == ((160, 160), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    face = load_recipe("mobilefacenet").data
    assert face.size == (112, 112)
    assert face.std == pytest.approx((128 / 255,) * 3)
    changed = loaded("data.size=[64, 48]", "data.mean=0.4").data
    assert (changed.size, changed.mean, changed.std) == ((64, 48), 0.4, (0.5, 0.5, 0.5))


@pytest.mark.parametrize(
    "name", ["inception_resnet_v1_a", "mobilefacenet_prototypes", "mobilenet_v2_c2", "resnet18_scratch"]
)
def test_a_dumped_recipe_loads_to_the_same_one(name, tmp_path):
    recipe = load_recipe(name)
    (tmp_path / "again.yaml").write_text(recipe.dump())
    assert load_recipe(tmp_path / "again.yaml") == recipe


def test_epochs_are_the_stages_sum_and_one_stage_without():
    recipe = load_recipe("resnet50_a")
    assert (recipe.epochs, [stage.epochs for stage in recipe.planned_stages]) == (17, [3, 14])
    recipe = load_recipe("resnet50_a2")
    assert (recipe.epochs, [(stage.epochs, stage.train) for stage in recipe.planned_stages]) == (17, [(17, "all")])


def test_a_stage_is_set_by_its_number():
    assert load_recipe("resnet50_a", ["stages.1.epochs=2", "stages.1.lr=1e-4"]).planned_stages[1].lr == 1e-4
    with pytest.raises(FacesError, match=r"'7' is none of the list's 2 items"):
        load_recipe("resnet50_a", ["stages.7.epochs=2"])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["model.backbone=resnet81"], "no backbone is called 'resnet81'"),
        (["model.head={name: arcfase}"], "model.head.name='arcfase': expected linear, dense, cosine, arcface"),
        (["model.head={name: arcface, margn: 0.3}"], "model.head.margn: unknown; did you mean 'model.head.margin'?"),
        (["model.head={name: linear, margin: 0.3}"], "model.head.margin: unknown"),
        (["model.widths=[3]"], "model.widths: unknown"),
        (["stages=[{epochs: 0}]"], "stages[0].epochs=0: expected a number greater than or equal to 1"),
        (["stages=[{epochs: 1, train: some}]"], "stages[0].train='some': expected all, head, a list"),
        (["stages=[{epochs: 1, lr: -1}]"], "stages[0].lr=-1: expected a number greater than 0"),
        (["stages=[{epochs: 3}]", "epochs=4"], "epochs=4: the stages have 3 together"),
        (["model.head={name: arcface}", "mixing.mixup=1"], "margin"),
        (["model.head={name: prototypes}", "epochs=3"], "epochs=3: expected 0, as class means"),
        (["data.mean=[0.1, 0.2]"], "data.mean=[0.1, 0.2]: expected a number from 0 to 1, or a list of three"),
        (["data.std=0"], "data.std=0: expected a number from 0.001 to 1"),
        (["training.precision=half"], "'full', 'bf16' or 'fp16'"),
        (["training.ema=1.0"], "training.ema=1.0: expected a number less than 1"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_by_its_key(settings, expected):
    message = refused(*settings)
    assert expected in message
    assert "<" not in message
    assert len(message.splitlines()) == 2


@pytest.mark.parametrize(
    "setting",
    ["training.precision=bf16", "training.compile=true", "training.channels_last=true"],
)
def test_what_mytorch_does_not_do_is_refused(setting):
    for recipe in ("scratch_resnet", "resnet18"):
        with pytest.raises(FacesError, match=r"only PyTorch has it.* train with engine: torch") as error:
            load_recipe(recipe, [setting, "engine=mytorch"])
        assert setting.partition("=")[0] in str(error.value)
        load_recipe(recipe, [setting, "engine=torch"])


def test_stages_are_for_networks_that_have_parts():
    with pytest.raises(FacesError, match=r"stages: only for transfer networks \(model\.backbone\)"):
        load_recipe("scratch_resnet", ["stages=[{epochs: 1}]"])


def test_class_means_of_random_weights_are_refused():
    for head in ("{name: prototypes}", "{name: arcface, start: prototypes}"):
        with pytest.raises(FacesError, match="class means need a trained network"):
            load_recipe("scratch_cnn", [f"model.head={head}"])


def test_each_library_is_told_of_the_others_recipes():
    with pytest.raises(FacesError, match="expected a recipe for mytorch, such as scratch_cnn"):
        assert loaded("epochs=1").mytorch_model
    with pytest.raises(FacesError, match=r"expected a recipe with a model\.backbone"):
        assert load_recipe("scratch_cnn").torch_model
