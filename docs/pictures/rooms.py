"""The rooms of the house and who imports whom: read from the code, so that the picture cannot be out of date."""

import ast
from collections.abc import Iterator
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from docs.pictures.canvas import BLUE, GREEN, GREY, ORANGE, RED, arrow, box, figure_of, panels

ROOT = Path(__file__).parents[2]
HOUSE = {"mytorch": BLUE, "models": GREEN, "experiments": ORANGE, "autograder": RED}
Graph = dict[str, set[str]]


def modules() -> dict[str, Path]:
    """Every module by its dotted name, a package by its own."""
    found = {}
    for part in HOUSE:
        for path in sorted((ROOT / part).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules of the project that a file imports, anywhere in it. No import of the project's is relative."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in known else node.module


def room(name: str, graph: Graph) -> str:
    """The room of a module: its package, or, loose in its part, the files below the packages or those above."""
    part, _, rest = name.partition(".")
    first, _, deeper = rest.partition(".")
    if part == "autograder":
        return part
    if deeper or (first and (ROOT / part / first).is_dir()):
        return f"{part}.{first}"
    if part == "models":
        return part
    above = any(
        other.startswith(f"{part}.") and (ROOT / part / other.split(".")[1]).is_dir() for other in reach(name, graph)
    )
    return f"{part}, above" if above or not first else f"{part}, below"


def reach(name: str, graph: Graph) -> set[str]:
    """All that a module imports, or what that imports, and so on."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        for other in graph.get(waiting.pop(), ()):
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    return seen


def between_rooms() -> Graph:
    """For each room, the rooms that it imports from. A part's own front door, its `__init__`, is left out."""
    known = modules()
    graph = {name: set(imported(path, known)) - {name} for name, path in known.items() if name not in HOUSE}
    rooms = {name: room(name, graph) for name in graph}
    found: Graph = {place: set() for place in rooms.values()}
    for name, targets in graph.items():
        found[rooms[name]] |= {rooms[other] for other in targets if other in rooms} - {rooms[name]}
    return found


def groups(graph: Graph) -> dict[str, tuple[str, ...]]:
    """For each room, those that it imports and that import it in turn, itself with them: they are drawn as one."""
    reached = {name: reach(name, graph) for name in graph}
    return {
        name: tuple(sorted({name} | {other for other in reached[name] if name in reached[other]})) for name in graph
    }


def floors(graph: dict[tuple[str, ...], set[tuple[str, ...]]]) -> dict[tuple[str, ...], int]:
    """How high each group stands: just above all that it imports."""
    height = dict.fromkeys(graph, 0)
    for _ in graph:
        for group, targets in graph.items():
            height[group] = max([0, *(height[other] + 1 for other in targets)])
    return height


def rooms() -> Figure:
    """A box a room, and lines down to those it imports from; what other lines say already is left out."""
    graph = between_rooms()
    of = groups(graph)
    wanted = {group: {of[to] for name in group for to in graph[name]} - {group} for group in of.values()}
    height = floors(wanted)
    rows: dict[int, list[tuple[str, ...]]] = {}
    for group in sorted(wanted, key=lambda group: (list(HOUSE).index(_part(group[0])), group)):
        rows.setdefault(height[group], []).append(group)
    widest = 2.0 * max(sum(map(len, row)) for row in rows.values())
    (axes,) = panels(1, 8.6, 0.82 * len(rows) + 0.3)
    place: dict[tuple[str, ...], float] = {}
    for level, row in rows.items():
        gap = (widest - 2.0 * sum(map(len, row))) / len(row)
        left = 0.0
        for group in row:
            place[group] = left + gap / 2 + len(group)
            _draw(axes, group, place[group], level * 1.6)
            left += gap + 2.0 * len(group)
    for group, targets in wanted.items():
        for to in targets:
            if not any(_leads(between, to, wanted) for between in targets - {to}):
                start = (place[group], height[group] * 1.6 - _half(group))
                arrow(axes, start, (place[to], height[to] * 1.6 + _half(to)), HOUSE[_part(group[0])])
    axes.set(xlim=(0, widest), ylim=(-0.6, max(rows) * 1.6 + 0.6))
    axes.axis("off")
    return figure_of(axes)


def _leads(start: tuple[str, ...], end: tuple[str, ...], graph: dict[tuple[str, ...], set[tuple[str, ...]]]) -> bool:
    return end in graph[start] or any(_leads(between, end, graph) for between in graph[start])


def _draw(axes: Axes, group: tuple[str, ...], x: float, y: float) -> None:
    """The rooms of a group side by side, in a frame where they are several."""
    if len(group) > 1:
        corner = (x - len(group), y - 0.48)
        frame = Rectangle(corner, 2.0 * len(group), 0.96, facecolor="#f4f5f7", edgecolor=GREY, linewidth=0.7, zorder=2)
        axes.add_patch(frame)
    for index, name in enumerate(group):
        part, _, inside = name.replace(", ", ".").partition(".")
        text = f"{part}\n(files {inside})" if inside in ("above", "below") else f"{part}\n{inside}".strip()
        box(axes, x - len(group) + 1 + 2 * index, y, text, 1.76, 0.76, HOUSE[part])


def _half(group: tuple[str, ...]) -> float:
    """Half the height that a group is drawn with."""
    return 0.48 if len(group) > 1 else 0.38


def _part(name: str) -> str:
    return name.split(".")[0].split(",")[0]
