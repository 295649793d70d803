"""The section on verification: error rates, ROC, DET and similarities of the runs that were verified."""

from experiments.report import plots
from experiments.report.document import (
    Block,
    Code,
    Column,
    Paragraph,
    Plot,
    Section,
    Table,
    Words,
    aside,
    capitalize_words,
    cells,
    enumerate_words,
    join,
    paragraph,
)
from experiments.report.facts import RunFacts
from experiments.report.phrases import NONE, SPACE, decimal, interval, percent
from experiments.report.study import Study
from experiments.tools.stored import VerificationMetrics


def verification_section(study: Study) -> Section:
    """Whether two images show the same person, for each run with a network that has embeddings."""
    blocks: list[Block] = []
    if study.verified:
        blocks += [_pairs(study), *_rates(study), *_curves(study)]
    return Section("Verification", [*blocks, *_missing(study)])


def _metrics(run: RunFacts) -> VerificationMetrics:
    assert run.verification is not None
    return run.verification.metrics


def _pairs(study: Study) -> Paragraph:
    """Which pairs, and how many of them."""
    found = [_metrics(run) for run in study.verified]
    files = list(dict.fromkeys(metrics.pairs_file for metrics in found))
    counts = {(metrics.genuine, metrics.impostor, metrics.people) for metrics in found}
    text = "."
    if len(files) == 1 and len(counts) == 1:
        genuine, impostor, people = counts.pop()
        of_people = f", {people:,} people in all" if people else ""
        text = f": {genuine:,} of one person and {impostor:,} of two{of_people}."
    return paragraph(
        "Two images count as one person’s where their embeddings are similar enough. The pairs are those of ",
        enumerate_words([(Code(file),) for file in files]),
        text,
    )


def _rates(study: Study) -> list[Block]:
    """The error rates: a sentence for one run, a table for several."""
    intervals = " Intervals are those of resampled people."
    meaning = "EER: the error rate at which FAR and FRR are equal."
    if len(study.verified) == 1:
        run, found = study.verified[0], _metrics(study.verified[0])
        bounds = f" (95{SPACE}% interval {interval(found.intervals['eer'], 2)})" if "eer" in found.intervals else ""
        tars = "".join(f", TAR {percent(tar)} at FAR {far}" for far, tar in found.tar_at_far.items())
        folds = "" if found.lfw_accuracy is None else f", accuracy by folds {percent(found.lfw_accuracy, 2)}"
        text = (
            f": EER {percent(found.eer, 2)}{bounds}, AUC {decimal(found.auc, 4)}{tars}{folds}, threshold"
            f" {decimal(found.threshold)}. {meaning}{intervals if bounds else ''}"
        )
        return [paragraph(capitalize_words(study.call(run)), text)]
    fars = sorted({far for run in study.verified for far in _metrics(run).tar_at_far}, key=float, reverse=True)
    folds_known = any(_metrics(run).lfw_accuracy is not None for run in study.verified)
    titles = ["EER", f"95{SPACE}%\ninterval", "AUC", *(f"TAR at\nFAR {far}" for far in fars)]
    titles += (["accuracy\nby folds"] if folds_known else []) + ["threshold"]
    columns = [Column("run", grow=1), *(Column(title, "right") for title in titles)]
    rows = [_row(run, fars, folds_known) for run in study.verified]
    return [Table("verification", (f"Verification. {meaning}{intervals}",), columns, rows)]


def _row(run: RunFacts, fars: list[str], folds_known: bool) -> tuple[Words, ...]:
    found = _metrics(run)
    return cells(
        Code(run.name),
        percent(found.eer, 2),
        interval(found.intervals.get("eer"), 2) or NONE,
        decimal(found.auc, 4),
        *(percent(found.tar_at_far.get(far)) for far in fars),
        *([percent(found.lfw_accuracy, 2)] if folds_known else []),
        decimal(found.threshold),
    )


def _curves(study: Study) -> list[Block]:
    """ROC and DET of all runs, and the similarities of the best one's pairs."""
    drawn = [run for run in study.verified if run.verification and run.verification.scores]
    if not drawn:
        return []
    separated = plots.are_separated(drawn)
    det = (
        ". A threshold separates the pairs (almost) without error, so there is no DET curve."
        if separated
        else ", and FRR over FAR on probit axes (DET); the dotted line crosses a curve at its equal error rate."
    )
    drawing = plots.draw_roc_and_det([(study.family_index(run), run) for run in drawn])
    alt, width = ("ROC", 0.5) if separated else ("ROC and DET", 1.0)
    whose: Words = () if study.single else join(" of ", study.call(drawn[0]))
    caption = join("Similarities of the pairs", whose, "; the threshold is that of the equal error rate.")
    blocks: list[Block] = [
        Plot("pairs", (f"Verification: TAR over FAR (ROC){det}",), drawing, alt, width),
        Plot("similarities", caption, plots.draw_similarities(drawn[0]), "similarities of pairs", 0.7),
    ]
    if remarks := _metrics(drawn[0]).not_supported:
        blocks.append(paragraph(f"Limits of the rates: {'; '.join(remarks)}."))
    return blocks


def _missing(study: Study) -> list[Block]:
    """What would complete the section, in a line each."""
    blocks: list[Block] = []
    able = [run for run in study.runs if run.pytorch and not run.verification]
    unable = [run for run in study.runs if not run.pytorch]
    if able:
        command = Code(f"faces verify {able[0].folder} --pairs PAIRS --images DIR")
        who = capitalize_words(study.call_all(able))
        blocks.append(aside(who, ": not verified. Error rates, ROC and DET come with ", command))
    if unable:
        what = "a classifier" if len(unable) == 1 else "classifiers"
        blocks.append(
            aside(
                capitalize_words(study.call_all(unable)),
                f": {what} of mytorch without embeddings, which ",
                Code("faces verify"),
                " needs; runs of transfer networks have them.",
            )
        )
    without = [run for run in study.verified if run.verification and not run.verification.scores]
    if without:
        blocks.append(
            aside(
                capitalize_words(study.call_all(without)),
                ": no scores.csv, so there are no curves; ",
                Code("faces verify"),
                " writes it.",
            )
        )
    return blocks
