"""`faces report`: from runs to a document, its title and its abstract: the metrics that matter."""

import os
from collections.abc import Sequence
from pathlib import Path

from experiments.errors import FacesError
from experiments.progress import format_duration, say
from experiments.report.discussion import discussion_section, limits_section
from experiments.report.document import Code, Document, Ref, Words, enumerate_words, join
from experiments.report.facts import RunFacts
from experiments.report.phrases import (
    SPACE,
    capitalized,
    counted,
    describe_evaluated,
    describe_kept_epoch,
    interval,
    percent,
    points,
)
from experiments.report.results import comparison_section, learning_section, mistakes_section, verification_section
from experiments.report.setup import (
    data_section,
    network_section,
    reproduction_section,
    training_section,
)
from experiments.report.study import Study

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


Piece = str | Code | Ref | Words


def title(study: Study) -> str:
    """Return what the report is about."""
    people = {len(run.people) for run in study.runs}
    on = f" on {people.pop()} people" if len(people) == 1 else ""
    models = list(dict.fromkeys(run.recipe.model.name for run in study.runs))
    if study.single:
        return f"{models[0]}{on}"
    if len(study.families) == 1:
        return f"{models[0]}{on}, {counted(len(study.runs), 'seed')}"
    if len(models) == 1:
        return f"{models[0]}{on}: {counted(len(study.families), 'recipe')} compared"
    return f"{capitalized(counted(len(models), 'network'))}{on}, {counted(len(study.runs), 'run')} compared"


def subtitle(study: Study) -> Words:
    """Return which run, or how many, and when they were started."""
    days = sorted({run.environment.started[:10] for run in study.runs} - {""})
    when = f", started {days[0]}" + (f" to {days[-1]}" if len(days) > 1 else "") if days else ""
    if study.single:
        return Code(study.runs[0].folder), when
    return (f"{counted(len(study.runs), 'run')} of {counted(len(study.families), 'recipe')}{when}",)


def abstract(study: Study) -> Words:
    """Return what was trained, how accurate it became, and how well it verifies pairs."""
    words = _about_one(study.runs[0]) if study.single else _about_several(study)
    return join(words, _about_verification(study))


def _about_one(run: RunFacts) -> Words:
    metrics, library = run.metrics, "PyTorch" if run.pytorch else "mytorch, our own library"
    pieces: list[Piece] = [f"The network {run.recipe.model.name} "]
    if run.learned:
        pieces.append(f"was trained with {library} to recognize {len(run.people):,} people")
        pieces.append(f", in {counted(len(run.history), 'epoch')} that took {format_duration(metrics.seconds)}. ")
    else:
        pieces.append(f"got the class means of the embeddings of {len(run.people):,} people; nothing was trained. ")
    if metrics.top1 is None:
        pieces.append("All images were used for training, so none are left to measure its accuracy. ")
    else:
        pieces.append(f"It classifies {percent(metrics.top1)} of the validation images correctly (top-1)")
        if metrics.top5 is not None:
            pieces.append(f", and for {percent(metrics.top5)} the right person is among the first five (top-5)")
        pieces.append(". ")
        if run.learned and metrics.best_epoch is not None and metrics.best_top1 is not None:
            pieces.append(describe_kept_epoch(metrics.best_epoch, metrics.epoch, metrics.best_top1, metrics.top1))
    if run.evaluation:
        found = run.evaluation.metrics
        views = "" if found.views == "none" else f" and averaged views ({found.views})"
        pieces.append(f"Evaluated with the best epoch’s weights{views}, it reaches {percent(found.top1)}")
        bounds = interval(found.top1_interval)
        pieces.append(f" (95{SPACE}% interval {bounds}). " if bounds else ". ")
    return join(*pieces)


def _about_several(study: Study) -> Words:
    runs, best = study.runs, study.best
    folders = list(dict.fromkeys(run.environment.data for run in runs if run.environment.data))
    pieces: list[Piece] = [
        f"This report compares {counted(len(runs), 'run')} of {counted(len(study.families), 'recipe')}"
    ]
    if len(folders) == 1 and study.same_images:
        pieces += [", all on the same images of ", Code(folders[0])]
    elif not study.same_images:
        pieces.append(", which did not all learn from the same images")
    pieces.append(". ")
    if best is None:
        return join(*pieces, "All images were used for training, so none are left to measure accuracy. ")
    pieces += _ranking(study)
    several = [family for family in study.families if len(family.runs) > 1 and family is not best]
    if several:
        names = enumerate_words([family.called for family in several])
        pieces += ["The runs of ", names, " differ in the seed alone. "]
    pieces.append(describe_evaluated(len(study.evaluated), len(runs)))
    return join(*pieces)


def _ranking(study: Study) -> list[Piece]:
    """The best recipe and the last."""
    best, last = study.ranked[0], study.ranked[-1]
    top1, spread = percent(best.top1()), best.spread()
    of = "of the validation images correctly after the last epoch (top-1)"
    deviation = "" if spread is None else f", with a standard deviation of {points(spread)} over its seeds"
    if last is best:
        return [best.called, f" classifies {top1} {of}{deviation}. "]
    if percent(last.top1()) == top1:
        return [f"All recipes with a validation classify {top1} {of}. "]
    return [
        "The best, ", best.called, f", classifies {top1} {of}{deviation}; the last, ", last.called,
        f", {percent(last.top1())}. ",
    ]  # fmt: skip


def _about_verification(study: Study) -> Words:
    if not study.verified or study.verified[0].verification is None:
        return ()
    found = study.verified[0].verification.metrics
    bounds = interval(found.intervals.get("eer"), 2)
    rate = f"{percent(found.eer, 2)}{f' ({bounds})' if bounds else ''} on {found.genuine + found.impostor:,} pairs."
    if study.single:
        return (f"In verification it has an equal error rate of {rate}",)
    if len(study.verified) == 1:
        return join("In verification, ", study.call(study.verified[0]), f" has an equal error rate of {rate}")
    best = study.lowest_eer
    verb = "has" if len(best) == 1 else "have"
    return join("In verification, ", study.call_all(best), f" {verb} the lowest equal error rate, {rate}")
