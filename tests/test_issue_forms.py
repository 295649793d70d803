"""The forms for issues: in order, naming what there is, and their example running."""

import re
from pathlib import Path

import pytest
import yaml

FORMS = sorted((Path(__file__).parents[1] / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
KINDS = {"markdown", "textarea", "input", "dropdown", "checkboxes"}


def form(name: str) -> dict:
    (path,) = (path for path in FORMS if path.stem == name)
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_there_is_a_form_for_a_bug_a_wish_and_a_wrong_gradient():
    assert {path.stem for path in FORMS} == {"bug", "config", "feature", "wrong_gradient"}


@pytest.mark.parametrize("name", ["bug", "feature", "wrong_gradient"])
def test_a_form_is_what_github_takes(name):
    whole = form(name)
    assert set(whole) == {"name", "description", "labels", "body"}
    ids = [part["id"] for part in whole["body"]]
    assert len(ids) == len(set(ids))
    for part in whole["body"]:
        assert part["type"] in KINDS
        assert set(part) <= {"type", "id", "attributes", "validations"}
        assert part["attributes"]["label"]
        if part["type"] in ("dropdown", "checkboxes"):
            assert part["attributes"]["options"]
    assert any(part.get("validations", {}).get("required") for part in whole["body"])


def test_the_example_of_a_wrong_gradient_runs_and_finds_none(capsys):
    (example,) = (part for part in form("wrong_gradient")["body"] if part["id"] == "shown")
    exec(example["attributes"]["placeholder"], {})
    assert float(capsys.readouterr().out) < 1e-12


def test_the_commands_that_forms_name_exist():
    from typer.main import get_command

    from experiments.cli import app

    known = get_command(app).commands
    text = "\n".join(path.read_text(encoding="utf-8") for path in FORMS)
    typed = re.findall(r"(?:^ +|`)faces ([a-z-]+)", text, re.MULTILINE)
    assert {"doctor", "data", "train"} <= set(typed) <= set(known)
