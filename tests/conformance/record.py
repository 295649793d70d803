"""What came of each sample, the rows of a table, and the files that hold them."""

import json
import platform
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mytorch.files import atomic_write

Status = Literal["agree", "differ", "unsupported", "excluded"]


@dataclass(frozen=True)
class Outcome:
    """One sample of PyTorch's or ONNX's, and what mytorch made of it.

    name: the module or operator. sample: what was run, in words. reason: why it does not agree, or why it is excluded.
    stale: True for an excluded sample that agrees, so that its exclusion has no reason any more.
    """

    name: str
    sample: str
    status: Status
    reason: str = ""
    stale: bool = False


@dataclass
class Row:
    """The outcomes of one module or operator. reasons: how often each, most frequent first."""

    name: str
    counts: Counter = field(default_factory=Counter)
    reasons: Counter = field(default_factory=Counter)

    @property
    def agrees(self) -> bool:
        """True if every sample in scope agrees."""
        return not self.counts["differ"] and not self.counts["unsupported"]

    def as_dict(self) -> dict[str, Any]:
        """Return the row for a JSON file."""
        counts = {status: self.counts[status] for status in ("agree", "differ", "unsupported", "excluded")}
        return {"name": self.name, "samples": sum(counts.values()), **counts, "reasons": dict(self.reasons)}


def rows_of(outcomes: Iterable[Outcome]) -> list[Row]:
    """Return a row per name, in alphabetical order."""
    rows: dict[str, Row] = {}
    for outcome in outcomes:
        row = rows.setdefault(outcome.name, Row(outcome.name))
        row.counts[outcome.status] += 1
        if outcome.reason:
            row.reasons[shortened(outcome.reason)] += 1
    for row in rows.values():
        row.reasons = Counter(dict(row.reasons.most_common()))
    return sorted(rows.values(), key=lambda row: row.name.lower())


def shortened(reason: str, length: int = 160) -> str:
    """Return the first line of a reason, at most `length` characters."""
    line = next(iter(reason.strip().splitlines()), "")
    line = re.sub(r"first difference at .*", "values differ", line)
    return line if len(line) <= length else line[: length - 1] + "…"


def totals(rows: Iterable[Row]) -> dict[str, int]:
    """Return the sums of the rows: samples, in scope, agree, differ, unsupported, excluded."""
    counts: Counter = sum((row.counts for row in rows), Counter())
    scope = counts["agree"] + counts["differ"] + counts["unsupported"]
    return {
        "samples": scope + counts["excluded"],
        "in scope": scope,
        **{status: counts[status] for status in ("agree", "differ", "unsupported", "excluded")},
    }


def summary(rows: list[Row]) -> str:
    """Return the totals in one sentence."""
    sums = totals(rows)
    share = sums["in scope"] / sums["samples"] if sums["samples"] else 0.0
    return (
        f"{sums['agree']:,} of {sums['in scope']:,} samples in scope agree, {sums['differ']:,} differ, "
        f"{sums['unsupported']:,} are unsupported; {sums['in scope']:,} of {sums['samples']:,} ({share:.1%}) are in "
        "scope."
    )


def table(rows: Iterable[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        "| name | agree | differ | unsupported | out of scope | why not |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for row in rows:
        cells = [row.counts[status] or "" for status in ("agree", "differ", "unsupported", "excluded")]
        reasons = "; ".join(f"{reason} ({count})" for reason, count in list(row.reasons.items())[:3])
        escaped = reasons.replace("|", "\\|").replace("<", "&lt;")
        lines.append(f"| {row.name} | " + " | ".join(map(str, cells)) + f" | {escaped} |")
    return "\n".join(lines)


def versions(*packages: Any) -> dict[str, str]:
    """Return the versions of Python, NumPy and these packages, and the machine."""
    own = {package.__name__: package.__version__ for package in packages}
    return {"python": platform.python_version(), "numpy": np.__version__, **own, "machine": platform.machine()}


def write(out: Path, kind: str, heading: str, record: dict[str, Any], rows: list[Row], outside: dict[str, str]) -> None:
    """Write `kind`.md and `kind`.json under `out`.

    heading: Markdown above the table. record: the command, the seed and the versions. outside: what is never run, and
    why.
    """
    out.mkdir(parents=True, exist_ok=True)
    reasons: dict[str, list[str]] = {}
    for name, reason in outside.items():
        reasons.setdefault(reason, []).append(name)
    listed = "\n".join(f"- {', '.join(names)}: {reason}" for reason, names in reasons.items())
    text = f"{heading}\n\n**{summary(rows)}**\n\n{table(rows)}\n"
    if outside:
        text += f"\nNot run, because they are out of scope:\n\n{listed}\n"
    with atomic_write(out / f"{kind}.md") as path:
        path.write_text(text, encoding="utf-8")
    content = {**record, "totals": totals(rows), "rows": [row.as_dict() for row in rows], "outside": outside}
    with atomic_write(out / f"{kind}.json") as path:
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
