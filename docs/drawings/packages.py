"""The packages of the project and what they import, read from the code, so that the drawing is never outdated."""

import ast
from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure

from docs.drawings.canvas import BLUE, GREEN, ORANGE, RED, box, figure_of, panels

ROOT = Path(__file__).parents[2]
COLORS = {"mytorch": BLUE, "models": GREEN, "experiments": ORANGE, "autograder": RED}
BOXES_PER_ROW = 7
Graph = dict[str, set[str]]


def modules() -> dict[str, Path]:
    """Return every module by its dotted name; a package by its own."""
    found = {}
    for package in COLORS:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """Yield the modules of the project that a file imports, anywhere in it. The project has no relative imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in known else node.module


def part(name: str) -> str:
    """Return the part that a module belongs to: the file or folder inside mytorch or experiments, else the package."""
    package, *inside = name.split(".")
    return f"{package}.{inside[0]}" if package in ("mytorch", "experiments") and inside else package


def imports_between_parts() -> Graph:
    """Return for each part the parts that it imports. A package's own `__init__` is left out."""
    known = modules()
    graph: Graph = {}
    for name, path in known.items():
        if name in ("mytorch", "experiments"):
            continue
        targets = {part(other) for other in imported(path, known) if other not in ("mytorch", "experiments")}
        graph.setdefault(part(name), set()).update(targets - {part(name)})
    return graph


def floors(graph: Graph) -> dict[str, int]:
    """Return the floor of each part: just above everything that it imports. Raises ValueError for a cycle."""
    floor = dict.fromkeys(graph, 0)
    for _ in graph:
        raised = {name: max([0, *(floor[other] + 1 for other in targets)]) for name, targets in graph.items()}
        if raised == floor:
            return floor
        floor = raised
    raise ValueError("the packages import each other in a cycle")


def packages() -> Figure:
    """Draw a box per part; each imports only from parts further down."""
    rows: dict[int, list[str]] = {}
    for name, floor in floors(imports_between_parts()).items():
        rows.setdefault(floor, []).append(name)
    lines = []
    for floor in sorted(rows):
        names = sorted(rows[floor], key=lambda name: (list(COLORS).index(name.partition(".")[0]), name))
        lines += [names[start : start + BOXES_PER_ROW] for start in range(0, len(names), BOXES_PER_ROW)]
    (axes,) = panels(1, 8.6, 0.5 * len(lines) + 0.2)
    for row, names in enumerate(lines):
        left = -2.0 * len(names) / 2 + 1
        for index, name in enumerate(names):
            package, _, inside = name.partition(".")
            text = f"{package}\n{inside}" if inside else package
            box(axes, left + 2 * index, row, text, 1.86, 0.78, COLORS[package])
    axes.set(xlim=(-BOXES_PER_ROW, BOXES_PER_ROW), ylim=(-0.6, len(lines) - 0.4))
    axes.axis("off")
    return figure_of(axes)
