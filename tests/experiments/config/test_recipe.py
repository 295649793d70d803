import pytest
import yaml

from experiments.config import recipe as recipes
from experiments.config.recipe import Recipe
from experiments.errors import FacesError


def refused(source, *settings) -> str:
    with pytest.raises(FacesError) as error:
        recipes.load_recipe(source, settings)
    return str(error.value)


@pytest.mark.parametrize("name", recipes.recipe_names())
def test_every_recipe_of_the_project_loads_and_says_what_it_is_about(name):
    assert recipes.load_recipe(name).about


def test_the_project_has_recipes():
    assert {"scratch_cnn", "scratch_resnet"} <= set(recipes.recipe_names())


@pytest.mark.parametrize("train", ["0.3", "5"])
def test_a_dumped_recipe_loads_to_the_same_one(tmp_path, tiny, train):
    recipe = tiny(f"split.train={train}", "identities=3", "schedule.name=plateau", "optimizer.nesterov=true")
    (tmp_path / "again.yaml").write_text(recipe.dump())
    again = recipes.load_recipe(tmp_path / "again.yaml")
    assert again == recipe
    assert type(again.split.train) is type(recipe.split.train)


def test_a_dump_names_every_setting_even_those_left_alone():
    tree = yaml.safe_load(Recipe().dump())
    assert tree == Recipe().model_dump(mode="json")
    assert tree["schedule"]["patience"] == 2


def test_an_empty_file_is_the_recipe_of_all_defaults(tmp_path):
    (tmp_path / "empty.yaml").touch()
    assert recipes.load_recipe(tmp_path / "empty.yaml") == Recipe()


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
    assert recipes.load_recipe(tmp_path / "short.yaml", ["schedule.name=step"]).schedule.name == "step"


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("epoch", "epochs"),
        ("lr", "optimizer.lr"),
        ("optimizer.learning_rate", None),
        ("optimizer.lrr", "optimizer.lr"),
        ("optimiser.lr", "optimizer"),
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
    path.write_text(yaml.safe_dump(({group: {name: 3}} if group else {name: 3}) if place == "file" else {}))
    message = refused(path, *([f"{key}=3"] if place == "--set" else []))
    assert "odd.yaml" in message
    assert "unknown" in message
    assert (f"did you mean {meant!r}?" if meant else "expected one of: name, lr, weight_decay") in message


def test_a_key_like_no_other_comes_with_all_known_ones():
    assert "expected one of: about, model, data, split" in refused("scratch_cnn", "zzzzzz=1")


def test_all_that_is_wrong_is_said_at_once():
    message = refused("scratch_cnn", "epochs=0", "optimizer.lr=-1", "epoch=1")
    assert message.count("\n") == 3


@pytest.mark.parametrize(
    ("setting", "shown", "expected"),
    [
        ("epochs=0", "epochs=0", "greater than or equal to 1"),
        ("epochs=ten", "epochs='ten'", "integer"),
        ("epochs=1.5", "epochs=1.5", "integer"),
        ("epochs=yes", "epochs=True", "not yes or no"),
        ("epochs=", "epochs=None", "integer"),
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
        ("split.train=1.5", "split.train=1.5", "a share below 1 (0.8), or a whole number"),
        ("split.train=0", "split.train=0", "a share below 1 (0.8), or a whole number"),
        ("split.train=-2", "split.train=-2", "a share below 1 (0.8), or a whole number"),
        ("split.train=most", "split.train='most'", "a share below 1 (0.8), or a whole number"),
        ("split.train=true", "split.train=True", "a share below 1 (0.8), or a whole number"),
        ("split.train=[5]", "split.train=[5]", "a share below 1 (0.8), or a whole number"),
        ("split.train=.nan", "split.train=nan", "a share below 1 (0.8), or a whole number"),
        ("identities=1", "identities=1", "greater than or equal to 2"),
        ("batch_size=1", "batch_size=1", "greater than or equal to 2"),
        ("seed=-1", "seed=-1", "greater than or equal to 0"),
    ],
)
def test_an_impossible_value_is_named_with_its_key_once(setting, shown, expected):
    lines = refused("scratch_cnn", setting).splitlines()
    assert lines[0] == "recipe scratch_cnn:"
    assert len(lines) == 2
    assert lines[1].startswith(f"  {shown}: ")
    assert expected in lines[1]


def test_nesterov_without_momentum_is_refused_before_anything_is_read():
    message = refused("scratch_cnn", "optimizer={name: sgd, nesterov: true, momentum: 0}")
    assert "optimizer: nesterov needs a momentum above 0" in message


@pytest.mark.parametrize("size", ["[15, 40]", "[40, 15]"])
def test_a_picture_too_small_for_the_pooling_is_refused(size):
    message = refused("scratch_cnn", "model.widths=[4, 4, 4, 4]", f"data.size={size}")
    assert f"data.size={size}" in message
    assert "at least 16 pixels" in message


def test_a_picture_just_large_enough_for_the_pooling_is_taken():
    assert recipes.load_recipe("scratch_cnn", ["model.widths=[4, 4, 4, 4]", "data.size=[16, 16]"])


@pytest.mark.parametrize("setting", ["epochs", "=3", "epochs.x=3", "epochs=[1", "epochs: 3"])
def test_a_setting_that_is_none_is_shown_as_typed(setting):
    message = refused("scratch_cnn", setting)
    assert f"--set {setting}: " in message
    assert "\n" not in message


def test_an_unknown_recipe_comes_with_the_nearest_one():
    assert "no recipe is called 'scratch_cn': did you mean 'scratch_cnn'?" in refused("scratch_cn")


def test_a_recipe_like_no_other_comes_with_all_known_ones():
    assert f"known recipes: {', '.join(recipes.recipe_names())}" in refused("zzzz")


def test_a_missing_file_is_named(tmp_path):
    assert f"{tmp_path}/none.yaml: no such recipe file" in refused(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"- 1\n- 2\n", "expected settings (key: value), found list"),
        (b"epochs", "expected settings (key: value), found str"),
        (b"0", "expected settings (key: value), found int"),
        (b"epochs: [1", "not a YAML file"),
        (b"epochs: \xff\xfe", "not a YAML file"),
        (b"epochs: !!python/object/apply:os.getcwd []", "not a YAML file"),
    ],
)
def test_a_file_that_holds_no_settings_is_named(tmp_path, content, expected):
    (tmp_path / "odd.yaml").write_bytes(content)
    message = refused(tmp_path / "odd.yaml")
    assert str(tmp_path / "odd.yaml") in message
    assert expected in message


def test_a_recipe_cannot_be_changed_by_accident():
    with pytest.raises(ValueError, match="frozen"):
        Recipe().epochs = 3  # type: ignore[misc]
