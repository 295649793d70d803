"""The last sections: which settings did best and by how much, as far as the numbers say; and what they do not say."""

from typing import Any

from experiments.report.document import (
    Block,
    Code,
    Paragraph,
    Ref,
    Section,
    Words,
    capitalize_words,
    cells,
    join,
    paragraph,
)
from experiments.report.facts import RunFacts
from experiments.report.phrases import (
    NONE,
    counted,
    describe_calibration,
    describe_cost,
    describe_generalization,
    describe_intervals,
    describe_lead,
    describe_losses,
    describe_spread,
    large,
    percent,
    spelled,
)
from experiments.report.settings import describe_network, describe_training
from experiments.report.study import Family, Study
from experiments.report.tables import difference_table

MAX_DIFFERENCES = 8
"""Pairs of recipes that differ in one group of settings, in the table of them."""

FEW_PEOPLE = 100
"""Verification with fewer people is told as a limit."""

FACE_BACKBONES = ("inception_resnet_v1", "inception_resnet_v1_pooled", "mobilefacenet")
"""Backbones whose pretrained weights were learned from faces."""


def discussion_section(study: Study) -> Section:
    """Best settings, one difference at a time, cost, learning, calibration and verification."""
    best = study.best
    if best is None:
        return Section(
            "Discussion", [paragraph("Without validation images there are no metrics to compare settings by.")]
        )
    blocks: list[Block] = [_best_settings(study, best)]
    if len(study.families) > 1:
        blocks += [*_lead(study, best), *_single_differences(study), *_cost(study, best)]
    blocks += [*_learning(study, best.first), *_calibration(study), *_verification(study)]
    return Section("Discussion", blocks)


def limits_section(study: Study) -> Section:
    """Selection on the validation images, chance, few images, people seen before, and fair use."""
    blocks: list[Block] = []
    if study.best is not None:
        blocks.append(
            paragraph(
                "The validation images chose the best epoch, and comparing runs by them chooses settings too: metrics"
                " of best epochs are a little too good. Images that no one has looked at would be the fair test."
            )
        )
        blocks.append(_chance(study))
    blocks += _pretrained(study)
    people = [m.people for run in study.verified if run.verification for m in [run.verification.metrics] if m.people]
    if people and min(people) < FEW_PEOPLE:
        blocks.append(
            paragraph(
                f"The verification pairs show only {counted(min(people), 'person', 'people')}: their error rates hold"
                " for them, and only roughly for others."
            )
        )
    if not study.same_images:
        blocks.append(
            paragraph("The runs were validated on different images, which is part of the difference between them.")
        )
    unfinished = [run for run in study.runs if not run.complete]
    if unfinished and not study.single:
        blocks.append(paragraph(capitalize_words(study.call_all(unfinished)), " stopped before the last epoch."))
    blocks.append(
        paragraph(
            "To recognize a face is to single out a person. Metrics such as these hold for the people and images they"
            " were measured on, and errors are uneven across groups of people. What follows from a match needs human"
            " judgment, and the consent of those shown."
        )
    )
    return Section("Limits", blocks)


def _best_settings(study: Study, best: Family) -> Paragraph:
    recipe = best.first.recipe
    network, training = describe_network(recipe), describe_training(recipe)
    if "training" in training:
        text = f": {network['network']}, with the mean embedding of each person."
    else:
        smoothing = f", label smoothing {training['label smoothing']}" if recipe.label_smoothing else ""
        text = (
            f": {network['network']}, dropout {network['dropout']}, {training['optimizer']} with a learning rate of"
            f" {training['learning rate']} ({training['schedule']}), weight decay {training['weight decay']}"
            f"{smoothing}, {counted(recipe.epochs, 'epoch')} with batches of {training['batch size']}."
        )
    if study.single:
        return paragraph("The settings", text)
    return paragraph("The best settings are those of ", best.called, text)


def _lead(study: Study, best: Family) -> list[Block]:
    """How far the second is behind, and whether that is more than chance."""
    if len(study.ranked) < 2:
        return []
    second = study.ranked[1]
    gap = (best.top1() or 0) - (second.top1() or 0)
    spreads = [spread for family in (best, second) if (spread := family.spread()) is not None]
    evaluations = [run.evaluation.metrics for run in (best.first, second.first) if run.evaluation]
    intervals = [metrics.top1_interval for metrics in evaluations if metrics.top1_interval]
    if spreads:
        verdict = describe_spread(gap, max(spreads))
    elif len(intervals) == 2:
        verdict = describe_intervals(*intervals)
    elif best.first.environment.images != second.first.environment.images:
        verdict = "They were validated on different images."
    else:
        verdict = "Without several seeds or intervals of both, this may be chance."
    return [paragraph(describe_lead(gap), second.called, ". ", verdict)]


def _single_differences(study: Study) -> list[Block]:
    """Pairs of recipes that differ in one group of settings: what the difference is worth."""
    rows = []
    for place, one in enumerate(study.ranked):
        for other in study.ranked[place + 1 :]:
            changed = _difference(one.first, other.first)
            if changed and one.first.environment.images == other.first.environment.images:
                rows.append(_difference_row(one, other, changed))
    if not rows:
        return [paragraph("No two recipes differ in a single group of settings, so no difference has one known cause.")]
    if len(rows) == 1:
        setting, value, top1, other_value, other_top1, gap = rows[0]
        return [
            paragraph(
                "Two recipes differ in one group of settings alone, ", setting, ": ", value, " has a top-1 of ", top1,
                ", ", other_value, " of ", other_top1, ", a difference of ", gap, " points.",
            )
        ]  # fmt: skip
    more = f" The table has {MAX_DIFFERENCES} of {len(rows)} such pairs." if len(rows) > MAX_DIFFERENCES else ""
    return [
        paragraph(
            "What single settings are worth is seen where recipes differ in nothing else (", Ref("single"), ").", more
        ),
        difference_table(rows[:MAX_DIFFERENCES]),
    ]


def _difference_row(one: Family, other: Family, changed: list[tuple[str, str, str]]) -> tuple[Words, ...]:
    top1s = one.top1() or 0.0, other.top1() or 0.0
    return cells(
        Code("\n".join(key for key, _, _ in changed)),
        join(Code("\n".join(value for _, value, _ in changed)), " (", one.called, ")"),
        percent(top1s[0]),
        join(Code("\n".join(value for _, _, value in changed)), " (", other.called, ")"),
        percent(top1s[1]),
        f"{100 * (top1s[0] - top1s[1]):.1f}",
    )


def _difference(one: RunFacts, other: RunFacts) -> list[tuple[str, str, str]]:
    """The settings that differ, and their values, where they all belong to one group; else none."""
    trees = [run.recipe.model_dump(mode="json", exclude={"seed", "about"}) for run in (one, other)]
    changed = [key for key in trees[0] if trees[0][key] != trees[1].get(key)]
    if len(changed) != 1:
        return []
    (group,) = changed
    flat = [_flatten(tree[group], group) for tree in trees]
    keys = [key for key in {**flat[0], **flat[1]} if flat[0].get(key) != flat[1].get(key)]
    return [(key, str(flat[0].get(key, NONE)), str(flat[1].get(key, NONE))) for key in keys]


def _flatten(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {name: value}
    return {key: inner for part, below in value.items() for key, inner in _flatten(below, f"{name}.{part}").items()}


def _cost(study: Study, best: Family) -> list[Block]:
    """The recipe with the fewest FLOPs, where it is another than the best."""
    built = [family for family in study.ranked if family.first.anatomy]
    if best not in built or len(built) < 2:
        return []
    lightest = min(built, key=lambda family: family.first.anatomy.flops if family.first.anatomy else 0)
    one, other = best.first.anatomy, lightest.first.anatomy
    if one is None or other is None or large(other.flops) == large(one.flops):
        return []
    times, gap = one.flops / other.flops, (best.top1() or 0) - (lightest.top1() or 0)
    text = f": {large(other.flops)} FLOPs per image. The best needs {large(one.flops)}, {describe_cost(times, gap)}."
    return [paragraph("The lightest network is that of ", lightest.called, text)]


def _learning(study: Study, run: RunFacts) -> list[Block]:
    """Overfitting, and whether longer training may help, by the best run's history."""
    rows = [row for row in run.history if row.get("loss") is not None and row["epoch"]]
    if len(rows) < 2:
        return []
    last = rows[-1]
    text = ""
    if last.get("train_top1") is not None and last.get("top1") is not None:
        text = describe_generalization(last["train_top1"], last["top1"])
    text += describe_losses([row["epoch"] for row in rows], [row["loss"] for row in rows], run.metrics.best_epoch)
    return [paragraph(*(() if study.single else (study.call(run), ": ")), text)]


def _calibration(study: Study) -> list[Block]:
    for run in study.evaluated:
        found = run.evaluation.metrics if run.evaluation else None
        if found and found.temperature is not None and found.ece is not None and found.ece_tempered is not None:
            whose = "The network " if study.single else join("The network of ", study.call(run), " ")
            return [paragraph(whose, describe_calibration(found.temperature, found.ece, found.ece_tempered))]
    return []


def _verification(study: Study) -> list[Block]:
    """Whether the best verifier is the best classifier, too."""
    if study.single or len(study.verified) < 2:
        return []
    best, eer = study.lowest_eer, study.verified[0].verification
    assert eer is not None
    start = join(
        f"Of the {counted(len(study.verified), 'verified run')}, ", study.call_all(best),
        f" {'has' if len(best) == 1 else 'have'} the lowest EER, {percent(eer.metrics.eer, 2)}",
    )  # fmt: skip
    classifiers = [run for run in study.verified if run.metrics.top1 is not None]
    if len(best) > 1 or len(classifiers) < 2 or best[0] not in classifiers:
        return [paragraph(start, ".")]
    highest = max(run.metrics.top1 or 0.0 for run in classifiers)
    top = [run for run in classifiers if percent(run.metrics.top1) == percent(highest)]
    if top == best:
        return [paragraph(start, ", and the highest top-1 as well.")]
    if best[0] in top:
        return [paragraph(start, "; no other has a higher top-1.")]
    return [paragraph(start, "; the highest top-1 is that of ", study.call_all(top), ". The two skills differ.")]


def _chance(study: Study) -> Paragraph:
    seeds = [family for family in study.families if len(family.runs) > 1]
    command = Code("--set seed=1")
    if study.single:
        return paragraph(
            "One run with one seed does not show how much of its metrics is chance; more come with ", command, "."
        )
    if not seeds:
        return paragraph(
            "Every recipe ran with one seed, so small differences may be chance; more come with ", command, "."
        )
    if len(seeds) < len(study.families):
        return paragraph(
            f"Only {counted(len(seeds), 'recipe')} of {spelled(len(study.families))} ran with several seeds; small"
            " differences between the others may be chance."
        )
    return paragraph("Standard deviations over a few seeds are themselves rough.")


def _pretrained(study: Study) -> list[Block]:
    pretrained = [run for run in study.runs if run.pytorch and run.recipe.torch_model.weights != "none"]
    if not pretrained:
        return []
    text = (
        " began with pretrained weights. The run's folder does not say whether the"
        " people here were among the images that made these weights."
    )
    if any(run.recipe.torch_model.backbone in FACE_BACKBONES for run in pretrained):
        text += (
            " Weights of face networks often come from VGGFace2 or other public collections. Competitions whose folders"
            " are called n000001 and so on take their people from VGGFace2: such weights have seen most of them, and"
            " the metrics are better than they would be for strangers."
        )
    return [paragraph(capitalize_words(study.call_all(pretrained)), text)]
