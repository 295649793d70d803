"""How good a run is on labelled pictures: figures, the commonest mistakes, and sheets of faces.

Runs to be judged together, and the labelled pictures that judge them.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from experiments.data.dataset import Faces, read_split
from experiments.errors import FacesError
from experiments.files import write_csv, write_json
from experiments.inference.class_balance import balance_logits, read_class_frequencies
from experiments.inference.model import TrainedModel
from experiments.inference.predict import PathLike, Views, average_probabilities, folder_per_run, open_ensemble, predict
from experiments.metrics.bootstrap import proportion_interval
from experiments.metrics.calibration import measure_calibration
from experiments.metrics.classification import classification_metrics, confidence, confusion_counts, most_confused
from experiments.plots.sheets import Tile, write_sheet
from experiments.plots.training import plot_confusion_matrix, plot_reliability
from experiments.progress import say

SplitPart = Literal["validation", "train"]


class EvaluationSet:
    """One run or several on one part of their data. faces: its pictures, as the first run's network sees them."""

    def __init__(
        self,
        runs: Sequence[str | os.PathLike[str]],
        data: PathLike | Sequence[PathLike],
        part: SplitPart = "validation",
        device: str | None = None,
    ) -> None:
        """data: a folder for all runs, or one for each, of the same pictures.

        Raises FacesError where a run knows other people or was trained on other pictures than its folder holds, and
        where what validated one run trained another: their common figure would be flattered.
        """
        self.trained = open_ensemble(runs, device)
        folders = folder_per_run(len(runs), data, "--data")
        self._faces = [_part(trained, folder, part) for trained, folder in zip(self.trained, folders, strict=True)]
        self.faces = self._faces[0]
        for trained, faces in zip(self.trained, self._faces, strict=True):
            if faces.fingerprint != self.faces.fingerprint:
                raise FacesError(
                    f"{trained.run.folder}: other pictures validated it than {self.trained[0].run.folder}, so that "
                    "some would have trained one of them: expected runs of one split (split.train, split.seed)"
                )

    def logits(self, views: Views = "none") -> np.ndarray:
        """Logits (N, classes) of the pictures; of several runs the logarithm of their mean probabilities."""
        each = [predict(trained, faces.images, views) for trained, faces in zip(self.trained, self._faces, strict=True)]
        return average_probabilities(each) if len(each) > 1 else each[0]


def _part(trained: TrainedModel, data: str | os.PathLike[str], part: SplitPart) -> Faces:
    halves = dict(zip(("train", "validation"), read_split(data, trained.recipe), strict=True))
    faces = halves[part]
    if list(faces.names) != trained.classes:
        raise FacesError(
            f"{data}: {len(faces.names)} people, other than the {len(trained.classes)} of {trained.run.folder}: "
            "evaluate on the people that the network was trained on"
        )
    if halves["train"].fingerprint != trained.run.image_fingerprint():
        raise FacesError(
            f"{data}: pictures came or went since {trained.run.folder} was trained, so that some it learned from would "
            "count as unseen: evaluate on the folder as it was"
        )
    if not len(faces):
        raise FacesError(
            f"{trained.run.folder}: all pictures trained (split.train=all), so that none are left to evaluate on"
        )
    return faces


TILES = 30


def evaluate(
    run: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    data: PathLike | Sequence[PathLike],
    out: str | os.PathLike[str] | None = None,
    part: SplitPart = "validation",
    views: Views = "none",
    device: str | None = None,
    balance: str | None = None,
) -> dict[str, Any]:
    """Write the figures of a run's best network, or of several together, on one part of its data into `out`.

    evaluation.json: top1 with its 95 % interval, top5, loss, calibration. reliability.png: how often the network is
    right when it is so sure. identities.csv: each person's share right. confused.csv and confusion.png: who is
    taken for whom. predictions.png: some pictures with answers. hardest.png: the mistakes the network is surest of.
    data: a folder for all runs, or one for each, of the same pictures aligned in another way. views: how each picture
    is seen; probabilities are averaged over views and runs. device: as `Trained.open` has it. balance: all pictures
    are judged together, each person named as often as all others ("even"), or as has pictures in a folder.
    Raises FacesError where the folder holds other people than a run was trained on, or other pictures of them: their
    split would put pictures that trained among those that validate; and where the runs' splits differ.
    """
    runs = [run] if isinstance(run, str | os.PathLike) else list(run)
    if len(runs) > 1 and out is None:
        raise FacesError(f"{len(runs)} runs: say by --out into which folder their common results go")
    folders = [data] if isinstance(data, str | os.PathLike) else list(data)
    judged = EvaluationSet(runs, folders, part, device)
    faces, trained = judged.faces, judged.trained[0]
    folder = trained.run.folder / "evaluation" if out is None else Path(out)
    if folder.exists() and not folder.is_dir():
        raise FacesError(f"{folder} is a file: give --out a folder, new or not")
    shares = read_class_frequencies(balance, trained.classes) if balance else None
    logits = judged.logits(views)
    if shares is not None:
        logits = balance_logits(logits, shares)
    folder.mkdir(parents=True, exist_ok=True)
    found = measure_calibration(logits, faces.labels)
    result: dict[str, Any] = {
        **classification_metrics(logits, faces.labels),
        "top1_interval": proportion_interval(logits.argmax(1) == faces.labels),
        "ece": found.ece,
        "temperature": found.temperature,
        "ece_tempered": found.ece_tempered,
        "images": len(faces),
        "identities": len(faces.names),
    }
    about = {
        "run": " + ".join(str(one.run.folder) for one in judged.trained),
        "data": " + ".join(map(str, folders)),
        "part": part,
        "views": views,
        **({"balance": balance} if balance else {}),
    }
    write_json(folder / "evaluation.json", {**about, **result})
    plot_reliability(found, folder / "reliability.png")
    counts = confusion_counts(logits, faces.labels)
    write_csv(folder / "identities.csv", _identities(counts, trained.classes))
    pairs = most_confused(counts, trained.classes)
    write_csv(folder / "confused.csv", pairs, columns=("true", "taken_for", "times", "of"))
    plot_confusion_matrix(counts, trained.classes, folder / "confusion.png")
    _sheets(faces, logits, folder)
    low, high = result["top1_interval"]
    say(
        f"top-1 {result['top1']:.1%} ({low:.1%} to {high:.1%})  top-5 {result['top5']:.1%}  loss {result['loss']:.3f}  "
        f"on {len(faces)} pictures"
    )
    say(f"  calibration error {found.ece:.3f}, and {found.ece_tempered:.3f} at temperature {found.temperature:.2f}")
    for pair in pairs[:3]:
        say(f"  {pair['true']} was taken for {pair['taken_for']} {pair['times']} times of {pair['of']}")
    say(f"written to {folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}")
    return result


def _identities(counts: np.ndarray, names: list[str]) -> list[dict[str, Any]]:
    """Each person's pictures, and how many of them were named right; the worst first."""
    rows = [
        {"identity": name, "images": int(row.sum()), "right": int(row[label]), "top1": round(row[label] / row.sum(), 4)}
        for label, (name, row) in enumerate(zip(names, counts, strict=True))
        if row.sum()
    ]
    return sorted(rows, key=lambda row: row["top1"])


def _sheets(faces: Faces, logits: np.ndarray, folder: Path) -> None:
    shares, predicted = confidence(logits), logits.argmax(1)
    wrong = np.flatnonzero(predicted != faces.labels)

    def tiles(rows: np.ndarray) -> list[Tile]:
        return [Tile(faces.images[i], faces.names[faces.labels[i]], faces.names[predicted[i]], shares[i]) for i in rows]

    some = np.sort(np.random.default_rng(0).permutation(len(faces))[:TILES])
    write_sheet(tiles(some), folder / "predictions.png", f"{len(some)} of {len(faces)} pictures, drawn by lot")
    hardest = wrong[np.argsort(-shares[wrong], kind="stable")][:TILES]
    title = f"The surest of {len(wrong)} mistakes in {len(faces)} pictures" if len(wrong) else "No mistakes"
    write_sheet(tiles(hardest), folder / "hardest.png", title)
