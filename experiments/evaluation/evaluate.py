"""How good a run, or an ensemble of runs, is on labeled images: metrics, common mistakes, and sheets of faces."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from experiments.data.dataset import Faces, read_split
from experiments.data.preparation import require_preparation
from experiments.errors import FacesError
from experiments.files import file_digest, write_csv, write_signed
from experiments.inference.model import EngineName, TrainedModel
from experiments.inference.predict import (
    PathLike,
    Views,
    average_probabilities,
    balance_logits,
    folder_per_run,
    open_ensemble,
    predict,
    read_class_frequencies,
)
from experiments.metrics.bootstrap import proportion_interval
from experiments.metrics.classification import (
    classification_metrics,
    confidence,
    confusion_counts,
    measure_calibration,
    most_confused,
)
from experiments.plots.sheets import Tile, write_sheet
from experiments.plots.training import plot_confusion_matrix, plot_reliability
from experiments.progress import say

SplitPart = Literal["validation", "train"]
MAX_TILES = 30
"""Faces on a sheet."""


def evaluate(
    run: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    data: PathLike | Sequence[PathLike],
    out: str | os.PathLike[str] | None = None,
    part: SplitPart = "validation",
    views: Views = "none",
    device: str | None = None,
    balance: str | None = None,
    engine: EngineName | None = None,
) -> dict[str, Any]:
    """Write the metrics of a run's best network, or of several runs together, on one part of their data into `out`.

    evaluation.json: top1 with its 95 % interval, top5, loss, calibration. reliability.png: how often the network is
    right at each confidence. identities.csv: each person's fraction right. confused.csv and confusion.png: who is taken
    for whom. predictions.png: some images with answers. hardest.png: the mistakes with the highest confidence.

    data: a folder for all runs, or one for each, of the same images aligned in another way. views: how each image is
    seen; probabilities are averaged over views and runs. device, engine: as for `TrainedModel.open`. balance: all
    images are judged together, each person named as often as all others ("even"), or as often as there are images in a
    folder.

    Runs that were split differently are judged on the images that validated all of them. Raises FacesError, before
    anything is written, where the folder holds other people than a run was trained on, other images of them (their
    split would put images that trained among those that validate), or images prepared otherwise; and where no image
    validated all of the runs.
    """
    runs = [run] if isinstance(run, str | os.PathLike) else list(run)
    if len(runs) > 1 and out is None:
        raise FacesError(f"{len(runs)} runs: give --out, the folder for their common results")
    folders = [data] if isinstance(data, str | os.PathLike) else list(data)
    judged = EvaluationSet(runs, folders, part, device, engine)
    faces, trained = judged.faces, judged.trained[0]
    folder = trained.run.folder / "evaluation" if out is None else Path(out)
    if folder.exists() and not folder.is_dir():
        raise FacesError(f"{folder} is a file: give --out a folder, new or not")
    frequencies = read_class_frequencies(balance, trained.classes) if balance else None
    logits = judged.logits(views)
    if frequencies is not None:
        logits = balance_logits(logits, frequencies)
    calibration = measure_calibration(logits, faces.labels)
    result: dict[str, Any] = {
        **classification_metrics(logits, faces.labels),
        "top1_interval": proportion_interval(logits.argmax(1) == faces.labels),
        "ece": calibration.ece,
        "temperature": calibration.temperature,
        "ece_tempered": calibration.ece_tempered,
        "images": len(faces),
        "identities": len(faces.names),
    }
    about = {
        "run": " + ".join(str(one.run.folder) for one in judged.trained),
        "data": " + ".join(map(str, folders)),
        "preparation": faces.preparation.model_dump(mode="json"),
        "part": part,
        "views": views,
        **({"balance": balance} if balance else {}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    plot_reliability(calibration, folder / "reliability.png")
    counts = confusion_counts(logits, faces.labels)
    write_csv(folder / "identities.csv", _identity_rows(counts, trained.classes))
    mistakes = most_confused(counts, trained.classes)
    write_csv(folder / "confused.csv", mistakes, columns=("true", "taken_for", "times", "of"))
    files = {name: file_digest(folder / name) for name in ("identities.csv", "confused.csv")}
    write_signed(folder / "evaluation.json", {**about, **result, "files": files})
    plot_confusion_matrix(counts, trained.classes, folder / "confusion.png")
    _write_sheets(faces, logits, folder)
    low, high = result["top1_interval"]
    say(
        f"top-1 {result['top1']:.1%} ({low:.1%} to {high:.1%})  top-5 {result['top5']:.1%}  loss {result['loss']:.3f}  "
        f"on {len(faces)} images"
    )
    tempered = f"{calibration.ece_tempered:.3f} at temperature {calibration.temperature:.2f}"
    say(f"  calibration error {calibration.ece:.3f}, and {tempered}")
    for pair in mistakes[:3]:
        say(f"  {pair['true']} was taken for {pair['taken_for']} {pair['times']} times of {pair['of']}")
    say(f"written to {folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}")
    return result


class EvaluationSet:
    """One run or several, and the labeled images that judge them. faces: as the first run's network sees them."""

    def __init__(
        self,
        runs: Sequence[str | os.PathLike[str]],
        data: PathLike | Sequence[PathLike],
        part: SplitPart = "validation",
        device: str | None = None,
        engine: EngineName | None = None,
    ) -> None:
        """Open the runs and read their images. data: a folder for all runs, or one for each, of the same images.

        Of runs that were split differently, the images that validated all of them are kept: one that trained any of
        them would flatter their common metrics. Raises FacesError as `evaluate` says.
        """
        self.trained = open_ensemble(runs, device, engine)
        folders = folder_per_run(len(runs), data, "--data")
        self._faces = [_read_part(trained, folder, part) for trained, folder in zip(self.trained, folders, strict=True)]
        if len({faces.fingerprint for faces in self._faces}) > 1:
            self._keep_common(part)
        self.faces = self._faces[0]

    def _keep_common(self, part: SplitPart) -> None:
        """Keep the images that are in the part of every run, in the order of the first."""
        keys = [[_image_key(path) for path in faces.paths] for faces in self._faces]
        common = set(keys[0]).intersection(*keys[1:])
        kept = [key for key in keys[0] if key in common]
        if not kept:
            raise FacesError(
                f"no image is in the {part} part of all of {', '.join(str(one.run.folder) for one in self.trained)}: "
                "expected runs whose splits overlap there (split.train, split.seed)"
            )
        say(
            f"the runs were split differently: judged on the {len(kept)} {part} images that they have in common, of "
            f"{', '.join(str(len(faces)) for faces in self._faces)}"
        )
        rows = [{key: row for row, key in enumerate(names)} for names in keys]
        self._faces = [faces.pick([row[key] for key in kept]) for faces, row in zip(self._faces, rows, strict=True)]

    def logits(self, views: Views = "none") -> np.ndarray:
        """Logits (N, classes) of the images; of several runs the logarithm of their mean probabilities."""
        each = self.logits_of_each(views)
        return average_probabilities(each) if len(each) > 1 else each[0]

    def logits_of_each(self, views: Views = "none") -> list[np.ndarray]:
        """Logits (N, classes) of the images, by each run."""
        return [predict(trained, faces.images, views) for trained, faces in zip(self.trained, self._faces, strict=True)]


def _image_key(path: Path) -> tuple[str, str]:
    """What an image is called in every folder that holds it: its person and its name."""
    return path.parent.name, path.name


def _read_part(trained: TrainedModel, data: str | os.PathLike[str], part: SplitPart) -> Faces:
    require_preparation(trained.run.preparation(), Path(data), f"the run {trained.run.folder}")
    halves = dict(zip(("train", "validation"), read_split(data, trained.recipe), strict=True))
    faces = halves[part]
    if list(faces.names) != trained.classes:
        raise FacesError(
            f"{data}: {len(faces.names)} people, other than the {len(trained.classes)} of {trained.run.folder}: "
            "evaluate on the people that the network was trained on"
        )
    if halves["train"].fingerprint != trained.run.image_fingerprint():
        raise FacesError(
            f"{data}: images were added or removed since {trained.run.folder} was trained, so that some it learned "
            "from would count as unseen: evaluate on the folder as it was"
        )
    if not len(faces):
        raise FacesError(
            f"{trained.run.folder}: all images trained (split.train=all), so that none are left to evaluate on"
        )
    return faces


def _identity_rows(counts: np.ndarray, names: list[str]) -> list[dict[str, Any]]:
    """Each person's images, and how many of them were named right; the worst first."""
    rows = [
        {"identity": name, "images": int(row.sum()), "right": int(row[label]), "top1": round(row[label] / row.sum(), 4)}
        for label, (name, row) in enumerate(zip(names, counts, strict=True))
        if row.sum()
    ]
    return sorted(rows, key=lambda row: row["top1"])


def _write_sheets(faces: Faces, logits: np.ndarray, folder: Path) -> None:
    confidences, predicted = confidence(logits), logits.argmax(1)
    wrong = np.flatnonzero(predicted != faces.labels)

    def tiles(rows: np.ndarray) -> list[Tile]:
        answers = [(faces.names[faces.labels[row]], faces.names[predicted[row]], confidences[row]) for row in rows]
        return [Tile(faces.images[row], *answer) for row, answer in zip(rows, answers, strict=True)]

    some = np.sort(np.random.default_rng(0).permutation(len(faces))[:MAX_TILES])
    write_sheet(tiles(some), folder / "predictions.png", f"{len(some)} random images of {len(faces)}")
    hardest = wrong[np.argsort(-confidences[wrong], kind="stable")][:MAX_TILES]
    title = f"The most confident of {len(wrong)} mistakes in {len(faces)} images" if len(wrong) else "No mistakes"
    write_sheet(tiles(hardest), folder / "hardest.png", title)
