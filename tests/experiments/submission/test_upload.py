import shlex
import sys
from pathlib import Path

import pytest

from experiments.errors import FacesError
from experiments.submission import submit as module
from experiments.submission.submit import require_kaggle, upload, upload_command

VARIABLES = ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_CONFIG_DIR", "XDG_CONFIG_HOME")


@pytest.fixture
def kaggle(monkeypatch, tmp_path):
    """kaggle(program): a package `kaggle` whose main runs that, at a home without credentials."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)

    def install(program: str) -> None:
        package = tmp_path / "site" / "kaggle"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "cli.py").write_text(f"import sys\ndef main():\n    {program}\n")
        monkeypatch.syspath_prepend(package.parent)
        monkeypatch.setenv("PYTHONPATH", str(package.parent))

    return install


def test_the_command_is_one_that_a_shell_takes():
    words = shlex.split(upload_command(Path("my file.csv"), "a + b's", "faces-2024"))
    assert words == ["kaggle", "competitions", "submit", "-c", "faces-2024", "-f", "my file.csv", "-m", "a + b's"]


def test_a_missing_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "kaggle", None)
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(FacesError, match=r"in the project's folder, pip install '.\[kaggle\]'"):
        require_kaggle()


def test_missing_credentials_say_where_to_get_them(kaggle):
    kaggle("pass")
    with pytest.raises(FacesError, match=r"make a token on kaggle\.com under Settings, API"):
        require_kaggle()


@pytest.mark.parametrize("place", [".kaggle/kaggle.json", ".kaggle/access_token", ".config/kaggle/kaggle.json"])
def test_credentials_where_kaggles_program_keeps_them_will_do(kaggle, tmp_path, place):
    kaggle("pass")
    (tmp_path / "home" / place).parent.mkdir(parents=True)
    (tmp_path / "home" / place).touch()
    require_kaggle()


def test_the_file_is_handed_to_kaggles_program_and_its_answer_given(kaggle, monkeypatch, tmp_path):
    kaggle("print('got', *sys.argv[1:])")
    monkeypatch.setenv("KAGGLE_API_TOKEN", "none")
    answer = upload(tmp_path / "out.csv", "run", "faces")
    assert answer == f"got competitions submit -c faces -f {tmp_path / 'out.csv'} -m run"


def test_a_refusal_is_given_in_kaggles_words_with_the_command_to_repeat(kaggle, monkeypatch, tmp_path):
    kaggle("sys.exit('403 - Forbidden: accept the rules first')")
    monkeypatch.setenv("KAGGLE_API_TOKEN", "none")
    with pytest.raises(FacesError, match=r"(?s)did not take it: 403 - Forbidden.*again by: kaggle competitions submit"):
        upload(tmp_path / "out.csv", "run", "faces")
