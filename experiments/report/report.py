"""`faces report`: from runs to a document."""

import os
from collections.abc import Sequence
from pathlib import Path

from experiments.errors import FacesError
from experiments.progress import say
from experiments.report.abstract import abstract, subtitle, title
from experiments.report.discussion import discussion_section, limits_section
from experiments.report.document import Document
from experiments.report.results import comparison_section, learning_section, mistakes_section
from experiments.report.setup import (
    data_section,
    network_section,
    reproduction_section,
    training_section,
)
from experiments.report.study import Study
from experiments.report.verification import verification_section

SUFFIXES = (".pdf", ".html")


def report(
    runs: Sequence[str | os.PathLike[str]], outs: Sequence[str | os.PathLike[str]] = ("report.pdf",)
) -> Document:
    """Write a report about runs to each of `outs`, .pdf or .html; every number in it is read from the runs' folders.

    Raises FacesError for a file of another kind, a folder that is no run, and a run without an epoch, before anything
    is written.
    """
    files = [Path(out) for out in outs]
    for out in files:
        if out.suffix.lower() not in SUFFIXES:
            raise FacesError(f"{out}: expected a name that ends in {' or '.join(SUFFIXES)}")
        if not out.absolute().parent.is_dir():
            raise FacesError(f"{out}: there is no folder {out.parent} to write it to; make it first")
        if out.is_dir():
            raise FacesError(f"{out} is a folder: give --out a file")
    document = compose(Study.of(runs))
    for out in files:
        _write(document, out)
        say(f"written to {out}")
    return document


def compose(study: Study) -> Document:
    """Return the report about some runs."""
    sections = [data_section(study), network_section(study), training_section(study), learning_section(study)]
    if not study.single:
        sections.append(comparison_section(study))
    sections += [mistakes_section(study), verification_section(study), discussion_section(study)]
    sections += [limits_section(study), reproduction_section(study)]
    return Document(title(study), subtitle(study), abstract(study), sections)


def _write(document: Document, out: Path) -> None:
    if out.suffix.lower() == ".pdf":
        from experiments.report.pdf import write_pdf

        write_pdf(document, out)
    else:
        from experiments.report.html import write_html

        write_html(document, out)
