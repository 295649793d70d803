"""Verification: do two images show the same person? Scores, EER and TAR at FAR, of a file of pairs or of all pairs."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from experiments.data.folders import existing_folder, files_under, find_identities, is_image, other_files
from experiments.data.pairs import Pairs, read_pairs
from experiments.data.preparation import AS_THEY_ARE, Preparation
from experiments.errors import FacesError
from experiments.evaluation.embedding import EmbedOptions, files_preparation, read_faces, require_distinct
from experiments.evaluation.thresholds import THRESHOLDS, ThresholdCalibration, calibrate_thresholds, store_thresholds
from experiments.files import file_digest, read_signed, write_csv, write_json, write_signed
from experiments.inference.embedder import Embedder, Whitening
from experiments.inference.frozen_backbone import open_frozen_backbone, save_frozen_network
from experiments.inference.networks import open_embedder
from experiments.metrics.all_pairs import count_all_pairs, peak_memory
from experiments.metrics.bootstrap import bootstrap_intervals, infer_identities
from experiments.metrics.roc import FARS, RocCurve, fold_accuracy, roc_curve, tar_at_far
from experiments.plots.sheets import PairTile, write_pair_sheet
from experiments.plots.verification import plot_det, plot_roc, plot_scores
from experiments.progress import say, track

RESULTS_FOLDER = "verification"
MAX_WORST_PAIRS = 12
CHANCE_AUC = 0.5
MAX_COHORT_IMAGES = 2000
"""Images of a cohort that are used; of more, so many are drawn at random."""


@dataclass(frozen=True, eq=False)
class ScoredPairs:
    """Pairs with their similarities (N,), float64, and the images (P, H, W, 3) that the network was shown.

    cohort: how many images of other people the embeddings were whitened with. preparation: of the images.
    """

    pairs: Pairs
    scores: np.ndarray
    images: np.ndarray
    remarks: list[str] = field(default_factory=list)
    cohort: int = 0
    preparation: Preparation = AS_THEY_ARE


def score_pairs(embedder: Embedder, pairs: Pairs, options: EmbedOptions, cohort: Path | None = None) -> ScoredPairs:
    """Compute the cosine similarity of each pair; remarks hold what is unusual about the images.

    cohort: a folder of images of other people, to whiten embeddings with (see `Whitening`).

    Raises FacesError for images that are prepared otherwise than the network's, or that are all the same.
    """
    images, remarks, preparation = read_faces(embedder, pairs.paths, options)
    if pairs.with_itself:
        remarks.append(f"{pairs.with_itself} of {len(pairs)} pairs compare an image with itself")
    embeddings, count = embedder.embed(images, options.flip, options.zooms), 0
    require_distinct(embeddings, pairs.file)
    if cohort is not None:
        whitening, count, more = _fit_whitening(embedder, cohort, options)
        embeddings, remarks = whitening(embeddings), remarks + more
    embeddings = embeddings.astype(np.float64)
    scores = np.einsum("nd,nd->n", embeddings[pairs.first], embeddings[pairs.second])
    return ScoredPairs(pairs, scores, images, remarks, count, preparation)


def _fit_whitening(embedder: Embedder, cohort: Path, options: EmbedOptions) -> tuple[Whitening, int, list[str]]:
    """Whitening of a cohort's embeddings, how many there are, and remarks on their images."""
    paths = [path for path in files_under(existing_folder(cohort)) if is_image(path)]
    chosen = np.sort(np.random.default_rng(0).permutation(len(paths))[:MAX_COHORT_IMAGES])
    if not len(chosen):
        raise FacesError(
            f"{cohort}: no images in it or its folders; expected images of other people{other_files(cohort)}"
        )
    images, remarks, _ = read_faces(embedder, [paths[n] for n in chosen], options)
    embeddings = embedder.embed(images, options.flip, options.zooms)
    return Whitening.fit(embeddings), len(chosen), [f"cohort: {remark}" for remark in remarks]


def verification_metrics(scored: ScoredPairs, fars: Sequence[float] = FARS, rounds: int = 1000) -> dict[str, Any]:
    """Compute every metric of scored pairs with answers, with 95 % intervals from `rounds` resamples of the people.

    Where there are too few people for intervals, a remark in "not_supported" says so.
    """
    pairs, scores = scored.pairs, scored.scores
    curve = roc_curve(scores, pairs.answers)
    tars, unsupported = tar_at_far(curve, fars)
    result: dict[str, Any] = {
        "eer": curve.eer(),
        "auc": curve.auc(),
        "tar_at_far": tars,
        "threshold": curve.eer_threshold(),
        "genuine": int(pairs.answers.sum()),
        "impostor": int((~pairs.answers).sum()),
        "not_supported": unsupported,
    }
    if pairs.folds is not None:
        folds = fold_accuracy(scores, pairs.answers, pairs.folds)
        result |= {"lfw_accuracy": folds.mean, "lfw_std": folds.std, "fold_accuracies": folds.accuracies.tolist()}
    if rounds:
        statistics = {"eer": RocCurve.eer, "auc": RocCurve.auc}
        statistics |= {f"tar_at_far {far}": partial(RocCurve.tar_at, far=float(far)) for far in tars}
        people = pair_identities(pairs)
        result["people"] = int(np.unique(np.concatenate(people)).size)
        try:
            result["intervals"] = bootstrap_intervals(scores, pairs.answers, people, statistics, rounds)
        except FacesError as error:  # too few people
            unsupported.append(f"no intervals: {error}")
    return result


def pair_identities(pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Number the people in each pair: by name where names are known, else images joined by genuine pairs are one."""
    if pairs.names is None:
        return infer_identities(pairs.first, pairs.second, pairs.answers)
    numbers = np.unique(pairs.names, return_inverse=True)[1]
    return numbers[pairs.first], numbers[pairs.second]


def open_network(
    run: Path | None, backbone: str | None, weights: Path | None, out: Path | None
) -> tuple[Embedder, Path]:
    """Open the network that a command is about; return it and the folder for its results.

    Either a run, whose results go into it unless `out` says otherwise; or a backbone with weights and `out`, which then
    becomes the frozen network's folder. Raises FacesError where both or neither are given.
    """
    if (run is None) == (backbone is None):
        raise FacesError("give either a RUN, or --backbone NAME with --weights FILE and --out DIR")
    if run is not None:
        if weights is not None:
            raise FacesError(f"--weights {weights} goes with --backbone: {run} has weights of its own")
        if out is None and not run.is_dir():
            raise FacesError(f"{run} is not a folder, so the results cannot be stored in it: give --out DIR")
        return open_embedder(run), run / RESULTS_FOLDER if out is None else out
    assert backbone is not None
    if weights is None or out is None:
        raise FacesError(f"--backbone {backbone} needs --weights FILE, and --out DIR for the results")
    require_folder(out)
    if (out / "recipe.yaml").exists():
        raise FacesError(f"{out} is a run's folder: give --out another for the frozen {backbone}")
    return open_frozen_backbone(backbone, weights, out), out


def require_folder(out: Path) -> None:
    """Raise FacesError if `out` exists and is not a folder."""
    if out.exists() and not out.is_dir():
        raise FacesError(f"{out} is a file: give --out a folder, new or not")


def verify(
    embedder: Embedder,
    file: str | os.PathLike[str],
    images: str | os.PathLike[str],
    out: Path,
    options: EmbedOptions,
    fars: Sequence[float] = FARS,
    rounds: int = 1000,
    cohort: Path | None = None,
    replace_thresholds: bool = False,
) -> dict[str, Any]:
    """Evaluate a network on a file of pairs (see `experiments.data.pairs`), and write the results into `out`.

    With answers it writes

    - verification.json: eer, auc, tar_at_far, threshold, 95 % intervals from resampling people, and lfw_accuracy and
      lfw_std if the pairs have folds;
    - scores.csv, roc.png, det.png, scores.png, and worst.png, the pairs with the largest errors;
    - thresholds.json: next to the network if it has none yet for these weights, or with `replace_thresholds`; otherwise
      in `out`.

    Without answers it writes NAME_submission.csv, `ID,Label`: the pair's line number from 0, and its similarity.

    cohort: a folder of images of other people, to whiten the embeddings with. No thresholds are stored then, as
    `match` and `identify` have no cohort.

    Raises FacesError, before anything is written, for a file that `read_pairs` refuses, for images prepared otherwise
    than those of the run, and where all images are the same.
    """
    require_folder(out)
    pairs = read_pairs(file, images)
    scored = score_pairs(embedder, pairs, options, cohort)
    for remark in scored.remarks:
        say(f"note: {remark}")
    if pairs.matches is None:
        return _write_similarities(scored, out, embedder)
    result = {**verification_metrics(scored, fars, rounds), "network": embedder.title, "pairs_file": Path(file).name}
    result |= {"align": options.align, "flip": options.flip, "zooms": list(options.zooms), "cohort": scored.cohort}
    result |= {"preparation": scored.preparation.model_dump(mode="json"), "remarks": scored.remarks}
    calibration = calibrate_thresholds(
        scored.scores,
        pairs.answers,
        fars,
        network=embedder.fingerprint,
        flip=options.flip,
        zooms=options.zooms,
        preparation=scored.preparation,
        pairs=str(file),
    )
    _begin(out, embedder)
    plots = _write_plots(scored, result["threshold"], out, embedder.title)
    files = {"scores.csv": file_digest(out / "scores.csv")}
    write_signed(out / "verification.json", {**result, "files": files})
    _print_metrics(result)
    say(f"written to {out}: verification.json, scores.csv, {', '.join(plots)}")
    stored = _store(calibration, embedder, out, scored.cohort, result["auc"], replace_thresholds)
    _add_to_run_metrics(embedder, out, result, stored)
    return result


def _begin(out: Path, embedder: Embedder) -> None:
    """Make the folder for the results, and make it a frozen network's folder where that is what was judged."""
    out.mkdir(parents=True, exist_ok=True)
    save_frozen_network(embedder)


def _write_similarities(scored: ScoredPairs, out: Path, embedder: Embedder) -> dict[str, Any]:
    """Write the file for a competition that withholds the answers."""
    _begin(out, embedder)
    path = out / f"{scored.pairs.file.stem}_submission.csv"
    write_csv(path, [{"ID": n, "Label": f"{score:.6f}"} for n, score in enumerate(scored.scores)])
    say(f"{path}: {len(scored.pairs)} similarities, as the answers are withheld")
    return {"pairs": len(scored.pairs), "submission": str(path)}


def _store(
    calibration: ThresholdCalibration, embedder: Embedder, out: Path, cohort: int, auc: float, replace: bool
) -> bool:
    """Store thresholds if they are better than chance, and print where. Return True if that is with the network."""
    if cohort:
        return False
    if auc <= CHANCE_AUC:
        say(f"no thresholds are stored: an AUC of {auc:.4f} is no better than chance, so that none tells people apart")
        return False
    home = embedder.folder or out
    path = store_thresholds(calibration, home, out, replace)
    if path is None or path.parent != home:
        kept = f"{home / THRESHOLDS} is kept, which `faces match` and `faces identify` use"
        say(f"{kept}; these thresholds: {path}" if path else kept)
        say("to use these instead: the same command with --replace-thresholds")
        return False
    say(f"thresholds for `faces match` and `faces identify`: {path}")
    return True


def _add_to_run_metrics(embedder: Embedder, out: Path, result: dict[str, Any], stored: bool) -> None:
    """Add the metrics to metrics.json of a run, where the results are the run's own, in their usual folder."""
    if embedder.folder is None or out.resolve() != (embedder.folder / RESULTS_FOLDER).resolve():
        return
    path = embedder.folder / "metrics.json"
    if path.is_file():
        metrics = read_signed(path, "get it from a copy, or remove it")
        keys = ("eer", "auc", "tar_at_far", "lfw_accuracy", "lfw_std", *(("threshold",) if stored else ()))
        write_signed(path, metrics | {key: result[key] for key in keys if key in result})


def _write_plots(scored: ScoredPairs, threshold: float, out: Path, title: str) -> list[str]:
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


def worst_pairs(scored: ScoredPairs, threshold: float, most: int = MAX_WORST_PAIRS) -> list[PairTile]:
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
    found = result.get("intervals", {})

    def interval(name: str) -> str:
        return f" ({found[name][0]:.4f} to {found[name][1]:.4f})" if name in found else ""

    say(f"EER {result['eer']:.4f}{interval('eer')}  AUC {result['auc']:.4f}{interval('auc')}")
    if "lfw_accuracy" in result:
        say(f"accuracy over the folds {result['lfw_accuracy']:.4f}, standard deviation {result['lfw_std']:.4f}")
    for far, tar in result["tar_at_far"].items():
        say(f"TAR {tar:.4f} at FAR {far}{interval(f'tar_at_far {far}')}")
    for remark in result["not_supported"]:
        say(f"  {remark}")
    if found:
        say(f"in brackets: 95 % intervals, from resampling the {result['people']:,} people")


def verify_all_pairs(run: Path, images: Path, out: Path | None, options: EmbedOptions) -> dict[str, Any]:
    """Score all pairs of a folder of identities. Writes all_pairs.json (eer, auc, tar_at_far), roc.png and det.png.

    Raises FacesError where nobody has two images, and for images prepared otherwise than those of the run.
    """
    embedder, people = open_embedder(run), find_identities(images)
    folder = run / "all_pairs" if out is None else out
    require_folder(folder)
    preparation = files_preparation(people.paths, embedder.preparation, f"the network {embedder.title}")
    embeddings = embedder.embed_files(people.paths, options.flip, options.zooms)
    require_distinct(embeddings, images)
    with track("scoring", len(people) * (len(people) - 1) // 2, "pairs") as advance:
        curve = count_all_pairs(embeddings, people.labels, progress=advance).roc_curve()
    tars, remarks = tar_at_far(curve)
    result: dict[str, Any] = {"eer": curve.eer(), "auc": curve.auc(), "tar_at_far": tars, "not_supported": remarks}
    result |= {"images": len(people), "people": len(people.names), "preparation": preparation.model_dump(mode="json")}
    result |= {"genuine": int(curve.genuine[-1]), "impostor": int(curve.impostor[-1])}
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "all_pairs.json", result)
    title = f"{embedder.title}, {result['genuine'] + result['impostor']:,} pairs"
    plot_roc({"": curve}, folder / "roc.png", title)
    written = ["all_pairs.json", "roc.png", *(["det.png"] if plot_det({"": curve}, folder / "det.png", title) else [])]
    say(f"{result['genuine']:,} genuine and {result['impostor']:,} impostor pairs: EER {result['eer']:.4f}")
    for far, tar in tars.items():
        say(f"TAR {tar:.4f} at FAR {far}")
    for remark in remarks:
        say(f"  {remark}")
    say(f"peak memory {peak_memory():.2f} GiB; written to {folder}: {', '.join(written)}")
    return result
