import io
import os
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
import typer

from docs.transcripts import commands_in, shortened, transcribe
from experiments.cli import app, main
from experiments.errors import FacesError

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {
    name: (ROOT / name).read_text(encoding="utf-8")
    for name in (
        "README.md",
        "CONTRIBUTING.md",
        "ARCHITECTURE.md",
        "results/README.md",
        "docs/pages/responsible_use.md",
        "docs/pages/decisions.md",
        "docs/pages/data_terms.md",
    )
}

SITE = ROOT / "docs" / "pages"
LESSONS = {
    "README.md": README,
    **{
        f"tutorials/{path.name}": path.read_text(encoding="utf-8") for path in sorted((SITE / "tutorials").glob("*.md"))
    },
}
"""Pages that lead through commands. Every command they type has to exist, with its options."""

EXECUTED = list(LESSONS)
"""Pages whose commands are run, each page in a folder of its own, in the order of the page."""


def test_the_readme_is_one_screen_with_one_image_of_faces():
    assert len(README.splitlines()) <= 120
    assert re.findall(r"!\[[^]]+\]\(([^)]+)\)", README) == ["results/answers/answers.png"]


def test_every_tutorial_is_found():
    assert {"tutorials/student.md", "tutorials/competitor.md", "tutorials/engineer.md"} <= set(LESSONS)


def test_the_example_runs_and_learns():
    example, _ = re.findall(r"```python\n(.*?)```", README, re.DOTALL)  # tests/faces runs the other
    names: dict = {}
    exec(example, names)
    learned = names["value"]
    assert learned < 1.2  # it begins near log 8 = 2.1


TYPED = re.compile(r"(?:`|^\$ )faces (?!-)([^`\n]+)", re.MULTILINE)
COMMANDS = sorted({found for page in (*PAGES.values(), *LESSONS.values()) for found in TYPED.findall(page)})


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_the_pages_name_exists_with_those_options(command):
    group = typer.main.get_command(app)
    words = shlex.split(command)
    context = group.make_context("faces", ["--help"], resilient_parsing=True)
    while hasattr(group, "commands") and words:  # `faces networks` is a command and a group
        group = group.get_command(context, words.pop(0))
        assert group is not None, f"faces {command}: no such command"
    known = {option for parameter in group.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= known


def test_nothing_is_left_to_fill_in():
    assert re.findall(r"@[A-Z]+@", README) == []


@pytest.mark.parametrize("name", PAGES)
def test_every_file_a_page_links_to_is_there(name):
    links = re.findall(r"\]\(([^)#]+)\)", PAGES[name])
    assert links or name.startswith("docs/")
    missing = [link for link in links if "://" not in link and not (ROOT / name).parent.joinpath(link).exists()]
    assert missing == []


ROOMS = r"`((?:mytorch|models|experiments|autograder|tests)/[\w./-]+)`"


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "ARCHITECTURE.md", "docs/pages/decisions.md"])
def test_every_file_a_page_names_is_there_or_is_made_by_its_example(name):
    made = {"experiments/recipes/regnety_004.yaml"}
    assert [path for path in re.findall(ROOMS, PAGES[name]) if path not in made and not (ROOT / path).exists()] == []


def test_what_architecture_says_is_in_a_file_is_defined_there():
    rows = re.findall(r"^\| [^|]+ \| `([\w/]+\.py)`: (.*) \|$", PAGES["ARCHITECTURE.md"], re.MULTILINE)
    assert len(rows) >= 8
    for path, names in rows:
        source = (ROOT / path).read_text(encoding="utf-8")
        for name in re.findall(r"`(\w+)`", names):
            assert re.search(rf"^(def|class) {name}\b", source, re.MULTILINE), f"{path}: {name}"


SMALLER = {
    r"--identities \d+": "--identities 5",
    r"--images (?=\d)\d+": "--images 8",
    r"--test-images \d+": "--test-images 10",
    r"--steps \d+": "--steps 2",
    r"--frames \d+": "--frames 6",
    r"--epochs \d+": "--epochs 1",
    r"--far 0\.1": "--far 0.4",  # as few people as are left support
    r"data\.size=\[\d+,\d+\]": "data.size=[32,32]",
    r"(faces data pack .*)--size \d+": r"\1--size 32",
    r"(faces stress .*)": r"\1 --damage blur",
    r"(--set mixing\.prob=0)": r"\1 --set data.size=[32,32]",
}
"""How commands are made small: this is all that is changed in them."""

ENDS_WITH_1 = ("grade handed_out",)
"""Commands of which the page says that they end with status 1."""

NOT_RUN = {
    "make demo": "installs PyTorch from the network, and trains for minutes; tests/experiments/test_demo.py runs it",
    "make test": "installs from the network, and would run this test",
    "make lint": "installs from the network; it is one of the two steps of .ci/run",
    "make grade": "installs from the network; tests/autograder grades our own solution",
    "make gradcheck": "compares for minutes; tests/gradients runs it small",
    "make conformance": "compares thousands of samples; tests/conformance runs them",
    "make test-gpu": "needs an NVIDIA GPU",
    "pip install": "needs the network",
    "faces align contest": "of photos, which the project does not contain; tests/experiments/data/align runs it",
    "faces serve": "serves until Ctrl-C; tests/experiments/serve runs it",
    "curl": "asks the server; tests/experiments/serve sends the same requests",
    "faces train mobilenet_v2": "downloads ImageNet's weights",
}
"""Commands that pages name and that are not run, by how they begin, and why."""


def shown(page: str) -> list[str]:
    """The commands of a page's blocks, without comments."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return [command.split("  #")[0].strip() for block in blocks for command in commands_in(block)]


def smaller(command: str) -> str:
    for pattern, replacement in SMALLER.items():
        command = re.sub(pattern, replacement, command)
    return command


def promised(page: str) -> set[str]:
    """The files that a page says are written: by --out, in a "written to" line, or by a path with an ending."""
    files = {word for command in shown(page) for word in re.findall(r"--out (\S+)", command)}
    for folder, names in re.findall(r"^written to (\S+): ([^\n]+)", page, re.MULTILINE):
        files |= {f"{folder}/{name}" for name in names.split(", ") if name != "..."}
    return files | set(re.findall(r"`(runs/[\w./-]+\.\w+)`", page))


def run(command: str, folder: Path) -> tuple[int, str]:
    """Run a command as typed: `faces` in this process, which has its libraries loaded; others by a shell."""
    if command.startswith("faces "):
        return run_faces(shlex.split(command)[1:])
    here = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(["bash", "-c", command], cwd=folder, env=here, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def run_faces(words: list[str]) -> tuple[int, str]:
    before, sys.argv = sys.argv, ["faces", *words]
    said = io.StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(said), pytest.raises(SystemExit) as end:
            main()
    finally:
        sys.argv = before
    return (end.value.code if isinstance(end.value.code, int) else int(end.value.code is not None)), said.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("name", EXECUTED)
def test_the_commands_of_a_page_run_in_order_and_write_what_it_says(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    commands = [command for command in shown(LESSONS[name]) if not command.startswith(tuple(NOT_RUN))]
    for command in commands:
        status, said = run(smaller(command), tmp_path)
        assert status == any(part in command for part in ENDS_WITH_1), (
            f"{smaller(command)}\nended with {status}:\n{said}"
        )
    missing = sorted(file for file in promised(LESSONS[name]) if not (tmp_path / file).exists())
    assert missing == []


@pytest.mark.parametrize(
    "name", [f"tutorials/{path.name}" for path in (SITE / "tutorials").glob("*.md")] + ["index.md"]
)
def test_the_python_of_a_page_runs(name):
    names: dict = {}
    for example in re.findall(r"```python\n(.*?)```", (SITE / name).read_text(encoding="utf-8"), re.DOTALL):
        exec(example, names)


@pytest.mark.parametrize("command", NOT_RUN)
def test_commands_that_are_not_run_are_named_with_the_reason(command):
    everything = "\n".join([*LESSONS.values(), *PAGES.values(), (SITE / "index.md").read_text(encoding="utf-8")])
    assert command in everything, f"no page names it any more: {command}"
    pytest.skip(f"{command}: {NOT_RUN[command]}")


def test_a_transcript_has_the_outputs_of_its_commands_and_keeps_the_text(tmp_path):
    page = "# T\n\n```console\n$ echo one > a.txt\n$ cat a.txt\nold output\n```\n\ntext\n\n```python\n$ x\n```\n"
    expected = page.replace("$ cat a.txt\nold output", "\n$ cat a.txt\none")
    assert transcribe(page, tmp_path) == expected
    assert transcribe(expected, tmp_path) == expected


def test_a_transcript_of_a_command_that_fails_is_refused(tmp_path):
    with pytest.raises(FacesError, match="ended with 3:\nreason"):
        transcribe("```console\n$ echo reason; exit 3\n```\n", tmp_path)


def test_a_long_output_keeps_its_beginning_and_its_end_and_no_progress():
    numbers = [f"line {number}" for number in range(30)]
    assert shortened("\n".join(numbers)) == [*numbers[:5], "...", *numbers[-4:]]
    assert shortened("a\nepoch 1/25: 608/2200 images, 40 images/s, 40 s left\nb\n\n") == ["a", "b"]
