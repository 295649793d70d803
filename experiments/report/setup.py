"""The sections on what was done: the data, the networks, how they were trained, and how to repeat that."""

from collections.abc import Callable, Sequence

from experiments.config.recipe import Recipe
from experiments.progress import format_duration
from experiments.report.document import (
    Block,
    Code,
    Column,
    Paragraph,
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
from experiments.report.phrases import NONE, counted, enumerated, large, spelled
from experiments.report.settings import Aspects, describe_data, describe_network, describe_training
from experiments.report.statements import describe_range
from experiments.report.study import Family, Study

MAX_COLUMNS = 4
"""Recipes side by side in a table of settings; more go into another table below it."""

MAX_ROWS_UNBROKEN = 14
"""A table of settings with more rows may continue on the next page."""

MAX_NETWORKS_IN_PARTS = 3
"""Networks whose parts are listed one by one."""


def data_section(study: Study) -> Section:
    """Which images, how they are split, and how they are prepared."""
    folders = list(dict.fromkeys(run.environment.data for run in study.runs if run.environment.data))
    people = sorted({len(run.people) for run in study.runs})
    counts = describe_range(f"{people[0]:,}", f"{people[-1]:,}")
    blocks: list[Block] = [
        paragraph(
            "The images are those of ",
            join(enumerate_words([(Code(folder),) for folder in folders]), f", a folder for each of {counts} people. ")
            if folders
            else f"{counts} people. ",
            "Validation images are never trained on. Pixels are scaled to 0..1 and normalized.",
        )
    ]
    validated = {
        (m.images, m.identities) for run in study.evaluated if run.evaluation for m in [run.evaluation.metrics]
    }
    if study.same_images and len(validated) == 1:
        images, identities = validated.pop()
        blocks.append(
            paragraph(f"The validation set has {images:,} images, on average {images / identities:.3g} of each person.")
        )
    if not study.same_images:
        blocks.append(
            paragraph(
                "The runs did not all learn from the same images, so their validation sets differ, and their metrics"
                " can be compared only with caution."
            )
        )
    for run in study.runs:
        if count := run.metrics.skipped:
            name = capitalize_words(study.call(run))
            blocks.append(paragraph(name, f" skipped {counted(count, 'image')} that could not be read."))
    return Section("Data", [*blocks, *setting_tables(study.families, describe_data, "data", "Data preparation")])


def network_section(study: Study) -> Section:
    """The architectures: their settings, sizes and costs, and the parts of the first few."""
    title = "Network" if study.single else "Networks"
    blocks = setting_tables(study.families, describe_network, "networks", "The network" if study.single else title)
    built = [family for family in study.families if family.first.anatomy]
    if len(study.families) > 1 and len(built) > 1:
        columns = [
            Column("run", grow=1),
            Column("network"),
            Column("image"),
            Column("parameters", "right"),
            Column("FLOPs", "right"),
        ]
        caption = (
            "Size and cost. FLOPs are those of one image in evaluation, counted on the networks as built; a"
            " multiply-add is two."
        )
        blocks.append(Table("costs-table", (caption,), columns, [_cost_row(family) for family in built]))
    kinds = {str(family.first.recipe.model) + str(family.first.recipe.data.size): family for family in built}
    if len(kinds) <= MAX_NETWORKS_IN_PARTS:
        blocks += [_part_table(family, place) for place, family in enumerate(kinds.values())]
    for family in study.families:
        if not family.first.anatomy:
            blocks.append(
                aside(
                    capitalize_words(study.call(family.first)),
                    " has no best.safetensors, so its network cannot be built and counted: copy the file to the run's"
                    " folder, or train again.",
                )
            )
    return Section(title, blocks)


def training_section(study: Study) -> Section:
    """Hyperparameters, seeds, time, and what is not finished."""
    blocks: list[Block] = []
    for family in study.families:
        if len(family.runs) > 1:
            seeds = enumerated([str(run.recipe.seed) for run in family.runs])
            blocks.append(paragraph(family.called, f" is one recipe with the seeds {seeds}."))
    blocks += setting_tables(study.families, describe_training, "hyper", "Hyperparameters")
    learned = sorted((run for run in study.runs if run.learned), key=lambda run: run.metrics.seconds)
    if learned:
        blocks.append(paragraph("Training took ", _duration(study, learned), f"{_machine(study)}."))
    for run in study.runs:
        if not run.complete:
            command = Code(f"{run.environment.command or 'faces train ...'} --resume")
            done = (
                f" stopped after epoch {len(run.history)} of {run.recipe.epochs}; its metrics are those of that epoch."
                " To continue: "
            )
            blocks.append(aside(capitalize_words(study.call(run)), done, command))
    return Section("Training", blocks)


def reproduction_section(study: Study) -> Section:
    """The commands that made the runs, their seeds and versions."""
    title = "How the run was made" if study.single else "How the runs were made"
    runs = [run for run in study.runs if run.environment.command]
    if not runs:
        return Section(title, [paragraph("Nothing is known of it: there is no environment.json in the run's folder.")])
    blocks: list[Block] = [_commands(study, runs)]
    versions = {
        tuple(sorted({"python": run.environment.python, **run.environment.packages}.items())): None for run in runs
    }
    for found in sorted(versions):
        text = enumerated([f"{name} {version}" for name, version in found])
        start = "All runs used " if len(versions) == 1 and len(runs) > 1 else "It used " if study.single else "Used: "
        blocks.append(paragraph(f"{start}{text}."))
    folders = "the run's folder" if study.single else "each run's folder"
    blocks.append(
        paragraph(
            f"Every setting is in recipe.yaml in {folders}, and every epoch in history.csv; all numbers of this report"
            " are read from there."
        )
    )
    return Section(title, blocks)


def setting_tables(
    found: Sequence[Family], aspects: Callable[[Recipe], Aspects], label: str, about: str
) -> list[Block]:
    """What recipes do, as tables: of one, all of it; of several, what they share, then where they differ.

    A table of one row is a sentence instead. about: what the settings decide, for the caption.
    """
    of_each = [aspects(family.first.recipe) for family in found]
    keys = list(dict.fromkeys(key for one in of_each for key in one))
    shared = [key for key in keys if all(one.get(key) == of_each[0].get(key) for one in of_each)]
    blocks: list[Block] = []
    if len(shared) == 1:
        whose = "" if len(found) == 1 else f", the same in all {spelled(len(found))} recipes"
        blocks.append(paragraph(f"{about}{whose}: {shared[0]} {of_each[0][shared[0]]}."))
    elif shared:
        caption = f"{about}." if len(found) == 1 else f"{about}: what all {spelled(len(found))} recipes share."
        rows = [cells(key, of_each[0][key]) for key in shared]
        blocks.append(
            Table(
                label,
                (caption,),
                [Column("setting"), Column("value", grow=1)],
                rows,
                breaks=len(rows) > MAX_ROWS_UNBROKEN,
            )
        )
    differing = [key for key in keys if key not in shared]
    if len(differing) == 1:
        values = [
            join(f"{one.get(differing[0], 'none')} (", family.called, ")")
            for family, one in zip(found, of_each, strict=True)
        ]
        blocks.append(paragraph(f"{about}: the recipes differ in one setting, {differing[0]}: ", _list(values), "."))
    elif differing:
        blocks += _difference_tables(found, of_each, differing, label, about)
    return blocks


def _list(items: Sequence[Words]) -> Words:
    found: list[str | Words] = []
    for item in items:
        found += ["; " if found else "", item]
    return join(*found)


def _difference_tables(
    found: Sequence[Family], of_each: Sequence[Aspects], keys: Sequence[str], label: str, about: str
) -> list[Block]:
    blocks: list[Block] = []
    tables = -(-len(found) // MAX_COLUMNS)
    for number, start in enumerate(range(0, len(found), MAX_COLUMNS), 1):
        part, values = found[start : start + MAX_COLUMNS], of_each[start : start + MAX_COLUMNS]
        columns = [Column("setting"), *(Column(family.name, grow=1) for family in part)]
        rows = [cells(key, *(one.get(key, NONE) for one in values)) for key in keys]
        rows = [row for row in rows if any(cell != (NONE,) for cell in row[1:])]
        place = f" ({number} of {tables})" if tables > 1 else ""
        caption = f"{about}: where the recipes differ{place}."
        blocks.append(Table(f"{label}-{number}", (caption,), columns, rows, breaks=len(rows) > MAX_ROWS_UNBROKEN))
    return blocks


def _cost_row(family: Family) -> tuple[Words, ...]:
    run = family.first
    assert run.anatomy is not None
    size = " × ".join(map(str, run.recipe.data.size))
    return cells(family.called, run.recipe.model.name, size, f"{run.anatomy.parameters:,}", large(run.anatomy.flops))


def _part_table(family: Family, place: int) -> Table:
    run = family.first
    assert run.anatomy is not None
    shown = [part for part in run.anatomy.parts if part.parameters or part.output]
    shaped = any(part.output for part in shown)
    columns = [Column("part"), *([Column("output (C × H × W)")] if shaped else []), Column("parameters", "right")]
    rows = [
        cells(part.name, *([part.output] if shaped else []), f"{part.parameters:,}" if part.parameters else NONE)
        for part in shown
    ]
    rows.append(cells("all", *([""] if shaped else []), f"{run.anatomy.parameters:,}"))
    height, width = run.recipe.data.size
    caption = (
        f"The parts of {run.recipe.model.name}, from input to logits. An image of {height} × {width} pixels takes"
        f" {large(run.anatomy.flops)} FLOPs."
    )
    return Table(f"parts-{place}", (caption,), columns, rows, frozenset({len(rows) - 1}))


def _duration(study: Study, runs: Sequence[RunFacts]) -> Words:
    """The time of the fastest and the slowest run, fastest first."""
    shortest, longest = (format_duration(run.metrics.seconds) for run in (runs[0], runs[-1]))
    if shortest == longest:
        return (shortest,)
    return join(f"{shortest} (", study.call(runs[0]), f") to {longest} (", study.call(runs[-1]), ")")


def _machine(study: Study) -> str:
    machines = {(run.environment.machine, run.environment.processors) for run in study.runs}
    if len(machines) != 1:
        return ""
    name, processors = machines.pop()
    return f", on a machine ({name}) with {counted(processors, 'processor')}" if name and processors else ""


def _commands(study: Study, runs: Sequence[RunFacts]) -> Table | Paragraph:
    """The commands as typed: a sentence for one run, a table for several."""

    def started(run: RunFacts) -> str:
        return run.environment.started.replace("T", " ").rstrip("Z")

    if len(runs) == 1:
        run = runs[0]
        when = f", started {started(run)} (UTC)" if started(run) else ""
        made = join(capitalize_words(study.call(run)), " was made with ", Code(run.environment.command))
        return paragraph(made, f" and the seed {run.recipe.seed}{when}.")
    columns = [Column("run", grow=1), Column("command", grow=3), Column("seed", "right"), Column("started (UTC)")]
    rows = [
        cells(Code(run.name), Code(run.environment.command), str(run.recipe.seed), started(run) or NONE) for run in runs
    ]
    return Table("commands", ("The commands, as typed.",), columns, rows, breaks=True)
