"""A benchmark as tables on the screen."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from experiments.bench.plan import SIDES

TITLES = {"mytorch": "mytorch", "torch": "torch", "torch_channels_last": "channels last"}
RATIOS = {"ratio": "/ torch", "ratio_channels_last": "/ ch. last"}


def tables(sections: Mapping[str, Any], summary: Mapping[str, float | None], peak: float) -> list[Table]:
    """Every section as a table, and the summary last. peak: GFLOP/s, of which a convolution's share is shown."""
    made = [
        _times("convolutions", sections["convolutions"], peak),
        _times("convolutions in float64", sections["convolutions_float64"], None),
        _times("other layers and optimisers, forward and backward", sections["layers"], None),
        _times("a step of training", sections["steps"], None),
        _memory(sections["memory"]),
        _handwritten(sections["handwritten"]),
        _growth(sections["growth"]),
    ]
    return [*(table for table in made if table.rows), _summary(summary)]


def _times(title: str, rows: Sequence[Mapping[str, Any]], peak: float | None) -> Table:
    """A row each; a convolution's parts under one another, its name beside the first. ±: half of the middle half."""
    parts = bool(rows) and "part" in rows[0]
    table = Table("ms", *(["part"] if parts else []), title=title, title_justify="left")
    for heading in (*TITLES.values(), *RATIOS.values(), *(["GFLOP/s", "of peak"] if peak else [])):
        table.add_column(heading, justify="right", no_wrap=True)
    before = None
    for row in rows:
        name, before = "" if row["name"] == before else row["name"], row["name"]
        rate = row["gflops"]["mytorch"] if peak else 0.0
        table.add_row(
            name, *([row["part"]] if parts else []), *(_time(row.get(side)) for side in SIDES),
            *(f"{row[key]:.2f}" for key in RATIOS), *([f"{rate:,.0f}", f"{rate / peak:.0%}"] if peak else []),
        )  # fmt: skip
    return table


def _time(time: Mapping[str, float] | None) -> str:
    """14.8 ±2%, or a dash for a layout that the work does not have."""
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
            row["name"], *(f"{row['mib'][side]:,.0f}" for side in SIDES), *(f"{row[key]:.2f}" for key in RATIOS)
        )
    return table


def _handwritten(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("", title="other hand-written libraries' ways (ms)", title_justify="left")
    ways = list(rows[0]["slower"]) if rows else []
    for heading in ("mytorch", *ways, *(f"{way}, slower" for way in ways)):
        table.add_column(heading, justify="right")
    for row in rows:
        times = [_time(row[way]) for way in ("mytorch", *ways)]
        table.add_row(row["name"], *times, *(f"{row['slower'][way]:.1f}" for way in ways))
    return table


def _growth(growth: Mapping[str, Any]) -> Table:
    table = Table("batch", title="a step of the scratch CNN as the batch grows (ms an image)", title_justify="left")
    for side in ("mytorch", "torch"):
        table.add_column(TITLES[side], justify="right")
    for row in growth["rows"]:
        table.add_row(str(row["batch"]), *(f"{row['ms_an_image'][side]:.2f}" for side in ("mytorch", "torch")))
    return table


def _summary(summary: Mapping[str, float | None]) -> Table:
    table = Table("summary", title_justify="left")
    table.add_column("", justify="right")
    for name, value in summary.items():
        table.add_row(name, "not measured" if value is None else f"{value:.2f}")
    return table
