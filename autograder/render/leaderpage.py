"""The leaderboard as a page. No script runs, nothing is loaded, and every name is escaped."""

import os
import platform
from collections.abc import Sequence
from html import escape

from autograder.leaderboard import Ranked
from autograder.result import Standing

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; width: 100%; } td, th { padding: .25rem .5rem; border-bottom: 1px solid #ddd; }
th { text-align: left; } .n { text-align: right; font-variant-numeric: tabular-nums; } .ours { color: #777; }
"""


def page(ranked: Sequence[Ranked], ours: Standing, seconds: float, seed: int) -> str:
    """The page's text. Speeds are ratios to our own solution's, which was measured in the same run."""
    rows = [
        f'<tr><td class="n">{place}</td><td>{escape(entry.name)}</td>{_cells(entry.standing, ours)}</tr>'
        for place, entry in enumerate(ranked, 1)
    ]
    rows.append(f'<tr class="ours"><td></td><td>our own solution</td>{_cells(ours, ours)}</tr>')
    heads = "".join(
        f"<th>{text}</th>" for text in ("", "hand-in", "accuracy", "epochs", "samples/s", "speed", "remark")
    )
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>Leaderboard</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>Leaderboard</h1>\n"
        f"<p>Accuracy of each CNN on new samples after {seconds:g} seconds of training from the same start, and the "
        f"speed of forward, backward and step relative to our own solution, on {escape(platform.machine())} with "
        f"{os.cpu_count()} cores, one thread each; seed {seed}. A speed counts only if the values are right.</p>\n"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>\n</body>\n</html>\n"
    )


def _cells(standing: Standing, ours: Standing) -> str:
    accuracy = "" if standing.accuracy is None else f"{standing.accuracy:.1%}"
    speed = "" if standing.speed is None else f"{standing.speed:,.0f}"
    ratio = f"{standing.speed / ours.speed:.2f}×" if standing.speed and ours.speed else ""
    cells = "".join(f'<td class="n">{text}</td>' for text in (accuracy, str(standing.epochs or ""), speed, ratio))
    return f"{cells}<td>{escape(standing.reason)}</td>"
