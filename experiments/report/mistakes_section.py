"""The section on mistakes: what the evaluated runs get wrong, and how sure they are of it."""

from experiments.report import comparisons
from experiments.report.document import (
    Block,
    Code,
    Column,
    Figure,
    Paragraph,
    Ref,
    Section,
    Table,
    Words,
    capital,
    cells,
    say,
)
from experiments.report.facts import Evaluation, RunFacts
from experiments.report.phrases import NONE, between, decimal, percent, sentence
from experiments.report.study import Study


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
