"""The command line: `python -m autograder`."""

import contextlib
import enum
import io
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autograder import class_commands
from autograder.terminal import (
    FAILED,
    FULL,
    LESS,
    NEEDS_PYTORCH,
    RubricOption,
    SeedOption,
    load_rubric,
    one_thread,
    stop,
    write,
)
from autograder.text import line

if TYPE_CHECKING:
    from autograder.result import Report
    from autograder.rubric import Rubric

# What takes long to load, PyTorch above all, is loaded by the commands that need it.

app = typer.Typer(
    name="autograder",
    help="Grade any implementation of the handout's layers and explain its errors.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _commands() -> None:
    """Grade any implementation of the handout's layers and explain its errors."""


class Format(enum.StrEnum):
    """What a report is written as."""

    TABLE = "table"
    HTML = "html"
    GRADESCOPE = "gradescope"
    AUTOLAB = "autolab"
    PRAIRIELEARN = "prairielearn"
    JSON = "json"


_FOR_PEOPLE = (Format.TABLE, Format.HTML, Format.JSON)
"""Not for a platform, which expects a file in any case."""

OnlyOption = Annotated[
    list[str] | None, typer.Option(help="A test, class or section; may be given several times, or with commas.")
]


@app.command(
    epilog="""Examples:

 python -m autograder grade ./my-solution

 python -m autograder grade handin.zip --only Conv2d --verbose

 python -m autograder grade ./my-solution --format html --out report.html

 python -m autograder grade --reference

 python -m autograder grade /autograder/submission --format gradescope --out /autograder/results/results.json

Exit status: 0 for the full mark, 1 for less, 2 where there was nothing to grade or PyTorch is missing for a part of it,
3 where the grader itself failed: then there is no mark, and nothing is written.
"""
)
def grade(
    submission: Annotated[
        Path | None, typer.Argument(help="A folder of any layout, a zip, or one Python file.")
    ] = None,
    reference: Annotated[bool, typer.Option("--reference", help="Grade our own solution.")] = False,
    only: OnlyOption = None,
    rubric: RubricOption = "default",
    seed: SeedOption = None,
    format: Annotated[Format, typer.Option(help="What to write.")] = Format.TABLE,
    out: Annotated[Path | None, typer.Option(help="Write there; the terminal still gets the mark.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Every part, times, and what was printed.")] = False,
    draw: Annotated[
        Path | None, typer.Option(help="Draw each failed case into this folder, as SVG; the report names them.")
    ] = None,
) -> None:
    """Grade one submission."""
    if submission is None and not reference:
        stop("give a submission: a folder, an archive or a Python file; or --reference for our own solution")
    if submission is not None and reference:
        stop(f"give {submission} or --reference, not both")
    from autograder.grading import Options

    rules = load_rubric(rubric)
    options = Options(seed=seed, only=split_names(only or (), rules))
    try:
        report = _graded(submission, rules, options)
    except ValueError as error:
        if format not in _FOR_PEOPLE:
            write(_ungraded(format, rules, line(str(error))), out)
        stop(str(error))
    except ModuleNotFoundError:
        raise  # of PyTorch, which `__main__` explains
    except Exception as error:
        stop(f"the grader failed, which says nothing about the submission: {type(error).__name__}: {error}", FAILED)
    if report.ungraded and format not in _FOR_PEOPLE:
        stop(
            f"{len(report.ungraded)} of {len(report.tests)} tests need PyTorch, so there is no mark. {NEEDS_PYTORCH}",
            FAILED,
        )
    if draw is not None:
        from autograder.render import drawings

        try:
            report = drawings.save(report, draw)
        except OSError as error:
            stop(f"--draw {draw}: {error.strerror or error}")
    _show(report, format, out, verbose)
    if report.ungraded:
        stop(f"{len(report.ungraded)} of {len(report.tests)} tests were not graded. {NEEDS_PYTORCH}")
    raise typer.Exit(FULL if report.is_full else LESS)


@app.command(epilog="Example:\n\n python -m autograder rubrics\n")
def rubrics() -> None:
    """List the rubrics: name, points and what they grade."""
    from autograder.rubric import load, names

    for name in names():
        rules = load(name)
        extra = sum(test.points for section, test in rules.tests if section.extra)
        points = f"{rules.full:g}" + (f" + {extra:g}" if extra else "")
        typer.echo(f"{name:<10} {points:>9} points  {len(rules.tests):>2} classes  {rules.description or rules.title}")


@app.command(
    epilog="""Example:

 python -m autograder handout ./students
"""
)
def handout(
    out: Annotated[Path, typer.Argument(help="A new folder.")],
    rubric: Annotated[
        list[str] | None, typer.Option(help="A rubric whose visible tests go in; may be given several times.")
    ] = None,
) -> None:
    """Write the students' copy, without solutions."""
    from autograder.handout import write

    try:
        write(out, *(load_rubric(name) for name in rubric or ("default", "earlier")))
    except OSError as error:
        stop(str(error))
    typer.echo(f"{out}: the students' copy; begin with README.md")


app.command("grade-all", epilog=class_commands.GRADE_ALL)(class_commands.grade_all)
app.command("leaderboard", epilog=class_commands.LEADERBOARD)(class_commands.leaderboard)
app.command("similarity", epilog=class_commands.SIMILARITY)(class_commands.similarity)


@app.command("bundle-gradescope", epilog="Example:\n\n python -m autograder bundle-gradescope autograder.zip\n")
def bundle_gradescope(
    out: Annotated[Path, typer.Argument(help="The zip to write.")], rubric: RubricOption = "default"
) -> None:
    """Pack the grader for Gradescope."""
    from autograder import bundles

    rules = bundles.with_seed(load_rubric(rubric))
    try:
        bundles.gradescope(out, rules)
    except OSError as error:
        stop(str(error))
    typer.echo(f"{out}: upload it under Configure Autograder; the tests' seed is {rules.seed}, keep it to yourself")


@app.command("bundle-autolab", epilog="Example:\n\n python -m autograder bundle-autolab ./autolab\n")
def bundle_autolab(
    out: Annotated[Path, typer.Argument(help="The folder to write into.")], rubric: RubricOption = "default"
) -> None:
    """Pack the grader for Autolab."""
    from autograder import bundles

    rules = bundles.with_seed(load_rubric(rubric))
    try:
        bundles.autolab(out, rules)
    except OSError as error:
        stop(str(error))
    typer.echo(
        f"{out}: autograde.tar and autograde-Makefile to upload, README.md to read; the tests' seed is {rules.seed}, "
        "keep it to yourself"
    )


@app.command("bundle-prairielearn", epilog="Example:\n\n python -m autograder bundle-prairielearn ./questions/cnn\n")
def bundle_prairielearn(
    out: Annotated[Path, typer.Argument(help="A new folder.")],
    rubric: RubricOption = "default",
    image: Annotated[str, typer.Option(help="The name of the Docker image.")] = "your-course/autograder",
) -> None:
    """Pack the grader as a PrairieLearn question."""
    from autograder import bundles

    rules = bundles.with_seed(load_rubric(rubric))
    try:
        bundles.prairielearn(out, rules, image)
    except OSError as error:
        stop(str(error))
    typer.echo(f"{out}: README.md says what to do; the tests' seed is {rules.seed}, keep it to yourself")


def split_names(only: Sequence[str], rules: "Rubric") -> tuple[str, ...]:
    """Return the names given to --only, split at commas, except at those inside a name of the rubric."""
    known = {name.lower() for section, test in rules.tests for name in (test.name, test.check, section.name)}
    found: list[str] = []
    for text in only:
        parts = [part.strip() for part in text.split(",") if part.strip()]
        while parts:
            longest = next((n for n in range(len(parts), 0, -1) if ", ".join(parts[:n]).lower() in known), 1)
            found.append(", ".join(parts[:longest]))
            parts = parts[longest:]
    return tuple(found)


def _graded(submission: Path | None, rules: "Rubric", options: "object") -> "Report":
    """The report on a submission, or on the reference without one."""
    from autograder import reference
    from autograder.grading import Options, grade

    assert isinstance(options, Options)
    with contextlib.suppress(ModuleNotFoundError):  # then the tests that need PyTorch say so
        one_thread()
    if submission is not None:
        return grade(submission, rules, options)
    with tempfile.TemporaryDirectory() as room:
        folder = Path(room, "reference")
        reference.copy(folder, rules.dialect)
        return grade(folder, rules, options)


def _show(report: "Report", format: Format, out: Path | None, verbose: bool) -> None:
    """Write the report to the terminal or to a file."""
    from rich.console import Console

    from autograder.render import autolab, drawings, gradescope, prairielearn, table

    if format is Format.TABLE and out is None:
        Console().print(table.render(report, verbose))
        return
    written = {
        Format.TABLE: lambda: table.text(report, verbose),
        Format.HTML: lambda: drawings.page(report),
        Format.JSON: lambda: report.model_dump_json(indent=2, exclude={"tests": {"__all__": {"seconds"}}}) + "\n",
        Format.GRADESCOPE: lambda: gradescope.render(report),
        Format.AUTOLAB: lambda: autolab.render(report),
        Format.PRAIRIELEARN: lambda: prairielearn.render(report),
    }
    write(written[format](), out)
    if out is not None:
        typer.echo(table.summary(report), err=True)


def _ungraded_tests(report: "Report") -> str:
    return f"{len(report.ungraded)} of {len(report.tests)} tests were not graded. {NEEDS_PYTORCH}"


def _ungraded(format: Format, rules: "Rubric", reason: str) -> str:
    """The report for a platform if a submission could not be graded: no marks, and the reason."""
    from autograder.render import autolab, gradescope, prairielearn

    if format is Format.PRAIRIELEARN:
        return prairielearn.ungraded(reason)
    return (gradescope if format is Format.GRADESCOPE else autolab).ungraded(rules, reason)


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that knows no ✓ gets it as an escape
    sys.exit(app())
