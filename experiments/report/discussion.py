"""The discussion: which settings did best and by how much, as far as the figures say so; and what they do not say.

The section on limits: what the figures cannot say, by what the runs are.
"""

from typing import Any

from experiments.report.document import (
    NONE,
    SPACE,
    Block,
    Code,
    Column,
    Paragraph,
    Ref,
    Section,
    Table,
    between,
    cells,
    counted,
    decimal,
    large,
    percent,
    points,
    say,
    sentence,
)
from experiments.report.facts import RunFacts
from experiments.report.settings import hyper_parameters, network
from experiments.report.study import Family, Study

MOST = 8
"""Pairs of recipes that differ in one thing, in the table of them."""

RISE = 1.05
"""Times the least validation loss, up to which the loss counts as level."""


def discussion_section(study: Study) -> Section:
    """Best settings, one difference at a time, learning, calibration, cost and verification."""
    best = study.best
    if best is None:
        return Section("Discussion", [say("Without validation pictures there is no figure to judge settings by.")])
    blocks: list[Block] = [_best_settings(study, best)]
    if len(study.families) > 1:
        blocks += [*_margin(study, best), *_one_at_a_time(study), *_cost(study, best)]
    blocks += [*_learning(study, best.first), *_calibration(study), *_verification(study)]
    return Section("Discussion", blocks)


def _best_settings(study: Study, best: Family) -> Paragraph:
    recipe = best.first.recipe
    net, learning = network(recipe), hyper_parameters(recipe)
    if "training" in learning:
        text = f": {net['network']}, of whose embeddings each person’s mean is taken."
    else:
        smoothing = f", label smoothing {learning['label smoothing']}" if recipe.label_smoothing else ""
        text = (
            f": {net['network']}, dropout {net['dropout']}, {learning['optimiser']} with a learning rate of"
            f" {learning['learning rate']} ({learning['schedule']}), weight decay"
            f" {learning['weight decay']}{smoothing}, {learning['epochs']} epochs in batches of"
            f" {learning['batch size']}."
        )
    if study.single:
        return say("The settings", text)
    return Paragraph(("Best settings: those of ", *best.called, text))


def _margin(study: Study, best: Family) -> list[Block]:
    """How far the second is behind, and whether that is more than luck."""
    ranked = [family for family in study.families[1:] if family.top1() is not None]
    if not ranked:
        return []
    second = ranked[0]
    gap = (best.top1() or 0) - (second.top1() or 0)
    words: list[Any] = ["It is ", points(gap), " of top-1 ahead of ", *second.called, ". "]
    spreads = [spread for family in (best, second) if (spread := family.spread()) is not None]
    intervals = [
        interval
        for run in (best.first, second.first)
        if run.evaluation and (interval := run.evaluation.figures.get("top1_interval"))
    ]
    if spreads:
        verdict = "more" if gap > 2 * max(spreads) else "no more"
        words.append(f"That is {verdict} than twice the standard deviation over seeds ({points(max(spreads))}). ")
    elif len(intervals) == 2:
        one, other = intervals
        apart = one[0] > other[1] or other[0] > one[1]
        verdict = "do not overlap" if apart else "overlap, so that the order of the two is not sure"
        words.append(f"Their intervals as evaluated, {between(one)} and {between(other)}, {verdict}. ")
    elif best.first.pictures != second.first.pictures:
        words.append("They validated on different pictures. ")
    else:
        words.append("Neither seeds nor intervals of both say whether that is more than luck. ")
    return [Paragraph(tuple(words))]


def _one_at_a_time(study: Study) -> list[Block]:
    """Pairs of recipes that differ in one group of settings alone: what the difference is worth."""
    rows = []
    for place, better in enumerate(study.families):
        for worse in study.families[place + 1 :]:
            changed = _difference(better.first, worse.first)
            top1s = better.top1(), worse.top1()
            if (
                changed
                and top1s[0] is not None
                and top1s[1] is not None
                and better.first.pictures == worse.first.pictures
            ):
                rows.append(
                    cells(
                        Code("\n".join(key for key, _, _ in changed)),
                        Code("\n".join(one for _, one, _ in changed)),
                        f"{percent(top1s[0])} ({better.numbers})",
                        Code("\n".join(other for _, _, other in changed)),
                        f"{percent(top1s[1])} ({worse.numbers})",
                        f"{100 * (top1s[0] - top1s[1]):.1f}",
                    )
                )
    if not rows:
        return [
            say(
                "No two recipes differ in a single group of settings, so that no difference can be put down to one"
                " cause."
            )
        ]
    columns = [
        Column("setting", grow=1.4),
        Column("better", grow=1),
        Column("top-1 (runs)", "right"),
        Column("worse", grow=1),
        Column("top-1 (runs)", "right"),
        Column("points", "right"),
    ]
    caption = (
        "Recipes that differ in one group of settings alone, and what the difference is worth on the validation"
        " pictures."
    )
    return [
        say(
            "What single settings are worth can be read where two recipes differ in nothing else (", Ref("single"), ")."
        ),
        Table("single", (caption,), columns, rows[:MOST]),
    ]


def _difference(one: RunFacts, other: RunFacts) -> list[tuple[str, str, str]]:
    """The settings that differ, and their values, where they all belong to one group; else none."""
    trees = [run.recipe.model_dump(mode="json", exclude={"seed", "about"}) for run in (one, other)]
    changed = [key for key in trees[0] if trees[0][key] != trees[1].get(key)]
    if len(changed) != 1:
        return []
    (group,) = changed
    flat = [_flat(tree[group], group) for tree in trees]
    keys = [key for key in {**flat[0], **flat[1]} if flat[0].get(key) != flat[1].get(key)]
    return [(key, str(flat[0].get(key, NONE)), str(flat[1].get(key, NONE))) for key in keys]


def _flat(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {name: value}
    return {key: inner for part, below in value.items() for key, inner in _flat(below, f"{name}.{part}").items()}


def _learning(study: Study, run: RunFacts) -> list[Block]:
    """Over-fitting, and whether longer training may pay, by the best run's history."""
    rows = [row for row in run.history if row.get("loss") is not None and row["epoch"]]
    if len(rows) < 2:
        return []
    last, least = rows[-1], min(rows, key=lambda row: row["loss"])
    words: list[Any] = []
    if last.get("train_top1") is not None:
        gap = last["train_top1"] - last["top1"]
        side = "above" if gap >= 0 else "below"
        words.append(f"In the last epoch accuracy in training lies {points(gap)} {side} that in validation. ")
    if least is not last:
        words.append(
            f"The validation loss is least after epoch {least['epoch']}, {decimal(least['loss'])}, and"
            f" {decimal(last['loss'])} at the end: "
        )
        words.append(_ending(run, least, last))
    else:
        words.append("The validation loss is least after the last epoch, so that more epochs may help. ")
    return [Paragraph((*(() if study.single else ("Of ", *study.call(run), ": ")), *words))]


def _ending(run: RunFacts, least: dict[str, Any], last: dict[str, Any]) -> str:
    """What became of the training after the least validation loss."""
    if last["loss"] <= RISE * least["loss"]:
        return "it has levelled out. "
    best = run.metrics.get("best_epoch") or 0
    if best > least["epoch"]:
        return f"the network grew too sure of its mistakes, though it names most rightly after epoch {best}. "
    return "from there on the network fitted the training pictures alone. "


def _calibration(study: Study) -> list[Block]:
    run = next((run for run in study.evaluated if run.evaluation and run.evaluation.figures.get("temperature")), None)
    if run is None or run.evaluation is None:
        return []
    figures = run.evaluation.figures
    sure = "too sure of itself" if figures["temperature"] > 1 else "less sure than it might be"
    words = (
        f" is {sure}: at a temperature of {decimal(figures['temperature'], 2)} its calibration error falls from"
        f" {decimal(figures['ece'])} to {decimal(figures['ece_tempered'])}, and its answers stay the same."
    )
    who = study.call(run)
    return [Paragraph((*(("The network",) if study.single else ("The network of ", *who)), words))]


def _cost(study: Study, best: Family) -> list[Block]:
    """The lightest recipe, where it is another than the best."""
    built = [family for family in study.families if family.first.anatomy and family.top1() is not None]
    if best not in built or len(built) < 2:
        return []
    lightest = min(built, key=lambda family: family.first.anatomy.flops if family.first.anatomy else 0)
    one, other = best.first.anatomy, lightest.first.anatomy
    if one is None or other is None or other.flops >= one.flops:
        return []
    gap = (best.top1() or 0) - (lightest.top1() or 0)
    times = one.flops / other.flops
    return [
        Paragraph(
            (
                "The lightest network is that of ",
                *lightest.called,
                (
                    f": {large(other.flops)} FLOPs a picture, where the best takes {large(one.flops)}, {times:.3g}"
                    f" times as many, for {points(gap)} of top-1."
                ),
            )
        )
    ]


def _verification(study: Study) -> list[Block]:
    if study.single or len(study.verified) < 2:
        return []
    first = study.verified[0]
    named = max(study.verified, key=lambda run: run.metrics.get("top1") or 0.0)
    figures = first.verification.figures if first.verification else {}
    words: list[Any] = [
        "Of the ",
        counted(len(study.verified), "verified run"),
        ", ",
        *study.call(first),
        f" tells strangers apart best, with an EER of {percent(figures['eer'], 2)}",
    ]
    words.append(
        ", and names the known best, too."
        if named is first
        else f"; the best at naming the known is run{SPACE}{named.number}. The two are not the same skill."
    )
    return [Paragraph(tuple(words))]


FACES = ("inception_resnet_v1", "inception_resnet_v1_pooled", "mobilefacenet")
"""Backbones whose weights, where they have any, come from faces."""


def limits_section(study: Study) -> Section:
    """Choice by the pictures that judge, luck, few pictures, people known beforehand, and fair use."""
    blocks: list[Block] = []
    if study.best is not None:
        blocks.append(
            say(
                "The validation pictures chose the best epoch, and whoever compared runs by them chose settings, too:"
                " figures of best epochs are a little too good, and pictures that nobody looked at would be the fair"
                " test."
            )
        )
        blocks.append(_luck(study))
    pretrained = [run for run in study.runs if run.pytorch and run.recipe.torch_model.weights != "none"]
    if pretrained:
        faces = [run for run in pretrained if run.recipe.torch_model.backbone in FACES]
        who = "The network" if study.single else sentence(Study.listed(pretrained))
        begins = "begin" if len(pretrained) > 1 else "begins"
        text = (
            f"{who} {begins} with pretrained weights; whether the people here were among the pictures that made them,"
            " no run’s folder says."
        )
        if faces:
            text += (
                " Weights of face networks often come from VGGFace2 or other public collections. Competitions whose"
                " folders are called n000001 and so on take their people from VGGFace2: such weights have seen most of"
                " them, and the figures are better than they would be for strangers."
            )
        blocks.append(say(text))
    small = [run for run in study.verified if run.verification and run.verification.figures.get("people", 1000) < 100]
    if small and small[0].verification:
        people = small[0].verification.figures["people"]
        blocks.append(
            say(
                f"The pairs of the verification show {counted(int(people), 'person', 'people')}: error rates of so few"
                " hold for them, and roughly for others."
            )
        )
    if not study.same_pictures:
        blocks.append(
            say("The runs validated on different pictures, so that part of their differences is one of pictures.")
        )
    unfinished = [run for run in study.runs if not run.complete]
    if unfinished and not study.single:
        blocks.append(say(f"{sentence(Study.listed(unfinished))} stopped before the last epoch."))
    blocks.append(
        say(
            "A face recognised is a person singled out. Figures such as these hold for the people and pictures they"
            " were measured on; errors fall unevenly on groups of people, and what follows from a match wants a human’s"
            " judgement and the consent of those shown."
        )
    )
    return Section("Limits", blocks)


def _luck(study: Study) -> Paragraph:
    seeds = [family for family in study.families if len(family.runs) > 1]
    if study.single:
        return say(
            "One run with one seed does not say how much of its figures is luck; others come with ",
            Code("--set seed=1"),
            ".",
        )
    if not seeds:
        return say(
            "Every recipe was run with one seed, so that small differences may be luck; more come with ",
            Code("--set seed=1"),
            ".",
        )
    if len(seeds) < len(study.families):
        return say(
            f"Only {counted(len(seeds), 'recipe')} of {len(study.families)} ran with several seeds; small differences"
            " between the others may be luck."
        )
    return say("Standard deviations over a few seeds are themselves rough.")
