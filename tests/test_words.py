"""Plain English: words that readers stumbled over stay out of the project's texts."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

REMOVED = {
    "anew": "again, from scratch",
    "asked after": "looked up",
    "be it": "whether, or",
    "beside": "next to, as well as",
    "by lot": "random, at random",
    "colour": "color",
    "colours": "colors",
    "folk": "people",
    "goes on": "continues, resumes",
    "heed": "mind, use",
    "hence": "so, therefore",
    "in turn": "alternating, one after the other",
    "likest": "most similar",
    "nobody's": "say whose",
    "no number": "not finite",
    "normalise": "normalize",
    "normalised": "normalized",
    "oftener": "more often",
    "optimiser": "optimizer",
    "optimisers": "optimizers",
    "picture": "image, plot",
    "pictures": "images, plots",
    "is said": "is printed, is reported",
    "stands": "is, is stored",
    "thaw": "unfreeze",
    "the way back": "the backward pass",
    "thereby": "so, by this",
    "what ails": "what is wrong",
    "whoever": "anyone who",
}
"""Each removed word or phrase, and what to write for it."""

FOUND = re.compile(
    r"(?<![</\"])\b(" + "|".join(map(re.escape, sorted(REMOVED, key=len, reverse=True))) + r")\b(?!\.\w)", re.IGNORECASE
)
"""Not HTML's element <picture>, nor its selector in a style sheet."""

TEXTS = {
    ".py",
    ".md",
    ".yaml",
    ".yml",
    ".toml",
    ".ipynb",
    ".typ",
    ".css",
    ".js",
    ".html",
    ".cu",
    ".cuh",
    ".cff",
    ".hpp",
}
"""The endings of files with sentences in them; results' numbers and images have none."""

EXEMPT = {"tests/test_words.py"}


def texts() -> list[Path]:
    """Every tracked file with sentences in it."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = [name for name in listed.split("\0") if name and name not in EXEMPT]
    paths = [ROOT / name for name in names if Path(name).suffix in TEXTS or Path(name).name in {"Makefile", "run"}]
    return [path for path in paths if path.is_file()]


def removed_words(text: str) -> list[tuple[int, str]]:
    """The removed words in a text, each with the number of its line."""
    return [(number, found[1]) for number, line in enumerate(text.splitlines(), 1) for found in FOUND.finditer(line)]


def readable(path: Path) -> str:
    """The text of a file. Of a notebook: its cells' sources, without the outputs, which hold encoded images."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        import json

        return "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    return text


def test_removed_words_stay_removed():
    found = [
        f"{path.relative_to(ROOT)}:{number}: {word!r}; write: {REMOVED[word.lower()]}"
        for path in texts()
        for number, word in removed_words(readable(path))
    ]
    assert len(texts()) > 300
    assert found == [], "\n".join(found[:40])


@pytest.mark.parametrize("word", REMOVED)
def test_each_removed_word_is_found(word):
    assert removed_words(f"first line\nIt {word} here.") == [(2, word)]


def test_parts_of_other_words_are_not_found():
    assert removed_words("besides, understands, thencehence_, colourless, in turns") == []
