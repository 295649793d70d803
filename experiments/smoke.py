"""A smoke test: every recipe from images to a checked submission, on a few synthetic people."""

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from experiments.config.load import load_recipe, recipe_names
from experiments.config.recipe import Recipe
from experiments.data.synthetic import write_dataset
from experiments.errors import FacesError
from experiments.evaluation.evaluate import evaluate
from experiments.files import read_json, write_json
from experiments.progress import print_table, say
from experiments.run import Run
from experiments.submission.format import check_submission
from experiments.submission.submit import submit
from experiments.training.trainer import train

PEOPLE, IMAGES, TEST_IMAGES, DRAWN, SEED = 4, 10, 8, 112, 0
TABLE, BEGUN, DONE = "smoke.json", "begun", "done"
MIN_SIZE = {"inception_resnet_v1": 80, "mobilefacenet": 112}
"""Image sizes below which a network's last map would be empty, by the prefix of the backbone's name."""
CONTINUED = "_arcface"
"""Recipes whose names end like this begin from a run of the recipe without it."""


def run_smoke_test(
    out: str | os.PathLike[str], chosen: Sequence[str] = (), side: int = 64, epochs: int = 1
) -> list[dict[str, Any]]:
    """Train, evaluate, submit and check each recipe (all of them unless `chosen`), `epochs` epochs per stage.

    Weights are random, or those of an earlier run where a recipe begins from one; images have `side` pixels per side,
    or as many as the network needs. What a recipe raises is recorded in its row of the table. The same call resumes
    after a stop: a finished recipe is not run again. Returns the rows. Raises FacesError for an unknown recipe, for a
    folder of something else, and at the end where a recipe failed.
    """
    folder, names = Path(out), list(chosen) or recipe_names()
    for name in names:
        load_recipe(name)
    if folder.exists() and not (folder / TABLE).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise FacesError(f"{folder} exists and is not the folder of a smoke test: choose another --out")
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / TABLE
    rows: dict[str, dict[str, Any]] = read_json(table) if table.is_file() else {}
    write_json(table, rows)
    if not (folder / "faces").is_dir():
        write_dataset(
            folder / "faces", identities=PEOPLE, images=IMAGES, test_images=TEST_IMAGES, size=DRAWN, seed=SEED
        )
    for number, name in enumerate(names, 1):
        recipe = shortened(name, folder, side, epochs)
        earlier = rows.get(name, {"settings": None, "ended": BEGUN})
        if earlier["settings"] == recipe.dump() and earlier["ended"] == DONE:
            continue
        if earlier["settings"] != recipe.dump():
            shutil.rmtree(folder / name, ignore_errors=True)
        say(f"\n{number} of {len(names)}: {name}")
        row = {"network": recipe.model.name, "pixels": list(recipe.data.size), "settings": recipe.dump()}
        rows[name] = {**row, "seconds": 0.0, "ended": BEGUN}
        write_json(table, rows)
        rows[name] = {**row, **_run_recipe(recipe, folder / name, folder / "faces")}
        write_json(table, rows)
    found = [{"recipe": name, **rows[name]} for name in names]
    print_table(_table(found), 120)
    if failed := [row["recipe"] for row in found if row["ended"] != DONE]:
        raise FacesError(f"{len(failed)} of {len(found)} recipes failed: {', '.join(failed)}")
    return found


def shortened(name: str, folder: Path, side: int, epochs: int) -> Recipe:
    """Return a recipe for the few synthetic people: `epochs` per stage, small batches and images, random weights."""
    plain = load_recipe(name)
    settings = ["split.train=0.5", "batch_size=8"]
    if plain.stages:
        settings += [f"stages.{number}.epochs={epochs}" for number in range(len(plain.stages))]
    elif plain.epochs:
        settings.append(f"epochs={epochs}")
    if plain.model.library == "torch":
        backbone = plain.torch_model.backbone
        least = next((least for start, least in MIN_SIZE.items() if backbone.startswith(start)), 0)
        base = folder / name.removesuffix(CONTINUED)
        begun = name.endswith(CONTINUED) and (base / "metrics.json").is_file()
        settings.append(f"model.weights={base if begun else 'none'}")
        settings.append(f"data.size={[max(least, min(side, *plain.data.size))] * 2}")
    return load_recipe(name, settings)


def _run_recipe(recipe: Recipe, out: Path, faces: Path) -> dict[str, Any]:
    """Take one recipe from images to a checked submission. Returns what its row of the table says."""
    started, answer, sample = time.monotonic(), out / "submission.csv", faces / "sample_submission.csv"
    try:
        run = train(recipe, faces, out, resume=out.exists())
        evaluated = evaluate(run.folder, faces)
        submit([run.folder], faces / "test", sample, answer)
        if wrong := check_submission(answer, sample, Run.open(out).classes()):
            raise FacesError(f"{answer}: {'; '.join(wrong)}")
        metrics = {"epochs": run.metrics().epoch, "loss": evaluated["loss"], "top1": evaluated["top1"]}
        return {**metrics, "seconds": round(time.monotonic() - started, 1), "ended": DONE}
    except FacesError as error:
        say(f"  {error}")
        return {"seconds": round(time.monotonic() - started, 1), "ended": str(error)}


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for head in ("recipe", "network", "pixels", "epochs", "loss", "top-1", "seconds", "result"):
        table.add_column(head, justify="left" if head in ("recipe", "network") else "right")
    for row in rows:
        metrics = [f"{row['epochs']}", f"{row['loss']:.3f}", f"{row['top1']:.0%}"] if "top1" in row else [""] * 3
        table.add_row(row["recipe"], row["network"], f"{row['pixels'][0]}", *metrics, f"{row['seconds']}", row["ended"])
    return table
