"""The recipes that come with the project, as a table: read from their files, so that none is forgotten."""

from docs.markdown import plain
from experiments.config import recipe as recipes
from experiments.config.recipe import Model, Recipe


def recipe_table() -> str:
    """One row a recipe, as Markdown: name, network, head, picture size, epochs, batch, optimiser, what it is for."""
    head = "| recipe | network | head | pixels | epochs | batch | optimiser, rate | about |"
    rows = [_recipe_row(name, recipes.load(name)) for name in recipes.names()]
    return "\n".join([head, "| --- | --- | --- | --- | ---: | ---: | --- | --- |", *rows])


def _recipe_row(name: str, recipe: Recipe) -> str:
    model = recipe.model
    network, head = (model.name, "linear") if isinstance(model, Model) else (model.backbone, model.head.name)
    height, width = recipe.data.size
    cells = (
        f"`{name}`", f"`{network}`", head, f"{height}×{width}", recipe.epochs, recipe.batch_size,
        f"{recipe.optimizer.name}, {recipe.optimizer.lr:g}", plain(recipe.about.strip()).replace("|", "&#124;"),
    )  # fmt: skip
    return "| " + " | ".join(map(str, cells)) + " |"
