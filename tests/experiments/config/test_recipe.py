import subprocess
import sys
from contextlib import suppress

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from experiments.config.explain import explain_problem, setting_names
from experiments.config.load import load_recipe, recipe_names
from experiments.config.recipe import Recipe
from experiments.config.strict_yaml import dump_yaml
from experiments.errors import FacesError


def refused(source, *settings) -> str:
    with pytest.raises(FacesError) as error:
        load_recipe(source, settings)
    return str(error.value)


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_of_the_project_loads_and_says_what_it_is_about(name):
    assert load_recipe(name).about


def test_all_recipes_split_alike_so_that_their_runs_can_be_compared():
    assert {(load_recipe(name).split.train, load_recipe(name).split.seed) for name in recipe_names()} == {(0.8, 0)}


def test_the_project_has_recipes():
    assert {"scratch_cnn", "scratch_resnet"} <= set(recipe_names())


@pytest.mark.parametrize("train", ["0.3", "5"])
def test_a_dumped_recipe_loads_to_the_same_one(tmp_path, tiny, train):
    recipe = tiny(f"split.train={train}", "identities=3", "schedule.name=plateau", "optimizer.nesterov=true")
    (tmp_path / "again.yaml").write_text(recipe.dump())
    again = load_recipe(tmp_path / "again.yaml")
    assert again == recipe
    assert type(again.split.train) is type(recipe.split.train)


def test_a_dump_names_every_setting_even_those_left_alone():
    tree = yaml.safe_load(Recipe().dump())
    assert tree == Recipe().model_dump(mode="json")
    assert tree["schedule"]["patience"] == 2


def test_an_empty_file_is_the_recipe_of_all_defaults(tmp_path):
    (tmp_path / "empty.yaml").touch()
    assert load_recipe(tmp_path / "empty.yaml") == Recipe()


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("epochs=7", lambda r: r.epochs == 7),
        ("optimizer.lr=1e-3", lambda r: r.optimizer.lr == 1e-3),
        ("optimizer.lr=0.5", lambda r: r.optimizer.lr == 0.5),
        ("optimizer.lr=1", lambda r: r.optimizer.lr == 1.0 and isinstance(r.optimizer.lr, float)),
        ("optimizer.name=sgd", lambda r: r.optimizer.name == "sgd"),
        ("optimizer.nesterov=true", lambda r: r.optimizer.nesterov is True),
        ("optimizer={name: sgd, lr: 1e-2}", lambda r: (r.optimizer.name, r.optimizer.lr) == ("sgd", 0.01)),
        ("model.widths=[4, 8, 12]", lambda r: r.model.widths == [4, 8, 12]),
        ("data.size=[32,24]", lambda r: r.data.size == (32, 24)),
        ("split.train=0.5", lambda r: r.split.train == 0.5),
        ("split.train=5", lambda r: r.split.train == 5 and isinstance(r.split.train, int)),
        ("split.train=5.0", lambda r: r.split.train == 5 and isinstance(r.split.train, int)),
        ("split.train=1", lambda r: r.split.train == 1 and isinstance(r.split.train, int)),
        ("split.train=5e-1", lambda r: r.split.train == 0.5),
        ("identities=null", lambda r: r.identities is None),
        (" augment.flip =0", lambda r: r.augment.flip == 0),
        ("about=a=b", lambda r: r.about == "a=b"),
    ],
)
def test_a_setting_on_the_command_line_has_the_type_of_its_key(tiny, setting, expected):
    assert expected(tiny(setting))


def test_of_two_settings_of_one_key_the_last_counts(tiny):
    assert tiny("epochs=3", "epochs=4").epochs == 4


def test_a_setting_in_a_group_that_the_file_leaves_out(tmp_path):
    (tmp_path / "short.yaml").write_text("epochs: 3")
    assert load_recipe(tmp_path / "short.yaml", ["schedule.name=step"]).schedule.name == "step"


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("epoch", "epochs"),
        ("lr", "optimizer.lr"),
        ("optimizer.learning_rate", None),
        ("optimizer.lrr", "optimizer.lr"),
        ("optimiser.lr", "optimizer"),
        ("LR", "optimizer.lr"),
        ("on", None),
        ("weight_decay", "optimizer.weight_decay"),
        ("optimizer.momentm", "optimizer.momentum"),
        ("split.seeed", "split.seed"),
        ("Epochs", "epochs"),
    ],
)
@pytest.mark.parametrize("place", ["file", "--set"])
def test_an_unknown_key_comes_with_the_nearest_known_one(tmp_path, key, meant, place):
    path = tmp_path / "odd.yaml"
    group, _, name = key.rpartition(".")
    path.write_text(dump_yaml(({group: {name: 3}} if group else {name: 3}) if place == "file" else {}))
    message = refused(path, *([f"{key}=3"] if place == "--set" else []))
    assert "odd.yaml" in message
    assert "unknown" in message
    assert (f"did you mean {meant!r}?" if meant else "expected one of: ") in message


@pytest.mark.parametrize("key", ["optimizer.lr", "model.head.name"])
def test_a_key_with_dots_in_a_file_is_shown_nested(tmp_path, key):
    (tmp_path / "odd.yaml").write_text(f"{key}: 3")
    message = refused(tmp_path / "odd.yaml")
    assert "did you mean" not in message
    assert f"{key}: unknown; in a file, settings are nested: {key.replace('.', ': {')}: ...}}" in message


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12), st.booleans())
def test_no_key_is_suggested_in_place_of_itself(key, dotted):
    for name in (key, f"optimizer.{key}" if dotted else key):
        with suppress(FacesError):
            Recipe.parse({name: 3}, "x")
    names = setting_names(Recipe)
    for group, known in names.items():
        for one in known:
            full = f"{group}.{one}".removeprefix(".")
            problem = {"loc": (full,), "type": "extra_forbidden", "input": 3}
            assert f"did you mean {full!r}" not in explain_problem(problem, names)


def test_a_key_like_no_other_comes_with_all_known_ones():
    assert "expected one of: about, model, engine, data, split" in refused("scratch_cnn", "zzzzzz=1")


def test_all_that_is_wrong_is_said_at_once():
    message = refused("scratch_cnn", "epochs=0", "optimizer.lr=-1", "epoch=1")
    assert message.count("\n") == 3


@pytest.mark.parametrize(
    ("setting", "shown", "expected"),
    [
        ("epochs=0", "epochs=0", "greater than or equal to 1"),
        ("epochs=ten", "epochs='ten'", "whole number"),
        ("epochs=1.5", "epochs=1.5", "whole number"),
        ("epochs=yes", "epochs=True", "not yes or no"),
        ("epochs=", "epochs=None", "whole number"),
        ("optimizer.lr=-1", "optimizer.lr=-1", "greater than 0"),
        ("optimizer.lr=.inf", "optimizer.lr=inf", "finite"),
        ("optimizer.lr=.nan", "optimizer.lr=nan", "finite"),
        ("optimizer.name=sdg", "optimizer.name='sdg'", "'sgd', 'adam' or 'adamw'"),
        ("optimizer=3", "optimizer=3", "settings such as optimizer.name=..."),
        ("model.dropout=1", "model.dropout=1", "less than 1"),
        ("model.widths=4", "model.widths=4", "list of one or more whole numbers"),
        ("model.widths=[]", "model.widths=[]", "list of one or more whole numbers"),
        ("model.widths=[4, 0]", "model.widths[1]=0", "greater than or equal to 1"),
        ("data.size=16", "data.size=16", "[height, width]"),
        ("data.size=[16, 16, 3]", "data.size=[16, 16, 3]", "[height, width]"),
        ("data.size=[16, 4]", "data.size[1]=4", "from 8 to 1024"),
        ("split.train=1.0", "split.train=1.0", "expected 1 for one image of each person, or all"),
        ("split.train=1.5", "split.train=1.5", "a fraction below 1 (0.8), a whole number"),
        ("split.train=0", "split.train=0", "a fraction below 1 (0.8), a whole number"),
        ("split.train=-2", "split.train=-2", "a fraction below 1 (0.8), a whole number"),
        ("split.train=most", "split.train='most'", "a fraction below 1 (0.8), a whole number"),
        ("split.train=true", "split.train=True", "not yes or no"),
        ("split.train=[5]", "split.train=[5]", "a fraction below 1 (0.8), a whole number"),
        ("split.train=.nan", "split.train=nan", "a fraction below 1 (0.8), a whole number"),
        ("identities=1", "identities=1", "greater than or equal to 2"),
        ("batch_size=1", "batch_size=1", "greater than or equal to 2"),
        ("seed=-1", "seed=-1", "greater than or equal to 0"),
        (f"seed={2**63}", f"seed={2**63}", "less than or equal to 9223372036854775807"),
        ("split.seed=99999999999999999999999", "split.seed=99999999999999999999999", "less than or equal to"),
        ("epochs=10000000", "epochs=10000000", "less than or equal to 1000000"),
        (r'about="\0"', r"about='\x00'", "without zero bytes"),
    ],
)
def test_an_impossible_value_is_named_with_its_key_once(setting, shown, expected):
    lines = refused("scratch_cnn", setting).splitlines()
    assert lines[0] == "recipe scratch_cnn:"
    assert len(lines) == 2
    assert lines[1].startswith(f"  {shown}: ")
    assert expected in lines[1]


def test_names_that_are_not_utf_8_are_refused():
    with pytest.raises(FacesError, match="expected text in UTF-8"):
        Recipe.parse({"data": {"extra_images": "caf\udce9"}}, "x")
    assert "not a YAML value" in refused("scratch_cnn", "data.extra_images=caf\udce9")


def test_nesterov_without_momentum_is_refused_before_anything_is_read():
    message = refused("scratch_cnn", "optimizer={name: sgd, nesterov: true, momentum: 0}")
    assert "optimizer: nesterov needs a momentum above 0" in message


@pytest.mark.parametrize("size", ["[15, 40]", "[40, 15]"])
def test_a_picture_too_small_for_the_pooling_is_refused(size):
    message = refused("scratch_cnn", "model.widths=[4, 4, 4, 4]", f"data.size={size}")
    assert f"data.size={size}" in message
    assert "at least 16 pixels" in message


def test_a_picture_just_large_enough_for_the_pooling_is_taken():
    assert load_recipe("scratch_cnn", ["model.widths=[4, 4, 4, 4]", "data.size=[16, 16]"])


@pytest.mark.parametrize("setting", ["epochs", "=3", "epochs.x=3", "epochs=[1", "epochs: 3"])
def test_a_setting_that_is_none_is_shown_as_typed(setting):
    message = refused("scratch_cnn", setting)
    assert f"--set {setting}: " in message
    assert "\n" not in message


def test_an_unknown_recipe_comes_with_the_nearest_one():
    assert "no recipe is called 'scratch_cn': did you mean 'scratch_cnn'?" in refused("scratch_cn")


def test_a_recipe_like_no_other_comes_with_all_known_ones():
    assert f"known recipes: {', '.join(recipe_names())}" in refused("zzzz")


def test_a_missing_file_is_named(tmp_path):
    assert f"{tmp_path}/none.yaml: no such recipe file" in refused(tmp_path / "none.yaml")
    assert "did you mean the recipe resnet18?" in refused("resnet18.yaml")
    assert "did you mean the recipe resnet18?" in refused("ResNet18.yml")


def test_the_suffix_of_a_file_may_be_in_capitals(tmp_path):
    (tmp_path / "R.YAML").write_text("epochs: 3")
    assert load_recipe(tmp_path / "R.YAML").epochs == 3


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"- 1\n- 2\n", "expected settings (key: value), found list"),
        (b"epochs", "expected settings (key: value), found str"),
        (b"0", "expected settings (key: value), found int"),
        (b"epochs: [1", "not a YAML file"),
        (b"epochs: \xff\xfe", "not a YAML file"),
        (b"epochs: 1\nseed: 1\nepochs: 2", "line 3, column 1: the key 'epochs' occurs twice"),
        (b"seed: 010", "line 1, column 7: 010: a number with a leading zero; write 10"),
        (b"batch_size: 064", "write 64, or '064' for text"),
        (b"about: !!timestamp 2024-02-30", "not a YAML file"),
        (b"epochs: !!python/object/apply:os.getcwd []", "not a YAML file"),
    ],
)
def test_a_file_that_holds_no_settings_is_named(tmp_path, content, expected):
    (tmp_path / "odd.yaml").write_bytes(content)
    message = refused(tmp_path / "odd.yaml")
    assert str(tmp_path / "odd.yaml") in message
    assert expected in message


def test_a_date_is_text(tmp_path):
    (tmp_path / "dated.yaml").write_text("about: 2024-02-30")
    assert load_recipe(tmp_path / "dated.yaml").about == "2024-02-30"


def test_a_check_reads_no_file_and_asks_no_library(tmp_path):
    """Also for a transfer network and for weights that are a run's folder; in a process of its own."""
    (tmp_path / "recipe.yaml").write_text("model: {backbone: resnet18}")
    (tmp_path / "classes.json").write_text("[]")
    program = f"""
import sys
from experiments.config.recipe import Recipe
opened = []
sys.addaudithook(lambda event, arguments: opened.append(arguments) if event in ("open", "os.listdir", "import") else 0)
Recipe()
recipe = Recipe.model_validate({{"model": {{"backbone": "mobilenet_v2", "weights": {str(tmp_path)!r}}}, "epochs": 3}})
recipe.replace(epochs=4, optimizer={{"name": "sgd"}})
Recipe.model_validate({{"model": {{"backbone": "no such network"}}, "stages": [{{"epochs": 2}}, {{"epochs": 3}}]}})
assert not opened, opened
assert not {{"torch", "timm", "torchvision"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_of_a_recipe_that_is_loaded_size_and_statistics_are_the_networks():
    assert Recipe.model_validate({"model": {"backbone": "mobilefacenet", "weights": "none"}}).data.size == (64, 64)
    assert load_recipe("mobilefacenet").data.size == (112, 112)


def test_old_recipes_spell_gray_as_grey():
    assert Recipe.model_validate({"augment": {"grey": 0.25}}).augment.gray == 0.25
    assert "gray: 0.25" in Recipe.model_validate({"augment": {"grey": 0.25}}).dump()


def test_a_recipe_cannot_be_changed_by_accident():
    with pytest.raises(ValueError, match="frozen"):
        Recipe().epochs = 3  # type: ignore[misc]
