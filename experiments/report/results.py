"""The sections on how accurate the runs are: learning curves, the comparison, and the mistakes."""

from pathlib import Path

from PIL import Image

from experiments.progress import format_duration
from experiments.report import plots
from experiments.report.document import (
    Block,
    Code,
    Column,
    Paragraph,
    Plot,
    Ref,
    Section,
    Table,
    Words,
    aside,
    capitalize_words,
    cells,
    join,
    paragraph,
)
from experiments.report.facts import EvaluationFacts, RunFacts
from experiments.report.phrases import NONE, SPACE, counted, decimal, interval, percent, points
from experiments.report.statements import describe_people
from experiments.report.study import Study

SMOOTHED = (
    "Training losses are those of augmented images, with label smoothing where a recipe has it; validation losses are"
    " without."
)
MAX_NAMES_IN_A_SENTENCE = 6
FULL_SHEET, FULL_MATRIX = 1020, 1400
"""Pixels across a sheet of six faces, and a confusion matrix of twenty people: smaller ones are shown smaller."""


def learning_section(study: Study) -> Section:
    """Loss and accuracy by epoch."""
    if not any(run.learned for run in study.runs):
        return Section("Learning", [paragraph("Class means have no epochs, and so no learning curves.")])
    curves = [family for family in study.families if any(run.has_curve for run in family.runs)]
    blocks: list[Block] = []
    if len(study.families) == 1:
        blocks.append(_last_epoch(study, bool(curves)))
        if curves:
            about = "Loss and accuracy by epoch" + (", a line for each seed. " if len(study.runs) > 1 else ". ")
            drawing = plots.draw_one_recipe(curves[0])
            blocks.append(Plot("curves", (about + SMOOTHED,), drawing, "loss and accuracy by epoch"))
    elif curves:
        blocks += _curves_of_several(study)
    without = [run for run in study.runs if not run.has_curve]
    if without:
        many = not study.single and len(without) > 1
        blocks.append(
            paragraph(
                capitalize_words(study.call_all(without)),
                f" {'have' if many else 'has'} no more than one epoch, and so no learning curve.",
            )
        )
    hidden = [run for run in study.runs if run.learned and all(row.get("train_top1") is None for row in run.history)]
    if hidden:
        whose = () if study.single else join(" of ", study.call_all(hidden))
        blocks.append(
            paragraph(
                "Training accuracy", whose, " is not shown: with mixed images or a margin it would be misleading."
            )
        )
    return Section("Learning", blocks)


def comparison_section(study: Study) -> Section:
    """The runs side by side."""
    blocks: list[Block] = []
    for family in study.families:
        spread = family.spread()
        if spread is not None:
            mean = f" have a mean top-1 of {percent(family.top1())} with a standard deviation of {points(spread)}."
            seeds = f"The {counted(len(family.top1s()), 'validated seed')} of "
            blocks.append(paragraph(seeds, Code(family.first.name), mean))
    blocks.append(_ranking_table(study))
    if study.ranked:
        caption = (
            "Top-1 on validation images: after the last epoch (disc), of the best epoch (ring), and as evaluated with"
            f" its 95{SPACE}% interval (bar), which may average several views."
        )
        blocks.append(Plot("ranking", (caption,), plots.draw_ranking(study.families), "top-1 of each run"))
    built = [family for family in study.ranked if family.first.anatomy]
    if len({family.first.anatomy.flops for family in built if family.first.anatomy}) > 1:
        caption = (
            "Mean top-1 of each recipe against the size of its network and the work for an image, on logarithmic axes."
        )
        blocks.append(Plot("costs", (caption,), plots.draw_costs(built), "top-1 against parameters and FLOPs"))
    return Section("Comparison", blocks)


def mistakes_section(study: Study) -> Section:
    """What the evaluated runs get wrong, and how confident they are; for the best of them, who is taken for whom."""
    missing = [run for run in study.runs if not run.evaluation]
    remarks: list[Block] = [_how_to_evaluate(study, missing)] if missing else []
    if not study.evaluated:
        return Section("Mistakes", remarks)
    chosen = study.evaluated[0]
    assert chosen.evaluation is not None
    blocks: list[Block] = [*_evaluations(study), *remarks, *_people(study, chosen, chosen.evaluation)]
    return Section("Mistakes", [*blocks, *_confusions(study, chosen, chosen.evaluation)])


def _last_epoch(study: Study, has_plot: bool) -> Paragraph:
    run = study.runs[0]
    row = run.history[-1]
    pieces: list[str | Ref | Words] = [Ref("curves"), " shows the training. "] if has_plot else []
    whose = "" if study.single else join(" of ", study.call(run))
    pieces += ["After the last epoch", whose, f", the training loss is {decimal(row.get('train_loss'))}"]
    if row.get("loss") is not None:
        pieces.append(f" and the validation loss {decimal(row['loss'])}")
    if row.get("train_top1") is not None and row.get("top1") is not None:
        pieces.append(
            f"; {percent(row['train_top1'])} of the augmented training images and {percent(row['top1'])} of the"
            " validation images are classified correctly"
        )
    return paragraph(*pieces, ".")


def _curves_of_several(study: Study) -> list[Block]:
    curves = [family for family in study.families if any(run.has_curve for run in family.runs)]
    caption = "Validation loss and top-1 of all runs; those of one recipe share a color."
    together = plots.draw_all_runs(study.families)
    each = f"Loss and accuracy of each recipe by epoch; lines of one color are seeds. {SMOOTHED}"
    return [
        paragraph(
            Ref("together"), " shows the loss and top-1 of every run on the validation images, ", Ref("each"),
            " the training of each recipe next to its validation. The numbers are in ", Ref("ranking-table"), ".",
        ),
        Plot("together", (caption,), together, "validation loss and top-1 of all runs by epoch"),
        Plot("each", (each,), plots.draw_each_recipe(curves), "loss and accuracy of each recipe by epoch"),
    ]  # fmt: skip


def _ranking_table(study: Study) -> Table:
    titles = ("top-1", "top-5", "loss", "best\ntop-1", "images/s", "trained", "epochs")
    columns = [Column("run", grow=1), *(Column(title, "right") for title in titles)]
    rows: list[tuple[Words, ...]] = []
    groups: set[int] = set()
    for family in study.families:
        groups.add(len(rows))
        rows += [_ranking_row(run) for run in family.runs]
    caption = (
        "The runs, the best recipe first. top-1, top-5 and loss are those of the last epoch on the validation images."
        " The last epoch was not selected on these images; the best epoch was."
    )
    lines = frozenset(groups - {0}) if len(groups) < len(rows) else frozenset()
    return Table("ranking-table", (caption,), columns, rows, lines)


def _ranking_row(run: RunFacts) -> tuple[Words, ...]:
    found = run.metrics
    return cells(
        Code(run.name),
        percent(found.top1),
        percent(found.top5),
        decimal(found.loss),
        percent(found.best_top1),
        NONE if found.images_per_second is None else f"{found.images_per_second:,.0f}",
        format_duration(found.seconds) if run.learned else NONE,
        str(found.epoch),
    )


def _how_to_evaluate(study: Study, missing: list[RunFacts]) -> Paragraph:
    run = missing[0]
    command = Code(f"faces evaluate {run.folder} --data {run.environment.data or 'DATA'}")
    if study.single:
        return aside("Not evaluated. Intervals, calibration, confusions and the hardest images come with ", command)
    return aside(capitalize_words(study.call_all(missing)), ": not evaluated. For the first of these, run ", command)


def _evaluations(study: Study) -> list[Block]:
    """A sentence for one run, a table for several."""
    how = (
        " Calibration error: how far confidence is from accuracy, on average. Temperature: above 1 the network is"
        " over-confident, below 1 under-confident."
    )
    if len(study.evaluated) == 1:
        run = study.evaluated[0]
        assert run.evaluation is not None
        found = run.evaluation.metrics
        bounds = f" (95{SPACE}% interval {interval(found.top1_interval)})" if found.top1_interval else ""
        views = "" if found.views == "none" else f", averaged over views ({found.views})"
        text = (
            f" classifies {percent(found.top1)}{bounds} of {found.images:,} images correctly, and has the right person"
            f" among the first five for {percent(found.top5)}{views}; the loss is {decimal(found.loss)}"
        )
        if found.ece is not None and found.temperature is not None:
            text += f", the calibration error {decimal(found.ece)}, the temperature {decimal(found.temperature, 2)}"
        best = "With the weights of the best epoch, which was selected on the same images, "
        return [paragraph(best, study.call(run), f"{text}.{how}")]
    titles = ("top-1", f"95{SPACE}%\ninterval", "top-5", "loss", "calibration\nerror", "temper-\nature")
    columns = [Column("run", grow=1), *(Column(title, "right") for title in titles)]
    columns += [Column("views"), Column("images", "right")]
    rows = [_evaluation_row(run, run.evaluation) for run in study.evaluated if run.evaluation]
    caption = (
        "As evaluated, with the best epoch’s weights, which the same images chose. The intervals are those of"
        f" resampled people.{how}"
    )
    return [
        paragraph(Ref("evaluations"), " lists how the evaluated runs perform."),
        Table("evaluations", (caption,), columns, rows),
    ]


def _evaluation_row(run: RunFacts, evaluation: EvaluationFacts) -> tuple[Words, ...]:
    found = evaluation.metrics
    return cells(
        Code(run.name),
        percent(found.top1),
        interval(found.top1_interval) or NONE,
        percent(found.top5),
        decimal(found.loss),
        decimal(found.ece),
        decimal(found.temperature, 2),
        found.views,
        f"{found.images:,}",
    )


def _people(study: Study, run: RunFacts, found: EvaluationFacts) -> list[Block]:
    """How many images and people are classified correctly, and how that is distributed over people."""
    if not found.people:
        return []
    images = found.metrics.images
    wrong = (
        f"{found.wrong:,} of the {images:,} images are misclassified"
        if found.wrong
        else f"All {images:,} images are right"
    )
    right = sum(person.right == person.images for person in found.people)
    never = [person for person in found.people if not person.right]
    whose = () if study.single else join(" by ", study.call(run))
    pieces: list[str | Code | Ref | Words] = [wrong, whose, ". ", describe_people(right, len(never), len(found.people))]
    shown = never[:MAX_NAMES_IN_A_SENTENCE]
    for place, person in enumerate(shown):
        pieces += [", " if place else ": ", Code(person.name)]
    pieces.append(f" and {len(never) - len(shown)} more" if len(never) > len(shown) else "")
    varied = len({person.top1 for person in found.people}) > 1
    pieces += [" (", Ref("people"), ")."] if varied else ["."]
    blocks: list[Block] = [paragraph(*pieces)]
    if varied:
        caption = _caption(
            study,
            run,
            "People by the fraction of their images that is classified correctly; the dashed line is the mean.",
        )
        drawing = plots.draw_people(found.people)
        blocks.append(Plot("people", caption, drawing, "how many people have which fraction right", 0.6))
    return blocks


def _confusions(study: Study, run: RunFacts, found: EvaluationFacts) -> list[Block]:
    """The most common confusions, who is taken for whom, and the hardest images."""
    if not found.confusions:
        return [paragraph("No one was taken for anyone else.")]
    blocks: list[Block] = []
    if len(found.confusions) == 1:
        one = found.confusions[0]
        blocks.append(
            paragraph(
                "There is one kind of mistake: ", Code(one.true), " was taken for ", Code(one.predicted),
                f" in {one.times} of {counted(one.images, 'image')}.",
            )
        )  # fmt: skip
    else:
        columns = [Column("true"), Column("predicted"), Column("times", "right"), Column("of images", "right")]
        rows = [cells(Code(c.true), Code(c.predicted), f"{c.times}", f"{c.images}") for c in found.confusions]
        caption = _caption(study, run, "The most common mistakes, and how many images there are of that person.")
        blocks.append(Table("confused", caption, columns, rows))
    if found.confusion_sheet:
        width = _width(found.confusion_sheet, FULL_MATRIX, 0.62)
        caption = _caption(study, run, "Who is taken for whom, as drawn by ", Code("faces evaluate"), ".")
        blocks.append(Plot("confusion", caption, found.confusion_sheet, "confusion matrix", width))
    if found.hardest_sheet and found.wrong:
        text = "The mistakes with the highest confidence, with the answer, its confidence, and the truth."
        width = _width(found.hardest_sheet, FULL_SHEET, 0.9)
        alt = "the mistakes with the highest confidence"
        blocks.append(Plot("hardest", _caption(study, run, text), found.hardest_sheet, alt, width))
    return blocks


def _caption(study: Study, run: RunFacts, *words: str | Code) -> Words:
    """A caption that names the run, where there are several."""
    return words if study.single else join(study.call(run), ": ", *words)


def _width(path: Path, full: int, fraction: float) -> float:
    """The fraction of the text's width at which an image has the same scale as a full one at `fraction`."""
    with Image.open(path) as image:
        return round(min(fraction, max(0.3, fraction * image.width / full)), 3)
