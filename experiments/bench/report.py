"""A benchmark as tables, as a dozen numbers, and as a plot. Ratios are mytorch's time over PyTorch's."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from rich.table import Table

from experiments.bench.convolutions import TOGETHER
from experiments.bench.timing import BACKENDS, geometric_mean
from experiments.plots.style import BLUE, GRAY, ORANGE, legend_below, new_plot, write_plot

TITLES = {"mytorch": "mytorch", "torch": "torch", "torch_channels_last": "channels last"}
RATIOS = {"ratio": "/ torch", "ratio_channels_last": "/ ch. last"}


def tables(sections: Mapping[str, Any], summary: Mapping[str, float | None], peak: float) -> list[Table]:
    """Return every section as a table, the summary last. peak: GFLOP/s, to which convolutions are compared."""
    made = [
        _times("convolutions", sections["convolutions"], peak),
        _times("convolutions in float64", sections["convolutions_float64"], None),
        _times("other layers and optimizers, forward and backward", sections["layers"], None),
        _times("a step of training", sections["steps"], None),
        _memory(sections["memory"]),
        _handwritten(sections["handwritten"]),
        _growth(sections["growth"]),
    ]
    return [*(table for table in made if table.rows), _summary(summary)]


def _times(title: str, rows: Sequence[Mapping[str, Any]], peak: float | None) -> Table:
    """A row each; the parts of a convolution follow each other. ±: half the interquartile range."""
    parts = bool(rows) and "part" in rows[0]
    table = Table("ms", *(["part"] if parts else []), title=title, title_justify="left")
    for heading in (*TITLES.values(), *RATIOS.values(), *(["GFLOP/s", "of peak"] if peak else [])):
        table.add_column(heading, justify="right", no_wrap=True)
    before = None
    for row in rows:
        name, before = "" if row["name"] == before else row["name"], row["name"]
        rate = row["gflops"]["mytorch"] if peak else 0.0
        table.add_row(
            name, *([row["part"]] if parts else []), *(_time(row.get(backend)) for backend in BACKENDS),
            *(f"{row[key]:.2f}" for key in RATIOS), *([f"{rate:,.0f}", f"{rate / peak:.0%}"] if peak else []),
        )  # fmt: skip
    return table


def _time(time: Mapping[str, float] | None) -> str:
    """A time as 14.8 ±2%, or a dash for a layout that the work does not have."""
    if time is None:
        return "-"
    number = f"{time['ms']:.0f}" if time["ms"] >= 100 else f"{time['ms']:#.3g}"
    return f"{number} ±{(time['high'] - time['low']) / 2 / time['ms']:.0%}"


def _memory(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("", title="peak memory of a step (MiB)", title_justify="left")
    for heading in (*TITLES.values(), *RATIOS.values()):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            row["name"],
            *(f"{row['mib'][backend]:,.0f}" for backend in BACKENDS),
            *(f"{row[key]:.2f}" for key in RATIOS),
        )
    return table


def _handwritten(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("", title="handwritten convolutions (ms)", title_justify="left")
    ways = list(rows[0]["slower"]) if rows else []
    for heading in ("mytorch", *ways, *(f"{way}, slower" for way in ways)):
        table.add_column(heading, justify="right")
    for row in rows:
        times = [_time(row[way]) for way in ("mytorch", *ways)]
        table.add_row(row["name"], *times, *(f"{row['slower'][way]:.1f}" for way in ways))
    return table


def _growth(growth: Mapping[str, Any]) -> Table:
    table = Table("batch", title="a step of the scratch CNN as the batch grows (ms per image)", title_justify="left")
    for backend in ("mytorch", "torch"):
        table.add_column(TITLES[backend], justify="right")
    for row in growth["rows"]:
        table.add_row(str(row["batch"]), *(f"{row['ms_an_image'][backend]:.2f}" for backend in ("mytorch", "torch")))
    return table


def _summary(summary: Mapping[str, float | None]) -> Table:
    table = Table("summary", title_justify="left")
    table.add_column("", justify="right")
    for name, value in summary.items():
        table.add_row(name, "not measured" if value is None else f"{value:.2f}")
    return table


Row = Mapping[str, Any]
BOTH = {"": "ratio", "_channels_last": "ratio_channels_last"}
"""The ends of names in the summary: over torch's default layout, and over its channels_last."""


def summarize(sections: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the metrics that the project is held to; None for what was not measured.

    Convolutions count with all their gradients. The memory is that of the worst network.
    """
    together = [row for row in sections["convolutions"] if row["part"] == TOGETHER]
    steps = {row["name"]: row for row in sections["steps"]}
    result: dict[str, float | None] = {}
    for suffix, key in BOTH.items():
        result[f"conv_geomean_ratio{suffix}"] = _mean(together, key)
        result[f"conv_worst_ratio{suffix}"] = max(row[key] for row in together)
        result[f"conv_float64_geomean_ratio{suffix}"] = _mean(sections["convolutions_float64"], key)
        result[f"layers_geomean_ratio{suffix}"] = _mean(sections["layers"], key)
        for name, row in steps.items():
            result[f"train_step_ratio_{name}{suffix}"] = row[key]
        result[f"train_step_memory_ratio{suffix}"] = max((row[key] for row in sections["memory"]), default=None)
    rivals = sections["handwritten"]
    for way in rivals[0]["slower"] if rivals else ():
        result[f"versus_{way}_geomean_ratio"] = geometric_mean([row["slower"][way] for row in rivals])
    slower = [ratio for row in rivals for ratio in row["slower"].values()]
    result["versus_handwritten_geomean_ratio"] = geometric_mean(slower) if slower else None
    result["batch_growth_power"] = sections["growth"]["power"]["mytorch"]
    result["resident_growth_mib"] = sections["resident"]["grown_mib"] if sections["resident"] else None
    return result


def _mean(rows: Sequence[Row], key: str) -> float | None:
    return geometric_mean([row[key] for row in rows]) if rows else None


ROW_HEIGHT = 0.27
BARS = {"ratio": (BLUE, "over torch, default layout"), "ratio_channels_last": (ORANGE, "over torch, channels_last")}


def plot_ratios(sections: Mapping[str, Any], title: str, path: Path) -> None:
    """Plot two lists of bars on logarithmic axes: convolutions and training steps, and the other layers."""
    together = [row for row in sections["convolutions"] if row["part"] == TOGETHER]
    steps = [{**row, "name": f"step: {row['name']}"} for row in sections["steps"]]
    layers = sorted(sections["layers"], key=lambda row: row["ratio"])
    longest = max(len(together) + len(steps), len(layers))
    drawing, axes = new_plot(2, 7.0, 1.6 + ROW_HEIGHT * longest)
    _bars(axes[0], [*sorted(together, key=lambda row: row["ratio"]), *steps], "convolutions and training steps")
    _bars(axes[1], layers, "other layers and optimizers")
    for axis in axes:
        legend_below(axis)
    drawing.suptitle(title)
    write_plot(drawing, path)


def _bars(axis: Axes, rows: Sequence[Mapping[str, Any]], title: str) -> None:
    for n, (key, (color, label)) in enumerate(BARS.items()):
        places = [place + 0.38 * (n - 0.5) for place in range(len(rows))]
        widths = [row[key] - 1 for row in rows]
        axis.barh(places, widths, 0.36, left=1, color=color, label=label)
    axis.set_yticks(range(len(rows)), [row["name"] for row in rows], fontsize=8)
    axis.set_xscale("log")
    axis.axvline(1, color=GRAY, linewidth=1)
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set(
        xlabel="time of mytorch / time of PyTorch (left of 1: mytorch is faster)", title=title, ylim=(len(rows), -1)
    )
