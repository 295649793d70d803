"""Write README.md from what `measure` wrote next to it."""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROWS = {"pairs": "FAR of pairs, LFW's, by the number of people", "searches": "searches for strangers"}
TEXT = """# From photographs to names

`results/raw/measure PHOTOGRAPHS STRANGERS LFW WEIGHTS` makes everything here: {images} photographs of {people}
people, faces found and aligned, a gallery of template means, and every photograph identified with itself left out
("named correctly"), and again with its person out of the gallery ("strangers named"). At most {far:.0%} of strangers
should be named. Of the {probes} photographs {rank1:.1%} have the right person first. In brackets 95 % intervals,
from resampling people; with {people} people they are wide.

| threshold calibrated by | similarity | named correctly | strangers named |
| --- | --- | --- | --- |
{rows}

Both thresholds were found without these people: the first on LFW's 6,000 pairs, the second on a competition's train/
folder, of random galleries with as many people as here. {left_out} of the folder's {folders} people are also on the
photographs (`others.py` finds them by their faces), and were left out of it. Why the first names too many: one
person resembles two others to the network (their templates have a cosine of a third), these photographs are of one
kind and LFW's pairs of another, and a template, the mean of several images, is nearer to a look-alike than an image.
The strangers still named are of two people who look alike to the network, one taken for the other: with so few people
one such pair is most of the rate, and the interval holds the {far:.0%} that was asked for. `cmc.png` and `open_set.png`
do not depend on the threshold.
"""


def main() -> None:
    """Both rows, from the JSON files."""
    found = {kind: json.loads((HERE / kind / "identification.json").read_text()) for kind in ROWS}
    others = json.loads((HERE / "others.json").read_text())
    rows = "\n".join(_row(ROWS[kind], result) for kind, result in found.items())
    about = {"rows": rows, "left_out": others["left_out"], "folders": others["people"]}
    (HERE / "README.md").write_text(TEXT.format(**about, **found["searches"]))
    print(rows)


def _row(name: str, result: dict[str, Any]) -> str:
    shares = [f"{result[key]:.1%} ({_ends(result, key)})" for key in ("dir", "strangers_named")]
    return f"| {name} | {result['threshold']:.3f} | {' | '.join(shares)} |"


def _ends(result: dict[str, Any], key: str) -> str:
    low, high = result["intervals"][key]
    return f"{100 * low:.1f} to {100 * high:.1f}"


if __name__ == "__main__":
    main()
