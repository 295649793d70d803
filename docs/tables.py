"""Tables of the site, read from committed files: measured errors, agreement with PyTorch, and the recipes."""

import json
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, get_args

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from docs.markdown import plain
from experiments.config.load import load_recipe, recipe_names
from experiments.config.model_settings import HeadSettings, ScratchModel
from experiments.config.recipe import Recipe
from experiments.config.strict_yaml import dump_yaml
from experiments.errors import FacesError
from mytorch import nn

RESULTS = Path(__file__).parents[1] / "results"
TABLE = RESULTS / "gradcheck" / "table.json"
CONFORMANCE = RESULTS / "conformance"
PARTS = ("output", "input", "parameters")
COLUMNS = {"float64": PARTS, "float32": PARTS, "differences": PARTS[1:]}
HEAD = (
    "<thead><tr><th></th>" + "".join(f'<th colspan="{len(parts)}">{kind}</th>' for kind, parts in COLUMNS.items())
    + "</tr><tr><th></th>" + "".join(f"<th>{part}</th>" for parts in COLUMNS.values() for part in parts)
    + "</tr></thead>"
)  # fmt: skip


@cache
def measured() -> dict[str, Any]:
    """Read the committed table: command, seed, draws, versions, limits, and a row per layer."""
    return json.loads(TABLE.read_text(encoding="utf-8"))


def rows() -> dict[str, Any]:
    """Return the rows by name: layers, and variants such as "Conv2d by Winograd"."""
    return {row["layer"]: row for row in measured()["rows"]}


def gradient_table(*names: str) -> str:
    """Return the rows of these names, or all, as HTML, and name the layers that the table does not have yet.

    Raises FacesError for a name that is neither in the table nor a layer.
    """
    known = rows()
    missing = [name for name in names if name not in known]
    if wrong := [name for name in missing if name not in nn.__all__]:
        raise FacesError(f"{TABLE}: no row for {', '.join(wrong)}, and mytorch.nn has none: correct the page's names")
    to_come = f"Not in the table yet: {', '.join(missing)}. `make gradcheck` measures them." if missing else ""
    body = "\n".join(_row(known[name]) for name in names or known if name in known)
    if not body:
        return to_come
    table = f'<div class="errors"><table>\n{HEAD}\n<tbody>\n{body}\n</tbody></table></div>\n\n{caption()}'
    return "\n\n".join(filter(None, (table, to_come)))


def caption() -> str:
    """Return what the numbers are, and the command that measured them."""
    what = measured()
    made = ", ".join(f"{name} {version}" for name, version in what["versions"].items())
    return (
        f"Largest relative error over {what['draws']} random configurations, compared with PyTorch in float64. The "
        "last columns compare the gradient along a random direction with a central difference. "
        f"`{what['command']}`; {made}. [How to read it](../reference/errors.md).\n{{ .caption }}"
    )


def _row(row: dict[str, Any]) -> str:
    values = [row[kind].get(part) for kind, parts in COLUMNS.items() for part in parts]
    cells = "".join(f"<td>{'' if f is None else f'{f:.1e}'}</td>" for f in values)
    return f"<tr><th>{row['layer']}</th>{cells}</tr>"


def conformance_tables() -> str:
    """Return the agreement with PyTorch and ONNX: for each source of samples its totals, its rows, what is left out."""
    paths = [CONFORMANCE / f"{kind}.json" for kind in ("modules", "opinfo", "onnx")]
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise FacesError(f"no {', '.join(missing)}: run `make conformance`, which writes them")
    return "\n\n".join(_conformance(json.loads(path.read_text(encoding="utf-8"))) for path in paths)


def _conformance(record: dict[str, Any]) -> str:
    sums = record["totals"]
    made = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    columns = ("agree", "differ", "unsupported", "excluded")
    head = "".join(f"<th>{name}</th>" for name in ("", "agree", "differ", "unsupported", "out of scope", "why not"))
    body = "\n".join(
        f"<tr><th>{row['name']}</th>"
        + "".join(f"<td>{row[name] or ''}</td>" for name in columns)
        + f"<td>{escape('; '.join(list(row['reasons'])[:2]))}</td></tr>"
        for row in record["rows"]
    )
    reasons: dict[str, list[str]] = {}
    for name, reason in record["outside"].items():
        reasons.setdefault(reason, []).append(name)
    outside = "\n".join(f"- {', '.join(names)}: {reason}." for reason, names in reasons.items())
    return (
        f"## {record['title']}\n\n{record['about']}\n\n"
        f"**{sums['agree']:,} of {sums['in scope']:,} samples in scope agree**, {sums['differ']:,} differ, "
        f"{sums['unsupported']:,} are unsupported. {sums['in scope']:,} of {sums['samples']:,} are in scope. "
        f"`{record['command']}`; {made}.\n\n"
        f'<div class="errors conformance"><table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
        + (f"\n\nNot run, because they are out of scope:\n\n{outside}" if outside else "")
    )


def recipe_table() -> str:
    """Return one row per recipe as Markdown: its name, what it is for, and its main settings on a second line."""
    rows = [_recipe_row(name, load_recipe(name)) for name in recipe_names()]
    return "\n".join(["| recipe | what it is for |", "| --- | --- |", *rows])


def _recipe_row(name: str, recipe: Recipe) -> str:
    model = recipe.model
    network, head = (model.name, "linear") if isinstance(model, ScratchModel) else (model.backbone, model.head.name)
    height, width = recipe.data.size
    settings = (
        f"`{network}`", f"{head} head", f"{height}×{width} pixels", f"{recipe.epochs} epochs",
        f"batch {recipe.batch_size}", f"{recipe.optimizer.name}, learning rate {recipe.optimizer.lr:g}",
    )  # fmt: skip
    about = plain(recipe.about.strip()).replace("|", "&#124;")
    return f"| `{name}` | {about}<br><small>{' · '.join(settings)}</small> |"


def every_setting() -> str:
    """Return two recipes in full, one for mytorch and one for a backbone of PyTorch, and the settings of every head."""
    scratch, transfer = (
        Recipe.parse({}, "page"),
        Recipe.parse({"model": {"backbone": "resnet18"}, "stages": [{"epochs": 30}]}, "page"),
    )
    stages = [stage.model_dump(mode="json") for stage in transfer.stages]
    only_there = {"model": transfer.model.model_dump(mode="json"), "stages": stages}
    heads = [get_args(tagged)[0] for tagged in get_args(get_args(HeadSettings)[0])]
    rows = [{name: _head_default(name, field) for name, field in head.model_fields.items()} for head in heads]
    return (
        f"Every setting of a recipe for mytorch, with its default:\n\n```yaml\n{scratch.dump()}```\n\n"
        f"A network of PyTorch has another `model`, and stages if you like:\n\n```yaml\n{dump_yaml(only_there)}```\n\n"
        f"The heads, for `model.head`:\n\n```yaml\n{''.join(f'- {json.dumps(row)}' + chr(10) for row in rows)}```"
    )


def _head_default(name: str, field: FieldInfo) -> Any:
    default = field.get_default(call_default_factory=True)
    return " or ".join(get_args(field.annotation)) if name == "name" and default is PydanticUndefined else default
