"""The section on verification: error rates, ROC, DET and similarities, for the runs that were verified."""

from experiments.report import figures as pair_curves
from experiments.report.document import (
    NONE,
    Block,
    Code,
    Column,
    Figure,
    Paragraph,
    Ref,
    Section,
    Table,
    Words,
    between,
    cells,
    decimal,
    percent,
    say,
    sentence,
)
from experiments.report.facts import RunFacts
from experiments.report.study import Study


def verification_section(study: Study) -> Section:
    """Whether two pictures show one person: of each run with a network that has embeddings."""
    blocks: list[Block] = []
    if study.verified:
        blocks += _verified(study)
    blocks += _missing(study)
    return Section("Verification", blocks)


def _missing(study: Study) -> list[Block]:
    """What would make the rest of the section, in a line each."""
    blocks: list[Block] = []
    able = [run for run in study.runs if run.pytorch and not run.verification]
    unable = [run for run in study.runs if not run.pytorch]
    if able:
        command = Code(f"faces verify {able[0].folder} --pairs PAIRS --images DIR")
        blocks.append(
            Paragraph((f"{_who(study, able)}: not verified. Error rates, ROC and DET come with ", command), aside=True)
        )
    if unable:
        what = "a classifier" if study.single else "classifiers"
        blocks.append(
            Paragraph(
                (
                    f"{_who(study, unable)}: {what} of mytorch without embeddings, which ",
                    Code("faces verify"),
                    " cannot compare pairs by; a run of a transfer network can.",
                ),
                aside=True,
            )
        )
    without = [run for run in study.verified if run.verification and not run.verification.scores]
    if without:
        blocks.append(
            Paragraph(
                (
                    f"{_who(study, without)}: no scores.csv, so that no curve can be drawn; ",
                    Code("faces verify"),
                    " writes it.",
                ),
                aside=True,
            )
        )
    return blocks


def _who(study: Study, runs: list[RunFacts]) -> str:
    return "The run" if study.single else sentence(Study.listed(runs))


def _verified(study: Study) -> list[Block]:
    words: list[str | Code | Ref] = [
        "Two pictures count as one person’s where their embeddings are alike enough. The pairs are those of "
    ]
    files = list(
        dict.fromkeys(str(run.verification.figures["pairs_file"]) for run in study.verified if run.verification)
    )
    for place, file in enumerate(files):
        words += [", " if place else "", Code(file)]
    figures = study.verified[0].verification.figures if study.verified[0].verification else {}
    words.append(
        f": {figures['genuine']:,} of one person and {figures['impostor']:,} of two" if len(files) == 1 else ""
    )
    words.append(f", {figures['people']:,} people in all." if len(files) == 1 and figures.get("people") else ".")
    blocks: list[Block] = [Paragraph(tuple(words)), _table(study)]
    drawn = [run for run in study.verified if run.verification and run.verification.scores]
    if not drawn:
        return blocks
    which = "" if study.single else ", by the runs’ numbers"
    ideal = pair_curves.separated(drawn)
    det = (
        "; a threshold parts all pairs without a mistake, so that there is no DET curve."
        if ideal
        else ", and FRR over FAR on probit axes (DET), where the dotted line crosses a curve at its equal error rate."
    )
    caption = f"Verification{which}: TAR over FAR (ROC){det}"
    places = [(study.family_of(run), run) for run in drawn]
    drawing = pair_curves.roc_and_det(places)
    blocks.append(Figure("pairs", (caption,), drawing, "ROC" if ideal else "ROC and DET", 0.5 if ideal else 1.0))
    best = drawn[0]
    whose: Words = () if study.single else (" of ", *study.call(best))
    caption = ("Similarities of pairs", *whose, "; the threshold is that of the equal error rate.")  # type: ignore[assignment]
    blocks.append(Figure("similarities", caption, pair_curves.similarities(best), "similarities of pairs", 0.7))  # type: ignore[arg-type]
    rough = [
        remark for run in drawn[:1] if run.verification for remark in run.verification.figures.get("not_supported", [])
    ]
    if rough:
        blocks.append(say(f"Of the rates, {'; '.join(rough)}."))
    return blocks


def _table(study: Study) -> Table:
    found = [run.verification.figures for run in study.verified if run.verification]
    fars = sorted({far for figures in found for far in figures["tar_at_far"]}, key=float, reverse=True)
    folds = any("lfw_accuracy" in figures for figures in found)
    columns = [] if study.single else [Column("run", "right"), Column("name", grow=1)]
    columns += [Column("EER", "right"), Column("95\N{NO-BREAK SPACE}%\ninterval", "right"), Column("AUC", "right")]
    columns += [Column(f"TAR at\nFAR {far}", "right") for far in fars]
    columns += [Column("accuracy\nby folds", "right")] if folds else []
    columns += [Column("threshold", "right")]
    rows = []
    for run, figures in zip(study.verified, found, strict=True):
        start = () if study.single else (str(run.number), Code(run.name))
        tars = [percent(figures["tar_at_far"].get(far)) for far in fars]
        fold = [percent(figures.get("lfw_accuracy"), 2)] if folds else []
        interval = between((figures.get("intervals") or {}).get("eer"), 2) or NONE
        rows.append(
            cells(
                *start,
                percent(figures["eer"], 2),
                interval,
                decimal(figures["auc"], 4),
                *tars,
                *fold,
                decimal(figures["threshold"]),
            )
        )
    caption = (
        "Verification. EER: the error rate where as many pairs of two people are accepted as pairs of one are refused."
        " Intervals draw people again."
    )
    return Table("verification", (caption,), columns, rows)
