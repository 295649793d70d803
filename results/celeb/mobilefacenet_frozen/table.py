"""Puts the figures that `measure` copied here into README.md's table, in place of the one that is there."""

import json
from pathlib import Path

HERE = Path(__file__).parent
ROWS = {
    "lfw": ("LFW's official 6,000", "image and mirror image"),
    "plain": ("val_pairs.txt, 3,000", "image alone"),
    "flip": ("the same", "and mirror image"),
    "zoom": ("the same", "and their middles, enlarged 1.1 times"),
    "zoom-whitened": ("the same", "and whitened by 2,000 images of train/"),
}
HEAD = ["| pairs | images | EER | AUC | accuracy over 10 folds |", "| --- | --- | --- | --- | --- |"]


def main() -> None:
    """Replace the lines of the only table."""
    lines = (HERE / "README.md").read_text().splitlines()
    places = [number for number, line in enumerate(lines) if line.startswith("|")]
    lines[places[0] : places[-1] + 1] = [*HEAD, *(_row(name, *words) for name, words in ROWS.items())]
    (HERE / "README.md").write_text("\n".join(lines) + "\n")


def _row(name: str, pairs: str, images: str) -> str:
    found = json.loads((HERE / name / "verification.json").read_text())
    low, high = found["intervals"]["eer"]
    eer = f"{found['eer']:.2%} ({100 * low:.2f} to {100 * high:.2f})".replace("%", " %")
    folds = ""
    if "lfw_accuracy" in found:
        folds = f"{100 * found['lfw_accuracy']:.2f} %, standard deviation {100 * found['lfw_std']:.2f}"
    return f"| {pairs} (`{name}/`) | {images} | {eer} | {found['auc']:.4f} | {folds} |"


if __name__ == "__main__":
    main()
