"""Runs side by side: how accurate each is, and what its network costs, in parameters and FLOPs of one image."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch
from rich import box
from rich.table import Table
from rich.text import Text
from torch.utils.flop_counter import FlopCounterMode

from experiments.errors import FacesError
from experiments.files import write_csv, write_text
from experiments.inference.model import TrainedModel
from experiments.plots.training import plot_trade_offs
from experiments.progress import format_duration, print_table, say
from mytorch import nn as ours
from mytorch import summary

FILE_WIDTH = 160
"""Columns of a table that goes to a file or to another program."""

SUFFIXES = (".csv", ".md", ".png")

_TITLES = {
    "run": "run", "model": "model", "top1": "top-1", "top5": "top-5", "loss": "loss", "best_top1": "best top-1",
    "parameters": "parameters", "flops": "FLOPs", "images_per_second": "images/s", "seconds": "trained",
    "epochs": "epochs",
}  # fmt: skip


@dataclass(frozen=True)
class Cost:
    """Parameters, and floating-point operations for one image in evaluation; a multiply-add is two."""

    parameters: int
    flops: int


def compare(
    runs: Sequence[str | os.PathLike[str]], outs: Sequence[str | os.PathLike[str]] = ()
) -> list[dict[str, Any]]:
    """Print a table of runs, the best first, and write it to each of `outs`: .csv, .md, or .png for a plot.

    The metrics are those of the last epoch, which the validation images did not choose, and the best epoch's top-1,
    which they did. Runs of the same name are told apart by the folders above them. Raises FacesError for a run without
    an epoch, a metric that is impossible, one run given twice, and a file of another kind.
    """
    files = [Path(out) for out in outs]
    for out in files:
        if out.suffix.lower() not in SUFFIXES:
            raise FacesError(f"{out}: expected a name that ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
        if not out.absolute().parent.is_dir():
            raise FacesError(f"{out}: there is no folder {out.parent} to write it to; make it first")
    found = [_row(run, name) for run, name in zip(runs, name_runs(runs), strict=True)]
    rows = sorted((row for row, _ in found), key=lambda row: -1 if row["top1"] is None else row["top1"], reverse=True)
    print_table(_table(rows), FILE_WIDTH)
    if len({images for _, images in found}) > 1:
        say("note: these runs learned from different images, so they were validated on different ones")
    for out in files:
        _write(rows, out)
        say(f"written to {out}")
    return rows


def cost(trained: TrainedModel) -> Cost:
    """Return the cost of a run's network at the size of its images.

    PyTorch's counter knows convolutions and matrix products, `mytorch.summary` the cheap elementwise layers as well.
    """
    shape = (3, *trained.recipe.data.size)
    network = trained.network
    if isinstance(network, ours.Module):
        counted = summary(network, shape)
        return Cost(counted.parameters, counted.flops)
    return Cost(sum(prod(p.shape) for p in network.parameters()), count_torch_flops(network, shape))


def count_torch_flops(network: torch.nn.Module, shape: tuple[int, ...]) -> int:
    """Return the FLOPs of a PyTorch network in evaluation for one image of that shape, (3, H, W)."""
    training, like = network.training, next(network.parameters())
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network.eval()(torch.zeros(1, *shape, dtype=like.dtype, device=like.device))
    finally:
        network.train(training)
    return counter.get_total_flops()


def name_runs(folders: Sequence[str | os.PathLike[str]]) -> list[str]:
    """Return the end of each folder's path, as long as it must be to tell it from the others.

    Raises FacesError where a run is given twice, under the same name or another.
    """
    places: dict[Path, str | os.PathLike[str]] = {}
    for folder in folders:
        if (place := Path(folder).resolve()) in places:
            raise FacesError(f"{os.fspath(folder)}: given twice; give each run once")
        places[place] = folder
    names = []
    for place in places:
        others = [other.parts for other in places if other != place]
        lengths = range(1, len(place.parts))
        length = next((n for n in lengths if all(place.parts[-n:] != other[-n:] for other in others)), 1)
        names.append("/".join(place.parts[-length:]))
    return names


def _row(folder: str | os.PathLike[str], name: str) -> tuple[dict[str, Any], str]:
    """A run's metrics, and the fingerprint of the images that it learned from."""
    trained = TrainedModel.open(folder)
    metrics, costs = trained.run.metrics(), cost(trained)
    row = {
        **metrics.model_dump(),
        "run": name,
        "model": trained.recipe.model.name,
        "epochs": metrics.epoch,
        "parameters": costs.parameters,
        "flops": costs.flops,
    }
    return {key: row[key] for key in _TITLES}, trained.run.image_fingerprint()


def _write(rows: Sequence[dict[str, Any]], out: Path) -> None:
    match out.suffix.lower():
        case ".csv":
            write_csv(out, rows)
        case ".md":
            write_text(out, _markdown(rows))
        case _:
            plot_trade_offs([row for row in rows if row["top1"] is not None], out)


def _format(key: str, value: Any) -> str:
    """A value as people read it."""
    if value is None:
        return "-"
    match key:
        case "top1" | "top5" | "best_top1":
            return f"{value:.1%}"
        case "loss":
            return f"{value:.3f}"
        case "parameters" | "flops":
            return _format_large(value)
        case "images_per_second":
            return f"{value:,.0f}"
        case "seconds":
            return format_duration(value)
    return str(value)


def _format_large(value: float) -> str:
    """2,300,000 as 2.3 M."""
    for unit in ("", " k", " M", " G", " T"):
        if value < 999.5 or unit == " T":
            return f"{value:.3g}{unit}"
        value /= 1000
    raise AssertionError("unreachable")


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    """The table for a terminal. Names are text, not markup: a run may be called cnn[arcface]."""
    table = Table(box=box.SIMPLE_HEAD)
    for key, title in _TITLES.items():
        table.add_column(title, justify="left" if key in ("run", "model") else "right")
    for row in rows:
        table.add_row(*(Text(_format(key, row[key])) for key in _TITLES))
    return table


def _markdown(rows: Sequence[dict[str, Any]]) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"

    rule = ["---" if key in ("run", "model") else "---:" for key in _TITLES]
    body = [[_format(key, row[key]) for key in _TITLES] for row in rows]
    return "".join(map(line, [list(_TITLES.values()), rule, *body]))
