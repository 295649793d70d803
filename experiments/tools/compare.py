"""Runs side by side: how good each is, and what it costs.

What a network costs to run: parameters and FLOPs of one picture.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch
from rich import box
from rich.console import Console
from rich.table import Table
from torch.utils.flop_counter import FlopCounterMode

from experiments.errors import FacesError
from experiments.files import read_json, write_csv, write_text
from experiments.inference.model import TrainedModel
from experiments.plots.training import plot_trade_offs
from experiments.progress import console, format_duration, say
from mytorch import nn as ours
from mytorch import summary


@dataclass(frozen=True)
class Cost:
    """Learned numbers, and floating point operations for one picture in evaluation, a multiply-add being two."""

    parameters: int
    flops: int


def cost(trained: TrainedModel) -> Cost:
    """The cost of a run's network at the size of its pictures.

    PyTorch's counter knows convolutions and matrix products, `mytorch.summary` the cheap elementwise layers too.
    """
    shape = (3, *trained.recipe.data.size)
    network = trained.network
    if isinstance(network, ours.Module):
        counted = summary(network, shape)
        return Cost(counted.parameters, counted.flops)
    return Cost(sum(prod(p.shape) for p in network.parameters()), count_torch_flops(network, shape))


def count_torch_flops(network: torch.nn.Module, shape: tuple[int, ...]) -> int:
    """FLOPs of a PyTorch network in evaluation for one picture of that shape, (3, H, W)."""
    training, like = network.training, next(network.parameters())
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network.eval()(torch.zeros(1, *shape, dtype=like.dtype, device=like.device))
    finally:
        network.train(training)
    return counter.get_total_flops()


WIDE = 160
"""Columns of a table that goes to a file or to another program."""

SUFFIXES = (".csv", ".md", ".png")
_HEADS = {
    "run": "run", "model": "model", "top1": "top-1", "top5": "top-5", "loss": "loss", "best_top1": "best top-1",
    "parameters": "parameters", "flops": "FLOPs", "images_per_second": "images/s", "seconds": "trained",
    "epochs": "epochs",
}  # fmt: skip


def compare(
    runs: Sequence[str | os.PathLike[str]], outs: Sequence[str | os.PathLike[str]] = ()
) -> list[dict[str, Any]]:
    """Print a table of runs, the best first, and write it to each of `outs`: .csv, .md, or .png for a plot.

    Figures are the last epoch's, which no validation picture chose, and the best epoch's top-1, which they did. Raises
    FacesError for a run without an epoch, and a file of another kind.
    """
    files = [Path(out) for out in outs]
    for out in files:
        if out.suffix.lower() not in SUFFIXES:
            raise FacesError(f"{out}: expected a name that ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
        if not out.absolute().parent.is_dir():
            raise FacesError(f"{out}: there is no folder {out.parent} to write it to; make it first")
    found = [_row(run) for run in runs]
    rows = sorted((row for row, _ in found), key=lambda row: -1 if row["top1"] is None else row["top1"], reverse=True)
    (console if console.is_terminal else Console(width=WIDE)).print(_table(rows))
    if len({pictures for _, pictures in found}) > 1:
        say("note: these runs learned from different pictures, and so validated on different ones")
    for out in files:
        _write(rows, out)
        say(f"written to {out}")
    return rows


def _row(folder: str | os.PathLike[str]) -> tuple[dict[str, Any], str]:
    """A run's figures, and the fingerprint of the pictures that it learned from."""
    trained = TrainedModel.open(folder)
    if not trained.run.metrics_file.is_file():
        raise FacesError(f"{trained.run.folder}: no epoch is done; go on with the run by `faces train ... --resume`")
    metrics, costs = read_json(trained.run.metrics_file), cost(trained)
    about = {"run": trained.run.folder.name, "model": trained.recipe.model.name, "epochs": metrics.get("epoch")}
    row = {**metrics, **about, "parameters": costs.parameters, "flops": costs.flops}
    return {key: row.get(key) for key in _HEADS}, trained.run.image_fingerprint()


def _write(rows: Sequence[dict[str, Any]], out: Path) -> None:
    match out.suffix.lower():
        case ".csv":
            write_csv(out, rows)
        case ".md":
            write_text(out, _markdown(rows))
        case _:
            plot_trade_offs([row for row in rows if row["top1"] is not None], out)


def _shown(key: str, value: Any) -> str:
    """A figure as people read it."""
    if value is None:
        return "-"
    match key:
        case "top1" | "top5" | "best_top1":
            return f"{value:.1%}"
        case "loss":
            return f"{value:.3f}"
        case "parameters" | "flops":
            return _engineering(value)
        case "images_per_second":
            return f"{value:,.0f}"
        case "seconds":
            return format_duration(value)
    return str(value)


def _engineering(value: float) -> str:
    """2,300,000 as 2.3 M."""
    for unit in ("", " k", " M", " G", " T"):
        if value < 999.5 or unit == " T":
            return f"{value:.3g}{unit}"
        value /= 1000
    raise AssertionError("unreachable")


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for key, head in _HEADS.items():
        table.add_column(head, justify="left" if key in ("run", "model") else "right")
    for row in rows:
        table.add_row(*(_shown(key, row[key]) for key in _HEADS))
    return table


def _markdown(rows: Sequence[dict[str, Any]]) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"

    rule = ["---" if key in ("run", "model") else "---:" for key in _HEADS]
    return "".join(
        map(line, [list(_HEADS.values()), rule, *([_shown(key, row[key]) for key in _HEADS] for row in rows)])
    )
