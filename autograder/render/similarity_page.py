"""Pages of similar hand-ins: a list of pairs, and each pair side by side. No script runs, and nothing is loaded."""

from collections.abc import Sequence
from html import escape
from statistics import median

from autograder.similarity import Block, Pair, Work

_COLORS = ("#fde2b3", "#cfe8ff", "#d9f2d0", "#f6d5ea", "#e4dcfa", "#ffd9d0", "#d6f3f0", "#eeeeb8")
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; padding: 0 1rem; color: #222; max-width: 60rem; }
body.wide { max-width: none; } table { border-collapse: collapse; width: 100%; }
td, th { padding: .25rem .5rem; border-bottom: 1px solid #ddd; text-align: left; } .n { text-align: right; }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; } .two > div { min-width: 0; }
pre { font-size: 12px; overflow-x: auto; background: #f8f8f8; padding: .5rem; } pre span { display: block; }
pre span::before { content: attr(data-n); display: inline-block; width: 3em; color: #999; }
"""
_LIMITS = """
<p>A large share is a reason to read both hand-ins, and proves nothing. Two people write alike who share a lecture, a
book, a public solution or a tool, and a layer's formula leaves few ways to write it. Nor does a small share prove that
work is one's own: code that is rewritten, or reordered line by line, is not found, and nothing outside this folder was
compared. Compared are the order of keywords, operators and NumPy's functions; names, comments, constants, strings,
imports and layout do not matter. Code of the handout, and code that a large part of the class has, does not count.</p>
"""


def index(works: Sequence[Work], pairs: Sequence[Pair], linked: int) -> str:
    """The list of pairs, most similar first; the first `linked` have a page of their own."""
    best = {work.name: 0.0 for work in works if not work.reason}
    for pair in pairs:
        for work in (pair.left, pair.right):
            best[work.name] = max(best[work.name], pair.share)
    usual = f"{median(best.values()):.0%}" if best else "none"
    rows = []
    for number, pair in enumerate(pairs[: max(linked, 200)], 1):
        names = f"{escape(pair.left.name)}</td><td>{escape(pair.right.name)}"
        link = f'<a href="pairs/{number}.html">{pair.share:.0%}</a>' if number <= linked else f"{pair.share:.0%}"
        rows.append(
            f'<tr><td class="n">{link}</td><td>{names}</td><td class="n">{pair.shared}</td>'
            f'<td class="n">{pair.of_left:.0%}</td><td class="n">{pair.of_right:.0%}</td></tr>'
        )
    unread = [f"<li>{escape(work.name)}: {escape(work.reason)}</li>" for work in works if work.reason]
    heads = "".join(
        f"<th>{text}</th>" for text in ("share", "hand-in", "hand-in", "in common", "of the first", "of the second")
    )
    body = [
        "<h1>Similar hand-ins</h1>",
        f"<p>{len(works)} hand-ins, {len(pairs)} pairs with anything in common. Half of the hand-ins share at least "
        f"{usual} with the most similar other one: that is usual for this assignment.</p>",
        _LIMITS,
        f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>",
        f"<h2>Not compared</h2><ul>{''.join(unread)}</ul>" if unread else "",
    ]
    return _page("Similar hand-ins", "\n".join(body))


def side_by_side(pair: Pair, blocks: Sequence[Block]) -> str:
    """Two hand-ins, with what they share in the same color; a block's number leads to the other side."""
    columns = []
    for side, work in (("left", pair.left), ("right", pair.right)):
        other = "right" if side == "left" else "left"
        marks: dict[tuple[int, int], int] = {}
        for number, block in enumerate(blocks):
            file, first, last = block.left if side == "left" else block.right
            for line in range(first, last + 1):
                marks.setdefault((file, line), number)
        texts = [f"<h2>{escape(work.name)}</h2>"]
        begun: set[int] = set()
        for file, source in enumerate(work.sources):
            if not any(place[0] == file for place in marks):
                continue
            lines = []
            for number, text in enumerate(source.lines):
                mark = marks.get((file, number))
                shown = escape(text) or " "
                if mark is None:
                    lines.append(f'<span data-n="{number + 1}">{shown}</span>')
                    continue
                anchor = ""
                if mark not in begun:
                    begun.add(mark)
                    anchor = f'<a id="{side}{mark}" href="#{other}{mark}">[{mark + 1}]</a> '
                style = f'style="background:{_COLORS[mark % len(_COLORS)]}"'
                lines.append(f'<span data-n="{number + 1}" {style}>{anchor}{shown}</span>')
            texts.append(f"<h3>{escape(source.name)}</h3><pre>{''.join(lines)}</pre>")
        columns.append(f"<div>{''.join(texts)}</div>")
    head = (
        f"<h1>{escape(pair.left.name)} and {escape(pair.right.name)}</h1><p>{pair.of_left:.0%} of the first and "
        f"{pair.of_right:.0%} of the second are in both; {len(blocks)} blocks.</p>{_LIMITS}"
    )
    return _page("Two hand-ins", f'{head}<div class="two">{"".join(columns)}</div>', "wide")


def _page(title: str, body: str, style: str = "") -> str:
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f'<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body class="{style}">\n{body}\n'
        "</body>\n</html>\n"
    )
