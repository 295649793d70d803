"""The command reference, generated from the commands: what `--help` prints, as a page."""

import re
import subprocess
import sys
from typing import Any

import typer

from experiments.errors import FacesError


def grader_commands() -> list[str]:
    """Return the names of all commands of the autograder."""
    from autograder.cli import app

    return list(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def leaves(group: Any, name: str = "faces") -> list[tuple[str, Any]]:
    """Return every command below a group with its full name, in the order of the help."""
    found = []
    for word, command in group.commands.items():
        inside = f"{name} {word}"
        found += leaves(command, inside) if hasattr(command, "commands") else [(inside, command)]
    return found


def faces_commands() -> list[tuple[str, Any]]:
    """Return all commands of `faces`."""
    from experiments.cli import app

    return leaves(typer.main.get_command(app))


def anchor(name: str) -> str:
    """Return the anchor of a command on the page: `faces data synth` is at #faces-data-synth."""
    return name.replace(" ", "-")


def reference() -> str:
    """Return all commands of `faces` as Markdown: a table of links, then a section per command."""
    commands = faces_commands()
    rows = [f"| [`{name}`](#{anchor(name)}) | {_first_line(command)} |" for name, command in commands]
    table = ["| command | does |", "| --- | --- |", *rows]
    return "\n".join(table) + "\n\n" + "\n\n".join(_section(name, command) for name, command in commands)


def grader_reference() -> str:
    """Return what `python -m autograder COMMAND --help` prints, for each of its commands."""
    return "\n\n".join(
        f"## python -m autograder {word} {{ #autograder-{word} }}\n\n```text\n{_grader_help(word)}\n```"
        for word in grader_commands()
    )


def _grader_help(word: str) -> str:
    """Return the help of one command, from a process of its own."""
    command = [sys.executable, "-m", "autograder", word, "--help"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, env={"COLUMNS": "88", "TERM": "dumb"})
    if run.returncode:
        raise FacesError(f"python -m autograder {word} --help ended with {run.returncode}: {run.stderr.strip()[-300:]}")
    return run.stdout.strip().replace("Usage: python -m autograder", "python -m autograder", 1)


def _section(name: str, command: Any) -> str:
    context = command.make_context(name, ["--help"], resilient_parsing=True)
    usage = usage_of(command.get_usage(context))
    lines = [f"## {name} {{ #{anchor(name)} }}", "", _prose(command.help), "", f"```text\n{usage}\n```"]
    records = [record for parameter in command.params if (record := parameter.get_help_record(context))]
    if records:
        lines += ["", "| argument or option | meaning |", "| --- | --- |"]
        lines += [f"| {_code(parameter_of(what))} | {_cell(text)} |" for what, text in records]
    return "\n".join(lines)


def usage_of(text: str) -> str:
    """Return a usage without braces or double brackets, and with one ellipsis where an argument may be repeated.

    What is printed is `{RUN ...}...`, whose name has the ellipsis already.
    """
    text = re.sub(r"\{([^{}]*[. ][^{}]*)\}\.\.\.", r"\1", text.removeprefix("Usage: "))
    text = re.sub(r"\[?(\[[^\[\]]* \.\.\.\])\]?\.\.\.", r"\1", text)
    text = re.sub(r"\[(\[[^\[\]]*\])\]", r"\1", text)
    return text.replace("{", "").replace("}", "")


def parameter_of(text: str) -> str:
    """Return an argument by its name alone, and an option with the type of one value: `--size <int>`."""
    if not text.startswith("-"):
        return re.sub(r" <[^<>]*>$", "", text)
    return re.sub(r"<(?:list\[)?(\w+)(?:\]| range)?>$", lambda found: f"<{found[1].lower()}>", text)


def _prose(text: str) -> str:
    """Return the help text of a command, with its example as a block that can be copied."""
    body, found, example = text.partition("Example: `")
    if not found:
        return _safe(body.strip())
    command, _, rest = example.partition("`")
    return f"{_safe(body.strip())}\n\n```console\n$ {command}\n```\n\n{_safe(rest.strip())}".rstrip()


def _first_line(command: Any) -> str:
    return _cell((command.help or "").split("\n\n")[0])


def _code(text: str) -> str:
    return "<code>" + text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "&#124;") + "</code>"


def _cell(text: str) -> str:
    return _safe(" ".join(text.split())).replace("|", "&#124;")


def _safe(text: str) -> str:
    """Escape help text, which is plain except for its `code`."""
    from docs.markdown import plain

    return plain(text)
