"""Makes steps.csv and README.md of what `measure` left in its runs' folder: `summarise.py RUNS OUT`."""

import csv
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

LIMIT = 6 * 1024
"""MiB that no step may hold."""

ABOUT = """# A competition of Kaggle's size

`results/kaggle_size/measure` makes everything here, including this page: {people:,} synthetic people with 20 images of
64 px each, {test:,} test images, from the drawing to the checked submission. Seed 0; one epoch of
[a small network](recipe.yaml) without pretraining, so accuracy is not the aim: {top1:.2%} top-1 and {top5:.2%} top-5 of
{validated:,} validation images, {right:.2%} of the submission right; chance is {chance:.3%}.

| step | seconds | images | images/s | memory, MiB | largest process, MiB |
| --- | --- | --- | --- | --- | --- |
{rows}

Memory is the maximum of all processes of a step together, sampled twice a second: anonymous and shared pages, without
the page cache; a page that two processes share counts twice. The limit is {limit:,} MiB: {verdict}. Seconds are
of a machine that had other work to do, so they are an upper bound. {machine}.
"""


def main(runs: Path, out: Path) -> None:
    """The table as CSV and as a page; what is wrong with the figures ends it with a message."""
    steps = json.loads((runs / "steps.json").read_text())
    evaluated = json.loads((runs / "run" / "evaluation" / "evaluation.json").read_text())
    parts = json.loads((runs / "packed" / "pack.json").read_text())["parts"]
    train, test, people = parts["train"]["images"], parts["test"]["images"], len(parts["train"]["people"])
    images = {
        "draw": train + test,
        "pack": train + test,
        "train": train - evaluated["images"],
        "evaluate": evaluated["images"],
        "submit": test,
        "check": test,
    }
    rows = [row(name, step, images[name]) for name, step in steps.items()]
    with (out / "steps.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    most = max(float(one["memory_mib"]) for one in rows)
    text = ABOUT.format(
        people=people,
        test=test,
        top1=evaluated["top1"],
        top5=evaluated["top5"],
        validated=evaluated["images"],
        right=right(runs / "submission.csv", runs / "faces" / "answers" / "test.csv"),
        chance=1 / people,
        rows="\n".join(line(one) for one in rows),
        limit=LIMIT,
        verdict=f"the most was {most:,.0f}" if most <= LIMIT else f"exceeded, by {most - LIMIT:,.0f}",
        machine=f"{os.cpu_count()} cores of {processor()}, Python {platform.python_version()}",
    )
    (out / "README.md").write_text(text)
    print(text)


def row(name: str, step: dict[str, Any], images: int) -> dict[str, Any]:
    """A line of the table."""
    return {
        "step": name,
        "seconds": round(step["seconds"]),
        "images": images,
        "pictures_per_second": round(images / step["seconds"]),
        "memory_mib": round(step["peak_mib"]),
        "largest_process_mib": round(step["largest_process_mib"]),
    }


def line(row: dict[str, Any]) -> str:
    """The same as Markdown."""
    name, *numbers = row.values()
    return f"| {name} | " + " | ".join(f"{number:,}" for number in numbers) + " |"


def right(submission: Path, answers: Path) -> float:
    """Share of a submission's rows that are right."""
    with submission.open(newline="") as file, answers.open(newline="") as truth:
        given = {row["image_name"]: row["label"] for row in csv.DictReader(file)}
        return sum(given[row["image_name"]] == row["label"] for row in csv.DictReader(truth)) / len(given)


def processor() -> str:
    """What the processor calls itself."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
