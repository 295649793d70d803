"""Unknown people: the faces of many images, grouped by who they show, with suggestions of what to join and to split."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from experiments.data.align.align import save_image
from experiments.data.photo_files import expand_photos
from experiments.data.preparation import write_preparation
from experiments.errors import FacesError
from experiments.evaluation.embedding import require_distinct, require_same_preparation
from experiments.evaluation.face_table import (
    NPZ,
    PARQUET,
    FaceFilter,
    FaceTable,
    embed_faces,
    embed_options,
    read_face_table,
)
from experiments.evaluation.thresholds import Threshold, ThresholdCalibration, read_thresholds, thresholds_file
from experiments.files import new_folder, refuse_existing, refuse_inside, write_csv, write_json
from experiments.inference.embedder import Embedder
from experiments.inference.networks import open_embedder
from experiments.metrics.clustering import (
    Linkage,
    PairwiseScores,
    average_linkage,
    group_centers,
    nearest_groups,
    pairwise_scores,
)
from experiments.plots.face_grid import write_face_grid
from experiments.progress import format_count, track

CLOSE = 0.05
"""Joins whose mean similarity is this near to the threshold are suggested for a look, from either side of it."""

MAX_SUGGESTIONS = 50
SHEET_FACES = 24
"""Faces on the sheet of a group: the nearest to its center, and the farthest."""

Folders = Literal["faces", "photos"]
TABLE, SUGGESTIONS, SUMMARY = "clusters.csv", "suggestions.csv", "summary.json"


class Suggestion(NamedTuple):
    """Two groups that may be one person ("merge"), or one that may be two ("split"). why: in words."""

    kind: Literal["merge", "split"]
    cluster: int
    other: int | None
    similarity: float
    why: str

    def named(self) -> dict[str, Any]:
        """Return it with the names of its groups, "" for none."""
        other = "" if self.other is None else group_name(self.other)
        return {**self._asdict(), "cluster": group_name(self.cluster), "other": other}


@dataclass(frozen=True, eq=False)
class Clusters:
    """Faces in groups. groups: (N,), the group of each face of the table, from 0, the largest first.

    distances: (N,), 1 minus the similarity to the group's mean embedding. threshold: the mean similarity from which
    groups were joined.
    """

    table: FaceTable
    groups: np.ndarray
    distances: np.ndarray
    threshold: Threshold
    suggestions: tuple[Suggestion, ...]

    @property
    def sizes(self) -> np.ndarray:
        """Faces of each group."""
        return np.bincount(self.groups)

    def members(self, group: int) -> np.ndarray:
        """Return the rows of a group's faces, the nearest to its center first."""
        rows = np.flatnonzero(self.groups == group)
        return rows[np.argsort(self.distances[rows], kind="stable")]

    def summary(self) -> dict[str, Any]:
        """Return what was done and found, as JSON has it."""
        return {
            "network": self.table.network,
            "fingerprint": self.table.fingerprint,
            "threshold": self.threshold.model_dump(mode="json"),
            "images": self.table.images,
            "faces": len(self.table),
            "clusters": len(self.sizes),
            "single_faces": int(np.sum(self.sizes == 1)),
            "largest": int(self.sizes[0]),
            "suggestions": [one.named() for one in self.suggestions],
        }

    def rows(self) -> list[dict[str, Any]]:
        """Return a row per face: image, number in it, box, detector's score, cluster and distance to its center."""
        return [
            {
                "image": str(path),
                "face": number,
                **dict(zip(("left", "top", "right", "bottom"), (f"{one:.1f}" for one in box), strict=True)),
                "score": "" if np.isnan(score) else f"{score:.4f}",
                "cluster": group_name(group),
                "distance": f"{distance:.6f}",
            }
            for path, number, box, score, group, distance in zip(
                self.table.paths,
                self.table.numbers(),
                self.table.boxes,
                self.table.scores,
                self.groups.tolist(),
                self.distances,
                strict=True,
            )
        ]


def group_name(group: int) -> str:
    """Return the name of a group: person_001 for the largest."""
    return f"person_{group + 1:03d}"


def cluster_faces(table: FaceTable, calibration: ThresholdCalibration, far: float | None = None) -> Clusters:
    """Group the faces of a table by average linkage at a calibrated threshold: of `far`, or of the smallest FAR.

    The smallest, because each face is compared with those of many people, not with one as in `faces match`.
    Raises FacesError for a FAR that was not calibrated, for embeddings made with other options than the calibration's,
    for too many faces, and where all embeddings are the same.
    """
    options = table.options
    if (options.flip, options.zooms) != (calibration.flip, calibration.zooms):
        raise FacesError(
            f"the embeddings were made with{'' if options.flip else 'out'} flip and zooms {list(options.zooms)}, the "
            f"threshold with{'' if calibration.flip else 'out'} flip and zooms {list(calibration.zooms)}: embed again "
            "and leave out --flip and --no-flip"
        )
    smallest = next((point for _, point in calibration.by_far()), calibration.for_far())
    threshold = smallest if far is None else calibration.for_far(far)
    if len(table) > 2:
        require_distinct(table.embeddings, f"{table.paths[0]} ...")
    tree = average_linkage(table.embeddings)
    groups = tree.groups(threshold.value)
    centers, _ = group_centers(table.embeddings, groups)
    distances = 1 - np.einsum("nd,nd->n", table.embeddings, centers[groups])
    suggestions = suggest(table, tree, groups, threshold.value)
    return Clusters(table, groups, np.maximum(distances, 0), threshold, suggestions)


def suggest(table: FaceTable, tree: Linkage, groups: np.ndarray, threshold: float) -> tuple[Suggestion, ...]:
    """Suggest what to look at: joins just above and just below the threshold, and a photo with one person twice."""
    splits = [*_twice_in_a_photo(table, groups), *_loose(tree, groups, threshold)]
    return (*splits[:MAX_SUGGESTIONS], *_near(table, groups, threshold)[:MAX_SUGGESTIONS])


def _twice_in_a_photo(table: FaceTable, groups: np.ndarray) -> list[Suggestion]:
    seen: dict[tuple[Path, int], list[int]] = {}
    for row, (path, group) in enumerate(zip(table.paths, groups.tolist(), strict=True)):
        seen.setdefault((path, group), []).append(row)
    return [
        Suggestion(
            "split",
            group,
            None,
            float(min(table.embeddings[a] @ table.embeddings[b] for a, b in combinations(rows, 2))),
            f"{len(rows)} faces of it are in one photo: {path}",
        )
        for (path, group), rows in seen.items()
        if len(rows) > 1
    ]


def _loose(tree: Linkage, groups: np.ndarray, threshold: float) -> list[Suggestion]:
    """Groups whose last join was hardly similar enough, the loosest first."""
    joins = np.flatnonzero((tree.similarity >= threshold) & (tree.similarity < threshold + CLOSE))
    found = []
    for join in joins[::-1].tolist():
        one, other = (tree.members(int(part)) for part in tree.parts[join])
        group = int(groups[one[0]])
        if len(one) + len(other) < int(np.sum(groups == group)):
            continue  # a join inside: its group was joined with others even less similar
        why = f"its parts of {len(one)} and {len(other)} faces are hardly similar enough"
        found.append(Suggestion("split", group, None, float(tree.similarity[join]), why))
    return found


def _near(table: FaceTable, groups: np.ndarray, threshold: float) -> list[Suggestion]:
    """Pairs of groups that are nearly similar enough, each group with its nearest, the most similar pairs first."""
    nearest, similarity = nearest_groups(table.embeddings, groups)
    found = enumerate(zip(nearest.tolist(), similarity.tolist(), strict=True))
    pairs = {(min(one, other), max(one, other)): value for one, (other, value) in found}
    values = sorted(((value, pair) for pair, value in pairs.items()), reverse=True)
    sizes = np.bincount(groups)
    return [
        Suggestion("merge", one, other, value, f"{sizes[one]} and {sizes[other]} faces, hardly too different")
        for value, (one, other) in values
        if threshold - CLOSE <= value
    ]


def compare_with_folders(clusters: Clusters) -> PairwiseScores:
    """Compare the groups with the truth where each folder of images is one person."""
    return pairwise_scores(clusters.groups, [str(path.parent) for path in clusters.table.paths])


def write_clusters(
    clusters: Clusters, out: Path, folders: Folders | None = None, truth: bool = False, min_faces: int = 2
) -> dict[str, Any]:
    """Write a folder, whole or not at all, and return its summary.

    clusters.csv has a row per face; sheets/ the faces of each group of at least `min_faces`. folders: also people/, one
    folder per such group, of aligned faces to train on, or of the photos themselves, as hard links where the file
    system has them, else copies; photos with several faces are left out. truth: compare with the folders of the images,
    one per person.
    """
    refuse_existing(out, "remove it")
    summary = clusters.summary()
    if truth:
        summary["truth"] = asdict(compare_with_folders(clusters))
    kept = [group for group, size in enumerate(clusters.sizes) if size >= min_faces]
    with new_folder(out) as folder:
        write_csv(folder / TABLE, clusters.rows())
        rows = [{**one.named(), "similarity": f"{one.similarity:.4f}"} for one in clusters.suggestions]
        write_csv(folder / SUGGESTIONS, rows, ("kind", "cluster", "other", "similarity", "why"))
        with track("sheets", len(kept), "groups") as advance:
            for done, group in enumerate(kept, 1):
                _write_group_sheet(clusters, group, folder / "sheets" / f"{group_name(group)}.png")
                advance(done, len(kept))
        if folders is not None:
            summary["left_out"] = _write_people(clusters, kept, folder / "people", folders)
        write_json(folder / SUMMARY, summary)
    return summary


def _write_group_sheet(clusters: Clusters, group: int, path: Path) -> None:
    """Draw the faces of a group, the nearest to its center first; of many the nearest and the farthest."""
    rows = clusters.members(group)
    half = SHEET_FACES // 2
    shown = rows if len(rows) <= SHEET_FACES else np.concatenate([rows[:half], rows[-half:]])
    title = f"{group_name(group)}: {len(rows)} faces, by distance to their center"
    if len(rows) > SHEET_FACES:
        title += f"; the {half} nearest and the {half} farthest"
    images = [clusters.table.crop(int(row), 112) for row in shown]
    path.parent.mkdir(exist_ok=True)
    write_face_grid(images, [f"{clusters.distances[row]:.2f}" for row in shown], path, title)


def _write_people(clusters: Clusters, groups: Sequence[int], target: Path, folders: Folders) -> int:
    """Write a folder per group; return how many photos with several faces were left out."""
    table, left_out = clusters.table, 0
    alone = {path for path, number in zip(table.paths, table.numbers(), strict=True) if number == 1}
    alone -= {path for path, number in zip(table.paths, table.numbers(), strict=True) if number > 1}
    for group in groups:
        for row in clusters.members(group).tolist():
            path = table.paths[row]
            if folders == "photos" and path not in alone:
                left_out += 1
                continue
            place = target / group_name(group)
            place.mkdir(parents=True, exist_ok=True)
            if folders == "photos":
                _link(path, place / f"{row:06d}_{path.name}")
            else:
                size = table.preparation.size or 112
                save_image(table.crop(row, size), place / f"{row:06d}_{path.stem}.jpg", 98)
    if folders == "faces" and target.is_dir():
        write_preparation(target, table.preparation)
    return left_out


def _link(source: Path, target: Path) -> None:
    """Make a hard link to a photo, or a copy where the file system has none."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)


def describe(clusters: Clusters, summary: dict[str, Any], out: Path) -> list[str]:
    """Put what was found into words."""
    threshold = clusters.threshold
    lines = [
        f"{format_count(summary['faces'], 'face')} of {format_count(summary['images'], 'image')}: "
        f"{format_count(summary['clusters'], 'cluster')}, {summary['single_faces']:,} of a single face; "
        f"the largest has {format_count(summary['largest'], 'face')}",
        f"joined from a mean similarity of {threshold.value:.4f} ({threshold.name.upper()} of "
        f"{clusters.table.network}'s calibration)",
    ]
    merges = sum(one.kind == "merge" for one in clusters.suggestions)
    if clusters.suggestions:
        splits = len(clusters.suggestions) - merges
        lines.append(
            f"worth a look: {format_count(merges, 'pair')} of clusters that may be one person, "
            f"{format_count(splits, 'reason')} to split a cluster: {out / SUGGESTIONS}"
        )
    if truth := summary.get("truth"):
        lines.append(
            f"against the folders: pairwise F1 {truth['f1']:.4f}, precision {truth['precision']:.4f}, recall "
            f"{truth['recall']:.4f}; {format_count(truth['groups'], 'cluster')}, {truth['people']:,} people"
        )
    if summary.get("left_out"):
        faces = format_count(summary["left_out"], "face")
        lines.append(f"{faces} of photos with several faces left out of the folders: give --folders faces")
    lines.append(f"written to {out}: {TABLE}, {SUGGESTIONS}, {SUMMARY}, sheets/")
    return lines


def cluster_folder(
    source: Path,
    out: Path,
    network: str,
    far: float | None = None,
    chosen: FaceFilter | None = None,
    align: bool | None = None,
    folders: Folders | None = None,
    truth: bool = False,
    min_faces: int = 2,
) -> tuple[Clusters, dict[str, Any]]:
    """Group the faces of a folder of images, or of a table of `faces embed`, and write the results to `out`.

    Returns the groups and the summary. Raises FacesError, before anything is computed, where `out` exists or the
    network is not calibrated; where a table was made by another network; and as `cluster_faces`.
    """
    refuse_existing(out, "remove it")
    if source.is_dir():
        refuse_inside(out, source)
    embedder = open_embedder(network)
    if embedder.folder is None:
        raise FacesError(f"{network}: a network without a folder, so without a threshold: give a run or a known name")
    calibration = read_thresholds(embedder.folder, embedder.fingerprint)
    calibration.for_far(far)
    if source.suffix.lower() in (NPZ, PARQUET) and not source.is_dir():
        table = _read_table_of(source, embedder)
    else:
        options = embed_options(embedder, expand_photos([source]), align, None)
        table = embed_faces(embedder, [source], options, chosen)
    owner = str(thresholds_file(embedder.folder))
    require_same_preparation(table.preparation, calibration.preparation, owner, table.options.align)
    clusters = cluster_faces(table, calibration, far)
    return clusters, write_clusters(clusters, out, folders, truth, min_faces)


def _read_table_of(path: Path, embedder: Embedder) -> FaceTable:
    table = read_face_table(path)
    if table.fingerprint != embedder.fingerprint:
        raise FacesError(
            f"{path}: embeddings of {table.network}, other weights than {embedder.title} has: give --network "
            f"{table.network}, or embed again"
        )
    for image in dict.fromkeys(table.paths):
        if not image.is_file():
            raise FacesError(f"{path}: its image {image} is not there: run it in the folder where `faces embed` ran")
    return table
