"""The measured errors of layers, from the committed table of gradients: nothing is measured here, or typed.

The recipes that come with the project, as a table: read from their files, so that none is forgotten.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from docs.markdown import plain
from experiments.config import recipe as recipes
from experiments.config.recipe import Recipe, ScratchModel
from experiments.errors import FacesError

TABLE = Path(__file__).parents[1] / "results" / "gradcheck" / "table.json"
PARTS = ("output", "input", "parameters")
COLUMNS = {"float64": PARTS, "float32": PARTS, "differences": PARTS[1:]}
HEAD = (
    "<thead><tr><th></th>" + "".join(f'<th colspan="{len(parts)}">{kind}</th>' for kind, parts in COLUMNS.items())
    + "</tr><tr><th></th>" + "".join(f"<th>{part}</th>" for parts in COLUMNS.values() for part in parts)
    + "</tr></thead>"
)  # fmt: skip


@cache
def measured() -> dict[str, Any]:
    """The table: command, seed, draws, versions, limits, and a row a layer."""
    return json.loads(TABLE.read_text(encoding="utf-8"))


def rows() -> dict[str, Any]:
    """The table's rows by their names: layers, and ways through them such as "Conv2d by Winograd"."""
    return {row["layer"]: row for row in measured()["rows"]}


def gradient_table(*names: str) -> str:
    """The rows of these names, or all, as HTML. Raises FacesError for a name that the table does not have."""
    known = rows()
    missing = [name for name in names if name not in known]
    if missing:
        raise FacesError(f"{TABLE}: no row for {', '.join(missing)}; run `make gradcheck`, or mend the page's names")
    body = "\n".join(_row(known[name]) for name in names or known)
    return f'<div class="errors"><table>\n{HEAD}\n<tbody>\n{body}\n</tbody></table></div>\n\n{caption()}'


def caption() -> str:
    """What the figures are, and the command that made them."""
    what = measured()
    made = ", ".join(f"{name} {version}" for name, version in what["versions"].items())
    return (
        f"Largest relative error over {what['draws']} drawn configurations, against PyTorch in float64; in the last "
        "columns that of the gradient along a random direction, against a central difference. "
        f"`{what['command']}`; {made}. [How to read it](../reference/errors.md).\n{{ .caption }}"
    )


def _row(row: dict[str, Any]) -> str:
    figures = [row[kind].get(part) for kind, parts in COLUMNS.items() for part in parts]
    cells = "".join(f"<td>{'' if f is None else f'{f:.1e}'}</td>" for f in figures)
    return f"<tr><th>{row['layer']}</th>{cells}</tr>"


def recipe_table() -> str:
    """One row a recipe, as Markdown: name, network, head, picture size, epochs, batch, optimiser, what it is for."""
    head = "| recipe | network | head | pixels | epochs | batch | optimiser, rate | about |"
    rows = [_recipe_row(name, recipes.load_recipe(name)) for name in recipes.recipe_names()]
    return "\n".join([head, "| --- | --- | --- | --- | ---: | ---: | --- | --- |", *rows])


def _recipe_row(name: str, recipe: Recipe) -> str:
    model = recipe.model
    network, head = (model.name, "linear") if isinstance(model, ScratchModel) else (model.backbone, model.head.name)
    height, width = recipe.data.size
    cells = (
        f"`{name}`", f"`{network}`", head, f"{height}×{width}", recipe.epochs, recipe.batch_size,
        f"{recipe.optimizer.name}, {recipe.optimizer.lr:g}", plain(recipe.about.strip()).replace("|", "&#124;"),
    )  # fmt: skip
    return "| " + " | ".join(map(str, cells)) + " |"
