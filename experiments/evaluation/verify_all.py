"""A network judged on every pair that a folder of people makes."""

from pathlib import Path
from typing import Any

from experiments.data.identities import find_identities
from experiments.errors import FacesError
from experiments.evaluation.scoring import View
from experiments.inference.embedder import open_embedder
from experiments.metrics.all_pairs import all_against_all, peak_memory
from experiments.metrics.verification_metrics import tar_at_far
from experiments.plots.verification import det_plot, roc_plot
from experiments.progress import say, track
from experiments.run import write_json


def verify_everything(run: Path, images: Path, out: Path | None, view: View) -> dict[str, Any]:
    """Score all pairs of a folder of identities. Writes everything.json (eer, auc, tar_at_far), roc.png, det.png.

    Raises FacesError where nobody has two pictures.
    """
    embedder, people = open_embedder(run), find_identities(images)
    folder = run / "everything" if out is None else out
    if folder.exists() and not folder.is_dir():
        raise FacesError(f"{folder} is a file: give --out a folder, new or not")
    embeddings = embedder.embed_files(people.paths, view.flip, view.zooms)
    with track("scoring", len(people) * (len(people) - 1) // 2, "pairs") as advance:
        curve = all_against_all(embeddings, people.labels, progress=advance).roc()
    tars, remarks = tar_at_far(curve)
    result: dict[str, Any] = {"eer": curve.eer(), "auc": curve.auc(), "tar_at_far": tars, "not_supported": remarks}
    result |= {"pictures": len(people), "people": len(people.names)}
    result |= {"genuine": int(curve.genuine[-1]), "impostor": int(curve.impostor[-1])}
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "everything.json", result)
    title = f"{embedder.title}, {result['genuine'] + result['impostor']:,} pairs"
    roc_plot({"": curve}, folder / "roc.png", title)
    det_plot({"": curve}, folder / "det.png", title)
    say(f"{result['genuine']:,} genuine and {result['impostor']:,} impostor pairs: EER {result['eer']:.4f}")
    for far, tar in tars.items():
        say(f"TAR {tar:.4f} at FAR {far}")
    for remark in remarks:
        say(f"  {remark}")
    say(f"peak memory {peak_memory():.2f} GiB; written to {folder}: everything.json, roc.png, det.png")
    return result
