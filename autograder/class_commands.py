"""The commands for a whole class."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autograder.terminal import FAILED, INTERRUPTED, RubricOption, SeedOption, load_rubric, one_thread, stop, write

if TYPE_CHECKING:
    from autograder.result import Entry

GRADE_ALL = """Examples:

 python -m autograder grade-all ./submissions --out ./marks --jobs 4

 python -m autograder grade-all ./submissions --out ./marks --policy late.yaml --canvas gradebook.csv --assignment HW2

A policy is a YAML file such as

 due: 2026-03-01 23:59, grace_minutes: 15, per_day: 10, max_days: 3, attempts: best, extensions: {alice: 2}

A second run grades what is new or has changed, and keeps the rest. The exit
status is 3 where the grader failed on some, which then have no mark.
"""

LEADERBOARD = """Example:

 python -m autograder leaderboard ./submissions --out ./leaderboard --seconds 10

In Gradescope and Autolab: `leaderboard: 10` in the rubric.
"""

SIMILARITY = """Example:

 python -m autograder similarity ./submissions --out ./similarity --given ./template

Names, comments, layout and constants do not matter. A large share is a reason to read, and proves nothing.
"""


def grade_all(
    folder: Annotated[Path, typer.Argument(help="A folder, archive or Python file in it for each submission.")],
    out: Annotated[Path, typer.Option(help="For marks.csv, marks.html, seed.txt and reports/.")] = Path("marks"),
    rubric: RubricOption = "default",
    seed: SeedOption = None,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Submissions at a time.")] = 2,
    policy: Annotated[Path | None, typer.Option(help="Lateness and attempts, as a YAML file.")] = None,
    times: Annotated[
        Path | None,
        typer.Option(help="When each was handed in: a CSV file with submission,time. Else the files' dates."),
    ] = None,
    canvas: Annotated[Path | None, typer.Option(help="Canvas's exported gradebook, to fill in as canvas.csv.")] = None,
    assignment: Annotated[str, typer.Option(help="The assignment's name in Canvas.")] = "",
    moodle: Annotated[Path | None, typer.Option(help="Moodle's grading worksheet, to fill in as moodle.csv.")] = None,
) -> None:
    """Grade a class, to CSV files and a page."""
    from autograder.classroom import grade_all as run
    from autograder.grading import Options
    from autograder.policy import Policy, load, read_times
    from autograder.render import gradebook

    if (canvas is None) != (not assignment):
        stop("give --canvas and --assignment together")
    one_thread()
    rules = load_rubric(rubric)
    try:
        terms = load(policy) if policy else Policy()
        when = read_times(times) if times else None
        scores = run(folder, out, rules, Options(seed=seed), jobs, _progress(), terms, when)
        filled = [("canvas.csv", *gradebook.canvas(canvas, scores, assignment))] if canvas else []
        filled += [("moodle.csv", *gradebook.moodle(moodle, scores))] if moodle else []
    except (OSError, ValueError) as error:
        stop(str(error))
    except KeyboardInterrupt:
        stop("stopped; run the same command again to resume", INTERRUPTED)
    for name, text, unknown in filled:
        write(text, out / name)
        for scored in unknown:
            typer.echo(f"{name}: nobody in it is {scored.hand_in.student} ({scored.entry.name})", err=True)
    written = ["marks.csv", "marks.html", *(name for name, _, _ in filled)]
    typer.echo(f"{len(scores)} submissions: {', '.join(str(out / name) for name in written)}")
    failed = [scored.entry.name for scored in scores if scored.entry.failed]
    if failed:
        stop(f"the grader failed on {', '.join(failed)}: no marks for these; run again to try once more", FAILED)


def similarity(
    folder: Annotated[Path, typer.Argument(help="A folder, archive or Python file in it for each hand-in.")],
    out: Annotated[Path, typer.Option(help="For index.html, pairs/ and similarity.csv.")] = Path("similarity"),
    given: Annotated[
        list[Path] | None, typer.Option(help="A folder of code that everybody has; may be given several times.")
    ] = None,
    pages: Annotated[int, typer.Option(min=0, max=1000, help="Pairs to show side by side.")] = 25,
    common: Annotated[
        float, typer.Option(min=0, max=1, help="What more than this part of the class has does not count.")
    ] = 0.5,
) -> None:
    """Find hand-ins that share code."""
    from autograder.classroom import submissions
    from autograder.render import gradebook, similarity_page
    from autograder.similarity import blocks, compare

    def tell(name: str, done: int, total: int) -> None:
        typer.echo(f"[{done}/{total}] {name}")

    try:
        for path in given or ():
            if not path.is_dir():
                raise FileNotFoundError(f"{path}: no such folder of given code")
        works, pairs = compare(submissions(folder, out), given or (), common, tell)
        (out / "pairs").mkdir(parents=True, exist_ok=True)
        for old in (out / "pairs").glob("*.html"):
            old.unlink()
        for number, pair in enumerate(pairs[:pages], 1):
            write(similarity_page.side_by_side(pair, blocks(pair)), out / "pairs" / f"{number}.html")
    except (OSError, ValueError) as error:
        stop(str(error))
    write(similarity_page.index(works, pairs, min(pages, len(pairs))), out / "index.html")
    write(gradebook.similar(pairs), out / "similarity.csv")
    for work in works:
        if work.reason:
            typer.echo(f"not compared: {work.name}: {work.reason}", err=True)
    typer.echo(f"{len(works)} hand-ins, {len(pairs)} pairs with code in common: {out / 'index.html'}")


def leaderboard(
    folder: Annotated[Path, typer.Argument(help="A folder, archive or Python file in it for each hand-in.")],
    out: Annotated[Path, typer.Option(help="For leaderboard.html and leaderboard.csv.")] = Path("leaderboard"),
    seconds: Annotated[float, typer.Option(min=1, max=300, help="The time that each CNN may train.")] = 10.0,
    rubric: RubricOption = "default",
    seed: SeedOption = None,
) -> None:
    """Rank a class by accuracy and speed."""
    import secrets

    from autograder.classroom import submissions
    from autograder.leaderboard import Ranked, rank
    from autograder.render import gradebook, leaderpage

    def tell(ranked: Ranked, done: int, total: int) -> None:
        standing = ranked.standing
        parts = [f"accuracy {standing.accuracy:.1%}"] if standing.accuracy is not None else []
        parts += [f"{standing.speed:,.0f} samples/s"] if standing.speed is not None else []
        typer.echo(f"[{done}/{total}] {ranked.name}: {', '.join([*parts, *filter(None, [standing.reason])])}")

    one_thread()
    rules = load_rubric(rubric)
    drawn = secrets.randbelow(1 << 32) if seed is None else seed
    try:
        ranked, ours = rank(submissions(folder, out), rules, seconds, drawn, tell)
        out.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        stop(str(error))
    write(leaderpage.page(ranked, ours, seconds, drawn), out / "leaderboard.html")
    write(gradebook.leaders(ranked), out / "leaderboard.csv")
    typer.echo(f"{len(ranked)} hand-ins: {out / 'leaderboard.html'}")


def _progress() -> "Callable[[Entry, int, int], None]":
    """Prints a line for each submission as it is done, with the time that the rest may take."""
    import time

    from autograder.render.table import number

    began, graded = time.monotonic(), 0

    def tell(entry: "Entry", done: int, total: int) -> None:
        nonlocal graded
        graded += not entry.kept
        mark = number(entry.report.mark) if entry.report else f"not graded: {entry.reason}"
        left = (time.monotonic() - began) / graded * (total - done) if graded else 0.0
        rest = f", {left / 60:.0f} min left" if left >= 60 else ""
        typer.echo(f"[{done}/{total}{rest}] {entry.name}: {mark}{' (as before)' if entry.kept else ''}")

    return tell
