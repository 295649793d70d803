"""Are these two one person? A network judged on a file of pairs, and its thresholds calibrated on it.

A network judged on every pair that a folder of people makes.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.data.folders import find_identities
from experiments.data.pairs import read_pairs
from experiments.errors import FacesError
from experiments.evaluation.scoring import EmbedOptions, ScoredPairs, score_pairs, verification_metrics
from experiments.evaluation.thresholds import THRESHOLDS, calibrate_thresholds
from experiments.files import read_json, write_csv, write_json
from experiments.inference.embedder import Embedder, open_embedder, open_frozen_backbone, save_frozen_network
from experiments.metrics.all_pairs import count_all_pairs, peak_memory
from experiments.metrics.roc import FARS, roc_curve, tar_at_far
from experiments.plots.sheets import PairTile, write_pair_sheet
from experiments.plots.verification import plot_det, plot_roc, plot_scores
from experiments.progress import say, track

WORST = 12


def open_network(
    run: Path | None, backbone: str | None, weights: Path | None, out: Path | None
) -> tuple[Embedder, Path]:
    """The network that a command is about, and the folder for its results.

    Either a run, whose results go into it unless `out` says otherwise; or a backbone with weights and `out`, which then
    becomes the frozen network's folder. Raises FacesError where both or neither are given.
    """
    if (run is None) == (backbone is None):
        raise FacesError("give either a RUN, or --backbone NAME with --weights FILE and --out DIR")
    if run is not None:
        if weights is not None:
            raise FacesError(f"--weights {weights} goes with --backbone: {run} has weights of its own")
        return open_embedder(run), run / "verification" if out is None else out
    assert backbone is not None
    if weights is None or out is None:
        raise FacesError(f"--backbone {backbone} needs --weights FILE, and --out DIR for the results")
    if out.exists() and not out.is_dir():
        raise FacesError(f"{out} is a file: give --out a folder, new or not")
    if (out / "recipe.yaml").exists():
        raise FacesError(f"{out} is a run's folder: give --out another for the frozen {backbone}")
    return open_frozen_backbone(backbone, weights, out), out


def verify(
    embedder: Embedder,
    file: str | os.PathLike[str],
    images: str | os.PathLike[str],
    out: Path,
    view: EmbedOptions,
    fars: Sequence[float] = FARS,
    rounds: int = 1000,
    cohort: Path | None = None,
) -> dict[str, Any]:
    """Judge a network on a file of pairs (see `experiments.data.pairs`), and write what was found into `out`.

    With answers: verification.json (eer, auc, tar_at_far, lfw_accuracy and lfw_std where there are folds, threshold,
    95 % intervals by people), scores.csv, roc.png, det.png, scores.png, worst.png (the pairs most wrongly judged), and
    thresholds.json, beside the network where it has a folder. Without: NAME_submission.csv, `ID,Label`, the number of
    the pair's line from 0, and its similarity. Raises FacesError, before anything is written, for a file that
    `read_pairs` refuses.

    cohort: a folder of pictures of other people, by which the embeddings are whitened. No thresholds are stored then,
    as `match` and `identify` have no cohort at hand.
    """
    if out.exists() and not out.is_dir():
        raise FacesError(f"{out} is a file: give --out a folder, new or not")
    pairs = read_pairs(file, images)
    scored = score_pairs(embedder, pairs, view, cohort)
    for remark in scored.remarks:
        say(f"note: {remark}")
    if pairs.matches is None:
        _begin(out, embedder)
        path = out / f"{pairs.file.stem}_submission.csv"
        write_csv(path, [{"ID": n, "Label": f"{score:.6f}"} for n, score in enumerate(scored.scores)])
        say(f"{path}: {len(pairs)} similarities, as the answers are withheld")
        return {"pairs": len(pairs), "submission": str(path)}
    result = {**verification_metrics(scored, fars, rounds), "network": embedder.title, "pairs_file": Path(file).name}
    result |= {"align": view.align, "flip": view.flip, "zooms": list(view.zooms), "cohort": scored.cohort}
    result["remarks"] = scored.remarks
    about = {"network": embedder.fingerprint, "flip": view.flip, "zooms": view.zooms, "pairs": str(file)}
    calibration, home = calibrate_thresholds(scored.scores, pairs.answers, fars, **about), embedder.folder or out
    _begin(out, embedder)
    write_json(out / "verification.json", result)
    plots = _pictures(scored, result["threshold"], out, embedder.title)
    _print_metrics(result)
    say(f"written to {out}: verification.json, scores.csv, {', '.join(plots)}")
    if not scored.cohort:
        calibration.write(home)
        _keep_with_run(home, result)
        say(f"thresholds for `faces match` and `faces identify`: {home / THRESHOLDS}")
    return result


def _begin(out: Path, embedder: Embedder) -> None:
    """The folder for the results, and, of a frozen network, what it is."""
    out.mkdir(parents=True, exist_ok=True)
    save_frozen_network(embedder)


def _keep_with_run(home: Path, result: dict[str, Any]) -> None:
    """Add the figures to the metrics of a run, where the folder is one."""
    metrics = home / "metrics.json"
    if metrics.is_file():
        keys = ("eer", "auc", "tar_at_far", "lfw_accuracy", "lfw_std", "threshold")
        write_json(metrics, read_json(metrics) | {key: result[key] for key in keys if key in result})


def _pictures(scored: ScoredPairs, threshold: float, out: Path, title: str) -> list[str]:
    """Write scores.csv and the plots; return the names of the plots that there are."""
    pairs, scores = scored.pairs, scored.scores
    names = [path.as_posix() for path in pairs.paths]
    rows = [
        {"ID": n, "first": names[a], "second": names[b], "match": int(match), "similarity": f"{score:.6f}"}
        for n, (a, b, match, score) in enumerate(zip(pairs.first, pairs.second, pairs.answers, scores, strict=True))
    ]
    write_csv(out / "scores.csv", rows)
    curves = {"": roc_curve(scores, pairs.answers)}
    about = f"{title}, {len(pairs):,} pairs"
    plot_roc(curves, out / "roc.png", about)
    plots = ["roc.png", *(["det.png"] if plot_det(curves, out / "det.png", about) else []), "scores.png"]
    plot_scores(scores, pairs.answers, threshold, out / "scores.png", about)
    worst = worst_pairs(scored, threshold)
    if not worst:
        (out / "worst.png").unlink(missing_ok=True)
        say(f"worst.png: left out, as no pair is on the wrong side of the threshold {threshold:.3f}")
        return plots
    write_pair_sheet(worst, out / "worst.png", f"Pairs on the wrong side of the threshold {threshold:.3f}")
    return [*plots, "worst.png"]


def worst_pairs(scored: ScoredPairs, threshold: float, most: int = WORST) -> list[PairTile]:
    """The least similar rejected pairs of one person, then the most similar accepted pairs of two, `most` of each."""
    pairs, scores = scored.pairs, scored.scores
    order = np.argsort(scores, kind="stable")
    order = order[(scores[order] >= threshold) != pairs.answers[order]]
    chosen = [*order[pairs.answers[order]][:most], *order[~pairs.answers[order]][::-1][:most]]
    tiles = []
    for n in chosen:
        a, b = pairs.paths[pairs.first[n]], pairs.paths[pairs.second[n]]
        kind = "one person" if pairs.answers[n] else "two people"
        caption = f"{kind}, similarity {scores[n]:.2f}\n{_short(a)}\n{_short(b)}"
        tiles.append(PairTile(scored.images[pairs.first[n]], scored.images[pairs.second[n]], caption, right=False))
    return tiles


def _short(path: Path) -> str:
    return path.stem if len(path.stem) <= 22 else f"{path.stem[:12]}…{path.stem[-9:]}"


def _print_metrics(result: dict[str, Any]) -> None:
    sure = result.get("intervals", {})

    def interval(name: str) -> str:
        return f" ({sure[name][0]:.4f} to {sure[name][1]:.4f})" if name in sure else ""

    say(f"EER {result['eer']:.4f}{interval('eer')}  AUC {result['auc']:.4f}{interval('auc')}")
    if "lfw_accuracy" in result:
        say(f"accuracy over the folds {result['lfw_accuracy']:.4f}, standard deviation {result['lfw_std']:.4f}")
    for far, tar in result["tar_at_far"].items():
        say(f"TAR {tar:.4f} at FAR {far}{interval(f'tar_at_far {far}')}")
    for remark in result["not_supported"]:
        say(f"  {remark}")
    if sure:
        say(f"in brackets: 95 % intervals, drawing the {result['people']:,} people again")


def verify_all_pairs(run: Path, images: Path, out: Path | None, view: EmbedOptions) -> dict[str, Any]:
    """Score all pairs of a folder of identities. Writes everything.json (eer, auc, tar_at_far), roc.png, det.png.

    Raises FacesError where nobody has two pictures.
    """
    embedder, people = open_embedder(run), find_identities(images)
    folder = run / "everything" if out is None else out
    if folder.exists() and not folder.is_dir():
        raise FacesError(f"{folder} is a file: give --out a folder, new or not")
    embeddings = embedder.embed_files(people.paths, view.flip, view.zooms)
    with track("scoring", len(people) * (len(people) - 1) // 2, "pairs") as advance:
        curve = count_all_pairs(embeddings, people.labels, progress=advance).roc_curve()
    tars, remarks = tar_at_far(curve)
    result: dict[str, Any] = {"eer": curve.eer(), "auc": curve.auc(), "tar_at_far": tars, "not_supported": remarks}
    result |= {"pictures": len(people), "people": len(people.names)}
    result |= {"genuine": int(curve.genuine[-1]), "impostor": int(curve.impostor[-1])}
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "everything.json", result)
    title = f"{embedder.title}, {result['genuine'] + result['impostor']:,} pairs"
    plot_roc({"": curve}, folder / "roc.png", title)
    plots = ["roc.png", *(["det.png"] if plot_det({"": curve}, folder / "det.png", title) else [])]
    say(f"{result['genuine']:,} genuine and {result['impostor']:,} impostor pairs: EER {result['eer']:.4f}")
    for far, tar in tars.items():
        say(f"TAR {tar:.4f} at FAR {far}")
    for remark in remarks:
        say(f"  {remark}")
    say(f"peak memory {peak_memory():.2f} GiB; written to {folder}: everything.json, {', '.join(plots)}")
    return result
