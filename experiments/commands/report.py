"""`faces report`: runs as a short paper."""

from pathlib import Path
from typing import Annotated

import typer



@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN ...", help="Folders that `faces train` made.")],
    out: Annotated[
        list[Path] | None,
        typer.Option("--out", help="File to write, .pdf or .html; repeatable. report.pdf by default."),
    ] = None,
) -> None:
    """Write a paper about one run or several: data, networks, settings, curves, mistakes, verification, discussion.

    Every figure is read from the runs' folders. What `faces evaluate` and `faces verify` add to a run stands in the
    paper, too; where it is missing, the paper says which command makes it.

    Example: `faces report runs/first runs/second --out report.pdf --out report.html`
    """
    from experiments.report.report import report as write_report

    write_report(runs, out or [Path("report.pdf")])
