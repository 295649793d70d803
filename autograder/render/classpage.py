"""A class's marks as one page: their distribution, the most common hints, the tests, and all reports.

Everything that comes from a submission, including its name, is escaped. The page runs no script and loads nothing.
"""

from collections import Counter
from collections.abc import Sequence
from html import escape
from statistics import mean, median
from urllib.parse import quote

from autograder.render.table import explanation, number
from autograder.result import Entry
from autograder.rubric import Rubric

_BINS = 10
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; width: 100%; } td, th { padding: .25rem .5rem; border-bottom: 1px solid #ddd; }
th { text-align: left; } .n { text-align: right; font-variant-numeric: tabular-nums; }
pre { white-space: pre-wrap; background: #f6f6f6; padding: .5rem; } .bar { fill: #4477aa; } text { font-size: 11px; }
.part { background: #4477aa; height: .7rem; } .missing { color: #a00; }
"""


def page(entries: Sequence[Entry], rubric: Rubric) -> str:
    """The page's text."""
    marks = [entry.mark for entry in entries if entry.mark is not None] or [0.0]
    sections = [
        f"<h1>{escape(rubric.title)}</h1>",
        f"<p>{len(entries)} submissions, of {number(rubric.full)} points: mean {number(mean(marks))}, "
        f"median {number(median(marks))}, from {number(min(marks))} to {number(max(marks))}.</p>",
        "<h2>Marks</h2>",
        _distribution(marks, rubric.full),
        "<h2>Most common hints</h2>",
        _hints(entries),
        "<h2>Tests</h2>",
        _tests(entries, rubric),
        "<h2>Submissions</h2>",
        _submissions(entries),
    ]
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(rubric.title)}: marks</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(sections)
        + "\n</body>\n</html>\n"
    )


def _distribution(marks: Sequence[float], full: float) -> str:
    """A histogram, drawn."""
    bins = Counter(min(_BINS - 1, int(_BINS * mark / full)) if full else 0 for mark in marks)
    highest = max(bins.values())
    width, height = 50, 140
    parts = [f'<svg role="img" aria-label="distribution of marks" width="{_BINS * width}" height="{height + 40}">']
    for i in range(_BINS):
        count = bins.get(i, 0)
        tall = height * count / highest
        x, y = i * width, height + 15 - tall
        label = f"{number(full * i / _BINS)}-{number(full * (i + 1) / _BINS)}"
        parts.append(f'<rect class="bar" x="{x + 4}" y="{y:.1f}" width="{width - 8}" height="{tall:.1f}"/>')
        parts.append(f'<text x="{x + width / 2}" y="{height + 30}" text-anchor="middle">{label}</text>')
        if count:
            parts.append(f'<text x="{x + width / 2}" y="{y - 4:.1f}" text-anchor="middle">{count}</text>')
    return "".join([*parts, "</svg>"])


def _hints(entries: Sequence[Entry]) -> str:
    """How many submissions got each hint in each test; a submission counts once."""
    counted: Counter[tuple[str, str]] = Counter()
    for entry in entries:
        if entry.report:
            counted.update({(test.name, hint) for test in entry.report.tests for hint in test.hints})
    if not counted:
        return "<p>None was needed.</p>"
    ranked = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    rows = [
        f'<tr><td class="n">{count}</td><td>{escape(test)}</td><td>{escape(hint)}</td></tr>'
        for (test, hint), count in ranked[:25]
    ]
    return _table(("submissions", "test", "hint"), rows)


def _tests(entries: Sequence[Entry], rubric: Rubric) -> str:
    """How much of each test's points the class earned."""
    rows = []
    for _, test in rubric.tests:
        results = [result for e in entries if e.report for result in e.report.tests if result.name == test.name]
        share = mean(result.earned / result.points if result.points else 1 for result in results) if results else 0.0
        passed = sum(result.status == "passed" for result in results)
        rows.append(
            f'<tr><td>{escape(test.name)}</td><td class="n">{passed}</td><td class="n">{share:.0%}</td>'
            f'<td style="width:40%"><div class="part" style="width:{share:.0%}"></div></td></tr>'
        )
    return _table(("test", "passed", "of the points", ""), rows)


def _submissions(entries: Sequence[Entry]) -> str:
    """Everyone's mark, and what to say about it behind a fold."""
    rows = []
    for entry in sorted(entries, key=lambda entry: entry.name):
        if entry.report is None:
            told = f'<span class="missing">could not be graded: {escape(entry.reason)}</span>'
            mark = "" if entry.failed else "0"
            rows.append(
                f'<tr><td>{escape(entry.name)}</td><td class="n">{mark}</td><td class="n">{mark}</td>'
                f"<td>{told}</td></tr>"
            )
            continue
        failed = [test for test in entry.report.tests if test.status != "passed"]
        texts = "\n\n".join(f"{test.name}\n{explanation(test)}" for test in failed)
        told = (
            f"<details><summary>{len(failed)} tests</summary><pre>{escape(texts)}</pre></details>" if failed else "all"
        )
        if failed and entry.page:
            told += f'<a href="reports/{quote(entry.page)}">drawn</a>'
        rows.append(
            f'<tr><td>{escape(entry.name)}</td><td class="n">{number(entry.report.mark)}</td>'
            f'<td class="n">{number(entry.report.extra)}</td><td>{told}</td></tr>'
        )
    return _table(("submission", "mark", "extra", "what is missing"), rows)


def _table(heads: Sequence[str], rows: Sequence[str]) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
