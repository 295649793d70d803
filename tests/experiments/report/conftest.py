"""Runs to report on: bare, evaluated with mistakes, verified; and copies of them with other recipes and figures."""

import json
import shutil
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from experiments.evaluation.embedding import EmbedOptions
from experiments.evaluation.evaluate import evaluate
from experiments.evaluation.verification import open_network, verify
from experiments.report.document import Document, Paragraph, Plot, Section, Table
from experiments.report.report import compose
from experiments.report.study import Study
from experiments.run import Run


@pytest.fixture(scope="session")
def bare(trained_once: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of mytorch that was trained, and no more. Not to be changed."""
    return shutil.copytree(trained_once.folder, tmp_path_factory.mktemp("bare") / "first")


@pytest.fixture(scope="session")
def judged(untrained: Run, people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of mytorch that was evaluated and makes mistakes. Not to be changed."""
    run = shutil.copytree(untrained.folder, tmp_path_factory.mktemp("judged") / "judged")
    evaluate(run, people)
    return run


@pytest.fixture(scope="session")
def verified(transfer_once: Run, people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of PyTorch that was evaluated, and verified on pairs of which every ninth is told wrongly."""
    folder = tmp_path_factory.mktemp("verified")
    run = shutil.copytree(transfer_once.folder, folder / "verified")
    evaluate(run, people)
    images = sorted(path.relative_to(people) for path in people.glob("*/*.png"))
    together = combinations(images, 2)
    lines = [f"{a} {b} {int((a.parent == b.parent) ^ (n % 9 == 0))}\n" for n, (a, b) in enumerate(together)]
    pairs = folder / "pairs.txt"
    pairs.write_text("".join(lines))
    embedder, out = open_network(run, None, None, None)
    verify(embedder, pairs, people, out, EmbedOptions(), rounds=20)
    return run


@pytest.fixture
def altered(tmp_path: Path, sign: Callable[[Path], None]) -> Callable[..., Path]:
    """altered(run, "name", {"optimizer.lr": 0.1}, top1=0.5): a copy with other settings and figures."""

    def make(run: Path, name: str, settings: dict[str, Any] | None = None, **metrics: Any) -> Path:
        copy = shutil.copytree(run, tmp_path / name)
        recipe = yaml.safe_load((copy / "recipe.yaml").read_text())
        for key, value in (settings or {}).items():
            *groups, last = key.split(".")
            place = recipe
            for group in groups:
                place = place[group]
            place[last] = value
        (copy / "recipe.yaml").write_text(yaml.safe_dump(recipe))
        figures = json.loads((copy / "metrics.json").read_text())
        (copy / "metrics.json").write_text(json.dumps(figures | metrics))
        sign(copy)
        return copy

    return make


@pytest.fixture
def ten(bare: Path, judged: Path, verified: Path, altered: Callable[..., Path]) -> list[Path]:
    """Ten runs of seven recipes: three seeds of one, two of another, one with a name that is long and odd."""
    return [
        bare,
        altered(bare, "first-seed-1", {"seed": 1}, top1=0.75),
        altered(bare, "first-seed-2", {"seed": 2}, top1=0.5),
        altered(bare, "slow", {"optimizer.lr": 0.002}, top1=0.25),
        altered(judged, "a_rather_long_name_" + "without_end" * 9 + "_$#*[x]<b>&'", {"batch_size": 8}, top1=0.125),
        altered(judged, "evaluated", {"batch_size": 12}),
        verified,
        altered(verified, "verified-seed-1", {"seed": 1}),
        altered(verified, "margin", {"model.head": {"name": "arcface", "scale": 16.0, "margin": 0.2}}, top1=0.5),
        altered(verified, "smoothed", {"label_smoothing": 0.1}, top1=0.625),
    ]


@pytest.fixture(scope="session")
def write() -> Callable[..., Document]:
    """write(run, ...): the paper about runs."""
    return lambda *runs: compose(Study.of(runs))


def words_of(document: Document) -> str:
    """Everything that is read in a paper, a block a line."""
    lines = [document.title, document.plain(document.subtitle), document.plain(document.abstract)]
    for section in document.sections:
        lines += [section.title, *(line for block in section.blocks for line in _lines(block, document))]
    return "\n".join(lines)


def _lines(block: Paragraph | Table | Plot, document: Document) -> list[str]:
    if isinstance(block, Paragraph):
        return [document.plain(block.words)]
    lines = [document.plain(block.caption)]
    if isinstance(block, Table):
        lines.append("  ".join(column.title for column in block.columns))
        lines += ["  ".join(document.plain(cell) for cell in row) for row in block.rows]
    return lines


@pytest.fixture(scope="session")
def read() -> Callable[[Document], str]:
    """read(document): everything in it, as plain text."""
    return words_of


@pytest.fixture(scope="session")
def section() -> Callable[[Document, str], Section]:
    """section(document, title): that section of it."""
    return lambda document, title: next(part for part in document.sections if part.title == title)
