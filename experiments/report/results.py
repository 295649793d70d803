"""The sections on how good the runs are: learning curves, and the ranking.

The section on mistakes: what the evaluated runs get wrong, and how sure they are of it.
"""

from experiments.progress import format_duration
from experiments.report import figures as comparisons
from experiments.report import figures as curves
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
    capital,
    cells,
    counted,
    decimal,
    percent,
    points,
    say,
    sentence,
)
from experiments.report.facts import Evaluation, RunFacts
from experiments.report.study import Study

SMOOTHED = (
    "Training losses are those of augmented pictures, with label smoothing where a recipe has it; validation losses are"
    " without."
)


def learning_section(study: Study) -> Section:
    """Loss and accuracy by epoch."""
    learned = [family for family in study.families if family.first.learned]
    if not learned:
        return Section("Learning", [say("Class means have no epochs, and so no learning curves.")])
    blocks: list[Block] = []
    if len(study.families) == 1:
        about = "Loss and accuracy by epoch" + (", a line for each seed. " if len(study.runs) > 1 else ". ")
        blocks.append(_last_epoch(study))
        blocks.append(Figure("curves", (about + SMOOTHED,), curves.one_run(learned[0]), "loss and accuracy by epoch"))
    else:
        blocks.append(
            say(
                "Every run’s loss and top-1 on the validation pictures stand in ",
                Ref("together"),
                ", and each recipe’s training beside its validation in ",
                Ref("each"),
                ". Numbers are those of ",
                Ref("ranking-table"),
                ".",
            )
        )
        caption = (
            "Validation loss and top-1 of all runs; those of one recipe share a colour. A single point is a run that"
            " had nothing to learn, or one epoch."
        )
        blocks.append(
            Figure(
                "together",
                (caption,),
                curves.together(study.families),
                "validation loss and top-1 of all runs by epoch",
            )
        )
        caption = f"Loss and accuracy of each recipe by epoch, lines of one colour being seeds. {SMOOTHED}"
        blocks.append(Figure("each", (caption,), curves.each(learned), "loss and accuracy of each recipe by epoch"))
    silent = [run for run in study.runs if run.learned and all(row.get("train_top1") is None for row in run.history)]
    if silent:
        who = "" if study.single else f" of {Study.listed(silent)}"
        blocks.append(
            say(f"Training accuracy{who} is not given: under mixing or with a margin it would not mean what it says.")
        )
    return Section("Learning", blocks)


def _last_epoch(study: Study) -> Paragraph:
    run = study.runs[0]
    row = run.history[-1]
    words: list[str | Ref] = [Ref("curves"), " shows "]
    words.append(
        "the training. " if study.single else f"the trainings; run\N{NO-BREAK SPACE}{run.number} ended as follows. "
    )
    words.append(f"After the last epoch the training loss is {decimal(row['train_loss'])}")
    words.append(f" and the validation loss {decimal(row['loss'])}" if row["loss"] is not None else "")
    if row.get("train_top1") is not None and row["top1"] is not None:
        words.append(
            f"; {percent(row['train_top1'])} of the training pictures, as augmented, and {percent(row['top1'])} of the"
            " validation pictures are named rightly"
        )
    return Paragraph((*words, "."))


def comparison_section(study: Study) -> Section:
    """The runs side by side."""
    columns = [
        Column("run", "right"),
        Column("name", grow=1),
        Column("top-1", "right"),
        Column("top-5", "right"),
        Column("loss", "right"),
        Column("best\ntop-1", "right"),
        Column("images/s", "right"),
        Column("trained", "right"),
        Column("epochs", "right"),
    ]
    rows: list[tuple[Words, ...]] = []
    groups: set[int] = set()
    for family in study.families:
        groups.add(len(rows))
        rows += [_row(run) for run in family.runs]
    caption = (
        "The runs, the best recipe first. top-1, top-5 and loss are the last epoch’s on the validation pictures, which"
        " no validation picture chose; the best epoch’s top-1 is chosen by them."
    )
    blocks: list[Block] = []
    for family in study.families:
        spread, top1 = family.spread(), family.top1()
        if spread is not None:
            blocks.append(
                Paragraph(
                    (
                        f"Over its {counted(len(family.top1s()), 'seed')}, the recipe of ",
                        *family.called,
                        f" has a mean top-1 of {percent(top1)} with a standard deviation of {points(spread)}.",
                    )
                )
            )
    blocks.append(
        Table(
            "ranking-table",
            (caption,),
            columns,
            rows,
            frozenset(groups - {0}) if len(groups) < len(rows) else frozenset(),
        )
    )
    if any(family.top1() is not None for family in study.families):
        caption = (
            "Top-1 on validation pictures: after the last epoch (disc), of the best epoch (ring), and as evaluated with"
            " its 95\N{NO-BREAK SPACE}% interval (bar), which may average several views."
        )
        blocks.append(Figure("ranking", (caption,), comparisons.ranking(study.families), "top-1 of each run"))
        built = [family for family in study.families if family.first.anatomy and family.top1() is not None]
        if len({family.first.anatomy.flops for family in built if family.first.anatomy}) > 1:
            caption = (
                "Mean top-1 of each recipe against the network’s size and the work for a picture, on logarithmic axes."
                " Numbers are the runs’."
            )
            blocks.append(Figure("costs", (caption,), comparisons.costs(built), "top-1 against parameters and FLOPs"))
    return Section("Comparison", blocks)


def _row(run: RunFacts) -> tuple[Words, ...]:
    figures = run.metrics
    rate = figures.get("images_per_second")
    return cells(
        str(run.number),
        Code(run.name),
        percent(figures.get("top1")),
        percent(figures.get("top5")),
        decimal(figures.get("loss")),
        percent(figures.get("best_top1")),
        NONE if rate is None else f"{rate:,.0f}",
        format_duration(figures["seconds"]) if run.learned else NONE,
        str(figures.get("epoch", NONE)),
    )


def mistakes_section(study: Study) -> Section:
    """What the evaluated runs get wrong, and how sure they are; of the best of them, who is taken for whom."""
    blocks: list[Block] = []
    missing = [run for run in study.runs if not run.evaluation]
    if missing:
        blocks.append(_to_evaluate(study, missing))
    if not study.evaluated:
        return Section("Mistakes", blocks)
    blocks = [
        say("What the evaluated runs are worth stands in ", Ref("evaluations"), "."),
        _evaluations(study),
        *blocks,
    ]
    chosen = study.evaluated[0]
    assert chosen.evaluation is not None
    blocks += _of_one(study, chosen, chosen.evaluation)
    return Section("Mistakes", blocks)


def _to_evaluate(study: Study, missing: list[RunFacts]) -> Paragraph:
    run = missing[0]
    command = Code(f"faces evaluate {run.folder} --data {run.data or 'DATA'}")
    if study.single:
        return Paragraph(
            (
                "Not evaluated: intervals, calibration, who is taken for whom and the hardest pictures come with ",
                command,
            ),
            aside=True,
        )
    return Paragraph(
        (
            (
                f"{sentence(Study.listed(missing))}: not evaluated. What is missing of"
                f" run\N{NO-BREAK SPACE}{run.number} is made by "
            ),
            command,
        ),
        aside=True,
    )


def _evaluations(study: Study) -> Table:
    columns = [] if study.single else [Column("run", "right"), Column("name", grow=1)]
    columns += [
        Column("top-1", "right"),
        Column("95\N{NO-BREAK SPACE}%\ninterval", "right"),
        Column("top-5", "right"),
        Column("loss", "right"),
        Column("calibration\nerror", "right"),
        Column("temper-\nature", "right"),
        Column("views"),
        Column("pictures", "right"),
    ]
    rows = []
    for run in study.evaluated:
        assert run.evaluation is not None
        figures = run.evaluation.figures
        start = () if study.single else (str(run.number), Code(run.name))
        rows.append(
            cells(
                *start,
                percent(figures["top1"]),
                between(figures.get("top1_interval")) or NONE,
                percent(figures["top5"]),
                decimal(figures["loss"]),
                decimal(figures.get("ece")),
                decimal(figures.get("temperature"), 2),
                str(figures.get("views", "none")),
                f"{figures['images']:,}",
            )
        )
    caption = (
        "As evaluated, with the best epoch’s weights, which the same pictures chose. Intervals draw people again."
        " Calibration error: how far confidence is from the share right, on average; a temperature above 1 would calm a"
        " network that is too sure, one below 1 encourage it."
    )
    return Table("evaluations", (caption,), columns, rows)


def _of_one(study: Study, run: RunFacts, found: Evaluation) -> list[Block]:
    who: Words = () if study.single else (" of ", *study.call(run))
    lead: Words = () if study.single else (*capital(study.call(run)), ": ")
    start = str.lower if lead else str
    images, wrong = found.figures["images"], _wrong(found)
    blocks: list[Block] = []
    if found.people:
        perfect = sum(float(row["top1"]) == 1 for row in found.people)
        never = [row for row in found.people if float(row["top1"]) == 0]
        words: list[str | Code | Ref] = [
            f"{wrong:,} of the {images:,} pictures",
            *who,
            f" are named wrongly. Of {len(found.people):,} people, {perfect:,} are always named rightly",
        ]
        words.append(f" and {len(never):,} never: " if never else ", and nobody never")
        for place, row in enumerate(never[:6]):
            words += [", " if place else "", Code(row["identity"])]
        words += [" and others (" if len(never) > 6 else " (", Ref("people"), ")."]
        blocks.append(Paragraph(tuple(words)))
        caption = (
            *lead,
            f"{start('People')} by the share of their pictures that is named rightly; the broken line is the mean.",
        )
        blocks.append(Figure("people", caption, comparisons.people(run), "how many people have which share right", 0.6))
    if not found.confused:
        blocks.append(say("Nobody was taken for anybody else."))
        return blocks
    columns = [Column("is"), Column("was taken for"), Column("times", "right"), Column("of", "right")]
    rows = [cells(Code(row["true"]), Code(row["taken_for"]), row["times"], row["of"]) for row in found.confused]
    caption = (*lead, f"{start('The')} commonest mistakes: so many times, of so many pictures of that person.")
    blocks.append(Table("confused", caption, columns, rows))
    if found.confusion:
        caption = (*lead, f"{start('Who')} is taken for whom, as ", Code("faces evaluate"), " drew it.")
        blocks.append(Figure("confusion", caption, found.confusion, "confusion matrix", 0.62))
    if found.hardest:
        caption = (
            *lead,
            (
                f"{start('The')} hardest pictures: the mistakes that it is surest of, with its answer, how sure it is,"
                " and the truth."
            ),
        )
        blocks.append(Figure("hardest", caption, found.hardest, "the mistakes that the network is surest of", 0.9))
    return blocks


def _wrong(found: Evaluation) -> int:
    if found.people:
        return sum(int(row["images"]) - int(row["right"]) for row in found.people)
    return round(found.figures["images"] * (1 - found.figures["top1"]))
