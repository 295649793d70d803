"""The sections on what was done: the data, the networks, how they were trained, and how to repeat that."""

from collections.abc import Sequence

from experiments.progress import format_duration
from experiments.report.document import (
    Block,
    Code,
    Paragraph,
    Section,
    Table,
    Words,
    aside,
    capitalize_words,
    enumerate_words,
    join,
    paragraph,
)
from experiments.report.facts import RunFacts
from experiments.report.phrases import counted, describe_range, enumerated
from experiments.report.settings import describe_data, describe_network, describe_training
from experiments.report.study import Study
from experiments.report.tables import command_table, cost_table, part_table, setting_tables

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
        blocks.append(cost_table(built))
    kinds = {str(family.first.recipe.model) + str(family.first.recipe.data.size): family for family in built}
    if len(kinds) <= MAX_NETWORKS_IN_PARTS:
        blocks += [part_table(family, place) for place, family in enumerate(kinds.values())]
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

    if len(runs) == 1:
        run = runs[0]
        when = f", started {run.started} (UTC)" if run.started else ""
        made = join(capitalize_words(study.call(run)), " was made with ", Code(run.environment.command))
        return paragraph(made, f" and the seed {run.recipe.seed}{when}.")
    return command_table(runs)
