"""The sections on how accurate the runs are: learning curves, the comparison, the mistakes, and verification."""

from pathlib import Path

from PIL import Image

from experiments.report import plots
from experiments.report.document import (
    Block,
    Code,
    Paragraph,
    Plot,
    Ref,
    Section,
    Words,
    aside,
    capitalize_words,
    enumerate_words,
    join,
    paragraph,
)
from experiments.report.facts import EvaluationFacts, RunFacts
from experiments.report.phrases import SPACE, counted, decimal, describe_people, interval, percent, points
from experiments.report.study import Study
from experiments.report.tables import (
    CALIBRATION,
    EER,
    INTERVALS,
    confusion_table,
    evaluation_table,
    ranking_table,
    verification_table,
)

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
    blocks.append(ranking_table(study))
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
    if row.get("grad_norm") is not None:
        pieces.append(f". The gradients of its steps have a mean norm of {decimal(row['grad_norm'])}")
        if row.get("images_per_second") is not None:
            pieces.append(f"; {row['images_per_second']:,.0f} images a second were trained")
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


def _how_to_evaluate(study: Study, missing: list[RunFacts]) -> Paragraph:
    run = missing[0]
    command = Code(f"faces evaluate {run.folder} --data {run.environment.data or 'DATA'}")
    if study.single:
        return aside("Not evaluated. Intervals, calibration, confusions and the hardest images come with ", command)
    return aside(capitalize_words(study.call_all(missing)), ": not evaluated. For the first of these, run ", command)


def _evaluations(study: Study) -> list[Block]:
    """A sentence for one run, a table for several."""
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
        return [paragraph(best, study.call(run), f"{text}. {CALIBRATION}")]
    return [
        paragraph(Ref("evaluations"), " lists how the evaluated runs perform."),
        evaluation_table(study),
    ]


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
        whose = () if study.single else join(study.call(run), ": ")
        blocks.append(confusion_table(found.confusions, whose))
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


def verification_section(study: Study) -> Section:
    """Whether two images show the same person, for each run with a network that has embeddings."""
    blocks: list[Block] = []
    if study.verified:
        blocks += [_pairs(study), *_rates(study), *_roc_and_det(study)]
    return Section("Verification", [*blocks, *_missing(study)])


def _pairs(study: Study) -> Paragraph:
    """Which pairs, and how many of them."""
    found = [run.verified for run in study.verified]
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
    if len(study.verified) == 1:
        run, found = study.verified[0], study.verified[0].verified
        bounds = f" (95{SPACE}% interval {interval(found.intervals['eer'], 2)})" if "eer" in found.intervals else ""
        tars = "".join(f", TAR {percent(tar)} at FAR {far}" for far, tar in found.tar_at_far.items())
        folds = "" if found.lfw_accuracy is None else f", accuracy by folds {percent(found.lfw_accuracy, 2)}"
        text = (
            f": EER {percent(found.eer, 2)}{bounds}, AUC {decimal(found.auc, 4)}{tars}{folds}, threshold"
            f" {decimal(found.threshold)}. {EER}{INTERVALS if bounds else ''}"
        )
        return [paragraph(capitalize_words(study.call(run)), text)]
    return [verification_table(study)]


def _roc_and_det(study: Study) -> list[Block]:
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
    if remarks := drawn[0].verified.not_supported:
        blocks.append(paragraph(f"Limits of the rates: {'; '.join(remarks)}."))
    return blocks


def _missing(study: Study) -> list[Block]:
    """What would complete the section, in a line each."""
    blocks: list[Block] = []
    able = [run for run in study.runs if not run.verification]
    if able:
        command = Code(f"faces verify {able[0].folder} --pairs PAIRS --images DIR")
        who = capitalize_words(study.call_all(able))
        blocks.append(aside(who, ": not verified. Error rates, ROC and DET come with ", command))
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
