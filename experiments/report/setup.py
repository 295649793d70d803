"""The sections on what was done: the data, the networks, and how they were trained.

Tables that several sections have: what all recipes share, and where they differ.
"""

from collections.abc import Callable, Sequence

from experiments.config.recipe import Recipe
from experiments.progress import format_duration
from experiments.report.document import (
    NONE,
    Block,
    Code,
    Column,
    Paragraph,
    Section,
    Table,
    Words,
    capital,
    cells,
    counted,
    large,
    listed,
    number,
    say,
)
from experiments.report.settings import Aspects, data_handling, hyper_parameters, network
from experiments.report.study import Family, Study

ACROSS = 4
"""Recipes side by side in a table; more go into another below it."""


def setting_tables(
    found: Sequence[Family], aspects: Callable[[Recipe], Aspects], label: str, about: str
) -> list[Block]:
    """What recipes do, as tables: of one, all of it; of several, what they share, then what they do not.

    about: what the settings decide, for the caption.
    """
    of_each = [aspects(family.first.recipe) for family in found]
    keys = list(dict.fromkeys(key for one in of_each for key in one))
    shared = [key for key in keys if all(one.get(key) == of_each[0].get(key) for one in of_each)]
    blocks: list[Block] = []
    if shared:
        caption = f"{about}." if len(found) == 1 else f"{about}: what all {number(len(found))} recipes share."
        rows = [cells(key, of_each[0][key]) for key in shared]
        blocks.append(Table(label, (caption,), [Column("setting"), Column("value", grow=1)], rows, breaks=True))
    differing = [key for key in keys if key not in shared]
    if not differing:
        return blocks
    for start in range(0, len(found), ACROSS):
        part, values = found[start : start + ACROSS], of_each[start : start + ACROSS]
        columns = [Column("setting"), *(Column(f"{family.numbers}  {family.name}", grow=1) for family in part)]
        rows = [cells(key, *(one.get(key, NONE) for one in values)) for key in differing]
        rows = [row for row in rows if any(cell != (NONE,) for cell in row[1:])]
        place = f" ({start // ACROSS + 1} of {-(-len(found) // ACROSS)})" if len(found) > ACROSS else ""
        caption = f"{about}: where the recipes differ{place}."
        blocks.append(Table(f"{label}-{start // ACROSS + 1}", (caption,), columns, rows, breaks=True))
    return blocks


PIECES = 3
"""Networks whose parts are listed one by one; of more, the table of all has to do."""


def data_section(study: Study) -> Section:
    """Which pictures, how they part, and what becomes of them."""
    folders = list(dict.fromkeys(run.data for run in study.runs if run.data))
    people = sorted({len(run.people) for run in study.runs})
    counts = f"{people[0]:,}" if len(people) == 1 else f"{people[0]:,} to {people[-1]:,}"
    words: list[str | Code] = ["The pictures are those of "]
    for place, folder in enumerate(folders):
        words += [", " if 0 < place < len(folders) - 1 else " and " if place else "", Code(folder)]
    words.append(f", a folder for each of {counts} people. " if folders else f"{counts} people. ")
    words.append("Those that validate are never trained on; pixels are scaled to 0..1 and normalised.")
    blocks: list[Block] = [Paragraph(tuple(words))]
    judged = {run.evaluation.figures["images"] for run in study.evaluated if run.evaluation}
    if judged and study.same_pictures and len(judged) == 1:
        blocks.append(say(f"{judged.pop():,} pictures validate, on average {_each(study)} of each person."))
    if not study.same_pictures:
        blocks.append(
            say(
                "The runs did not all learn from the same pictures, and so did not validate on the same: their figures"
                " can be compared with caution only."
            )
        )
    skipped = [(run, int(run.metrics["skipped"])) for run in study.runs if run.metrics.get("skipped")]
    for run, count in skipped:
        blocks.append(Paragraph((*study.call(run), f" left out {counted(count, 'picture')} that could not be read.")))
    return Section("Data", [*blocks, *setting_tables(study.families, data_handling, "data", "Data handling")])


def _each(study: Study) -> str:
    figures = next(run.evaluation.figures for run in study.evaluated if run.evaluation)
    return f"{figures['images'] / figures['identities']:.3g}"


def network_section(study: Study) -> Section:
    """The architectures: their settings, sizes and costs, and of few the parts."""
    blocks: list[Block] = list(
        setting_tables(study.families, network, "networks", "The network" if study.single else "Networks")
    )
    built = [family for family in study.families if family.first.anatomy]
    kinds = {str(family.first.recipe.model) + str(family.first.recipe.data.size): family for family in built}
    if len(study.families) > 1 and built:
        rows = [_costs(family) for family in built]
        columns = [
            Column("run", "right"),
            Column("name", grow=1),
            Column("network"),
            Column("picture"),
            Column("parameters", "right"),
            Column("FLOPs", "right"),
        ]
        caption = (
            (
                "Size and cost. FLOPs are those of one picture in evaluation, a multiply-add being two, counted on the"
                " networks as built."
            ),
        )
        blocks.append(Table("costs-table", caption, columns, rows))
    if len(kinds) <= PIECES:
        blocks += [_pieces(family, place, len(kinds)) for place, family in enumerate(kinds.values())]
    missing = [family for family in study.families if not family.first.anatomy]
    for family in missing:
        blocks.append(
            Paragraph(
                (
                    *_called(study, family),
                    (
                        " holds no best.safetensors, so that its network cannot be built and counted: copy the file to"
                        " where the run is, or train it again."
                    ),
                ),
                aside=True,
            )
        )
    return Section("Network" if study.single else "Networks", blocks)


def _costs(family: Family) -> tuple[Words, ...]:
    run = family.first
    assert run.anatomy is not None
    size = " × ".join(map(str, run.recipe.data.size))
    return cells(
        family.numbers,
        Code(family.name),
        run.recipe.model.name,
        size,
        f"{run.anatomy.parameters:,}",
        large(run.anatomy.flops),
    )


def _pieces(family: Family, place: int, kinds: int) -> Table:
    run = family.first
    assert run.anatomy is not None
    shown = [piece for piece in run.anatomy.pieces if piece.parameters or piece.output]
    shaped = any(piece.output for piece in shown)
    columns = [Column("part"), *([Column("output (C × H × W)")] if shaped else []), Column("parameters", "right")]
    rows = [
        cells(piece.name, *([piece.output] if shaped else []), f"{piece.parameters:,}" if piece.parameters else NONE)
        for piece in shown
    ]
    rows.append(cells("all", *([""] if shaped else []), f"{run.anatomy.parameters:,}"))
    whose = "" if kinds == 1 else f", run{'s' if len(family.runs) > 1 else ''}\N{NO-BREAK SPACE}{family.numbers}"
    height, width = run.recipe.data.size
    caption = (
        f"{run.recipe.model.name}{whose}, from the input to the people’s logits, for a picture of {height} × {width}"
        f" pixels: {large(run.anatomy.flops)} FLOPs."
    )
    return Table(f"pieces-{place}", (caption,), columns, rows, frozenset({len(rows) - 1}))


def training_section(study: Study) -> Section:
    """Hyper-parameters, seeds, time, and what is not finished."""
    blocks: list[Block] = []
    seeds = [family for family in study.families if len(family.runs) > 1]
    for family in seeds:
        of = listed([str(run.recipe.seed) for run in family.runs])
        blocks.append(Paragraph((*capital(family.called), f" are one recipe with the seeds {of}.")))
    blocks += setting_tables(study.families, hyper_parameters, "hyper", "Hyper-parameters")
    learned = [run for run in study.runs if run.learned]
    if learned:
        times = sorted(learned, key=lambda run: run.metrics["seconds"])
        text = f"Training took {format_duration(times[0].metrics['seconds'])}"
        if len(times) > 1:
            text += (
                f" (run\N{NO-BREAK SPACE}{times[0].number}) to {format_duration(times[-1].metrics['seconds'])}"
                f" (run\N{NO-BREAK SPACE}{times[-1].number})"
            )
        blocks.append(say(f"{text}{_machine(study)}."))
    for run in study.runs:
        if not run.complete:
            done = (
                f" stopped after epoch {len(run.history)} of {run.recipe.epochs}; its figures are those of that epoch."
                " To go on: "
            )
            command = str(run.environment.get("command", "faces train ..."))
            blocks.append(Paragraph((*capital(study.call(run)), done, Code(f"{command} --resume")), aside=True))
    return Section("Training", blocks)


def _machine(study: Study) -> str:
    machines = {(run.environment.get("machine"), run.environment.get("processors")) for run in study.runs}
    if len(machines) != 1 or None in (found := machines.pop()):
        return ""
    return f", on a machine ({found[0]}) with {counted(int(found[1]), 'processor')}"  # type: ignore[arg-type]


def _called(study: Study, family: Family) -> Words:
    return capital(study.call(study.runs[0]) if study.single else family.called)


def reproduction_section(study: Study) -> Section:
    """The commands that made the runs, their seeds and versions."""
    runs = [run for run in study.runs if run.environment]
    if not runs:
        return Section(
            "How the runs were made", [say("The runs’ folders hold no environment.json, which would say so.")]
        )
    columns = [] if study.single else [Column("run", "right")]
    columns += [Column("command", grow=1), Column("seed", "right"), Column("begun (UTC)")]
    rows = []
    for run in runs:
        started = str(run.environment.get("started", NONE)).replace("T", " ").rstrip("Z")
        start = () if study.single else (f"{run.number}",)
        rows.append(cells(*start, Code(str(run.environment.get("command", NONE))), str(run.recipe.seed), started))
    blocks: list[Block] = [Table("commands", ("The commands, as typed.",), columns, rows, breaks=True)]
    versions = {
        tuple(sorted({"python": run.environment.get("python"), **run.environment.get("packages", {})}.items()))
        for run in runs
    }
    for found in sorted(versions, key=str):
        text = listed([f"{name} {version}" for name, version in found])
        blocks.append(say(("All with " if len(versions) == 1 and len(runs) > 1 else "With ") + text + "."))
    folders = "its folder" if study.single else "their folders"
    blocks.append(
        say(
            f"Every setting stands in recipe.yaml in {folders}, and every epoch in history.csv; all figures here are"
            f" read from {folders}."
        )
    )
    return Section("How the run was made" if study.single else "How the runs were made", blocks)
