"""Hand-ins that share code are found whatever was renamed, and the pages hold no text that runs."""

import ast
import csv
import itertools
import json
import random
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from autograder import handout
from autograder.cli import app
from autograder.reference import sources
from autograder.rubric import Rubric
from autograder.similarity import RUN, WINDOW, blocks, compare, fingerprints
from autograder.tokens import tokens

CONV = sources("mytorch.course")["conv1d.py"]
POOL = sources("mytorch.course")["pool.py"]
NORM = sources("mytorch.course")["batchnorm.py"]


class _Renamed(ast.NodeTransformer):
    """Every local name and argument gets another name."""

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return node if node.id in ("np", "self", "int", "len") else ast.Name(f"v_{node.id}", node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return node if node.arg == "self" else ast.arg(f"v_{node.arg}", node.annotation)


def _disguised(text: str) -> str:
    """The same code with other names, other layout, no comments, other constants."""
    tree = _Renamed().visit(ast.parse(text))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and type(node.value) is int:
            node.value += 7
    return "# my very own work\n" + ast.unparse(ast.fix_missing_locations(tree))


@pytest.fixture
def hand_ins(tmp_path: Path) -> Path:
    folder = tmp_path / "class"
    folder.mkdir()
    (folder / "alice.py").write_text(CONV)
    (folder / "bob").mkdir()
    (folder / "bob" / "layers.py").write_text(_disguised(CONV) + "\n" + NORM)
    with zipfile.ZipFile(folder / "carol.zip", "w") as archive:
        archive.writestr("pool.py", POOL)
    cells = [{"cell_type": "code", "source": ["%matplotlib inline\n", POOL]}, {"cell_type": "markdown", "source": "x"}]
    (folder / "dave.ipynb").write_text(json.dumps({"cells": cells}))
    (folder / "erin_v1.py").write_text(NORM.replace("self.", "self.x_"))
    (folder / "erin_v2.py").write_text(NORM)
    (folder / "fay.rar").write_bytes(b"Rar!\x1a\x07")
    return folder


def test_copies_are_found_in_any_disguise(hand_ins: Path) -> None:
    works, pairs = compare(sorted(hand_ins.iterdir()))
    found = {(pair.left.name, pair.right.name): pair for pair in pairs if pair.share > 0.5}
    assert set(found) == {
        ("alice.py", "bob"), ("carol.zip", "dave.ipynb"), ("bob", "erin_v1.py"), ("bob", "erin_v2.py"),
    }  # fmt: skip
    assert found["carol.zip", "dave.ipynb"].share == 1
    assert found["alice.py", "bob"].of_left > 0.7 > found["alice.py", "bob"].of_right
    assert {work.name: work.reason for work in works if work.reason} == {
        "fay.rar": "fay.rar is a RAR archive: hand in a zip, a tar, a folder or a Python file"
    }


def test_blocks_are_the_same_code_on_both_sides(hand_ins: Path) -> None:
    _, pairs = compare(sorted(hand_ins.iterdir()))
    for pair in pairs[:3]:
        shown = blocks(pair)
        assert shown == sorted(shown, key=lambda block: -block.tokens)
        for block in shown:
            (a, first, last), (b, start, end) = block.left, block.right
            assert 0 <= first <= last < len(pair.left.sources[a].lines)
            assert 0 <= start <= end < len(pair.right.sources[b].lines)
            assert block.tokens >= RUN


def test_independent_code_and_the_handout_share_nothing(tmp_path: Path, default: Rubric, earlier: Rubric) -> None:
    folder = tmp_path / "class"
    for name, text in (("a", CONV), ("b", POOL)):
        handout.write(folder / name, default, earlier)
        (folder / name / "mine.py").write_text(text)
    works, pairs = compare(sorted(folder.iterdir()))
    assert all(work.tokens > 2000 for work in works)  # the handout is in each
    assert not [pair for pair in pairs if pair.share > 0.1]


def test_what_most_of_a_class_has_does_not_count(tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"s{number}.py").write_text(CONV + "\n" + (POOL if number < 2 else f"x = {number}\n"))
    _, pairs = compare(sorted(tmp_path.iterdir()))
    assert [(pair.left.name, pair.right.name) for pair in pairs] == [("s0.py", "s1.py")]
    _, pairs = compare(sorted(tmp_path.iterdir()), common=1)
    assert len(pairs) == 12 * 11 // 2


def test_a_part_of_very_little_code_says_little(tmp_path: Path) -> None:
    """Two equal hand-ins of a few lines do not share all: their part is one of thirty fingerprints."""
    short = "\n".join(POOL.splitlines()[:30])
    for name in "ab":
        (tmp_path / f"{name}.py").write_text(short)
    works, (pair,) = compare(sorted(tmp_path.iterdir()))
    count = len(works[0].prints)
    assert 0 < pair.shared == count < 30
    assert pair.share == pair.of_left == pair.of_right == pytest.approx(count / 30)


def test_a_teachers_own_template_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "class").mkdir()
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "template.py").write_text(f"# The template.\n\n{CONV}")
    for name in "ab":
        (tmp_path / "class" / f"{name}.py").write_text(CONV)
    assert compare(sorted((tmp_path / "class").iterdir()))[1]
    assert not compare(sorted((tmp_path / "class").iterdir()), [tmp_path / "given"])[1]


@given(st.lists(st.integers(1, 6), max_size=120), st.randoms(use_true_random=False))
def test_no_long_common_run_is_missed(codes: list[int], rng: random.Random) -> None:
    """Winnowing's guarantee, on texts that share one run of RUN + WINDOW - 1 tokens."""
    run = [rng.randint(1, 300) for _ in range(RUN + WINDOW - 1)]
    left = codes + run + [rng.randint(1, 300) for _ in range(rng.randint(0, 50))]
    right = [rng.randint(1, 300) for _ in range(rng.randint(0, 50))] + run + codes[::-1]
    assert fingerprints(left).keys() & fingerprints(right).keys()


@given(st.lists(st.integers(1, 5), max_size=200))
def test_fingerprints_are_of_runs_in_the_text(codes: list[int]) -> None:
    """Equal hashes stand for equal runs, and every window of them has one."""
    found = fingerprints(codes)
    runs: dict[int, list[int]] = {}
    for value, places in found.items():
        for place in places:
            assert runs.setdefault(value, codes[place : place + RUN]) == codes[place : place + RUN]
    picked = sorted(place for places in found.values() for place in places)
    assert all(later - earlier <= WINDOW for earlier, later in itertools.pairwise(picked))
    assert (not picked) == (len(codes) < RUN)


def test_tokens_ignore_what_is_easily_changed() -> None:
    plain = tokens("a", "import os\ndef f(a):\n    return np.sum(a) + 1\n").codes
    assert tokens("a", '"""D."""\n# c\ndef g( b ):\n  "doc"\n\n  return np.sum(b)+2  # d\n').codes == plain
    assert tokens("a", "def f(a):\n    return np.max(a) + 1\n").codes != plain
    assert tokens("a", "def f(a):\n    return np.sum(a) - 1\n").codes != plain


@pytest.mark.parametrize("text", ["", "(" * 5000, "\0", "def f(:\n  'x", "\ud800", "x = '''", "\t x\n  y\n", "ℵ = 1"])
def test_any_text_has_tokens(text: str) -> None:
    source = tokens("a", text)
    assert len(source.codes) == len(source.places)
    assert all(0 <= place <= len(source.lines) for place in source.places)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}


def test_the_pages_are_complete_and_escaped(tmp_path: Path) -> None:
    folder, out = tmp_path / "class", tmp_path / "out"
    folder.mkdir()
    evil = "</pre><script>alert(1)</script>\x1b[2J"
    (folder / "<img src=x onerror=alert(1)>.py").write_text(f"# {evil}\n{CONV}")
    (folder / "=cmd().py").write_text(CONV)
    done = CliRunner().invoke(app, ["similarity", str(folder), "--out", str(out)])
    assert done.exit_code == 0, done.output
    for file in (out / "index.html", out / "pairs" / "1.html"):
        page = _Page()
        page.feed(file.read_text())
        assert not page.tags & {"script", "img", "iframe", "link"}
        assert not any(name.startswith("on") for name in page.names)
        assert "\x1b" not in file.read_text()
    index = (out / "index.html").read_text()
    assert "proves nothing" in index
    assert 'href="pairs/1.html">100%' in index
    with (out / "similarity.csv").open() as file_:
        (row,) = csv.DictReader(file_)
    assert (row["share"], row["second"]) == ("1.0", "'=cmd().py")
    assert CliRunner().invoke(app, ["similarity", str(tmp_path / "nowhere")]).exit_code == 2
    assert CliRunner().invoke(app, ["similarity", str(folder), "--given", str(tmp_path / "nowhere")]).exit_code == 2


def test_a_hostile_hand_in_costs_nobody_else(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(CONV)
    (tmp_path / "b.py").write_text(CONV)
    (tmp_path / "c.py").write_text("x = " + "-" * 200_000 + "1\n")
    (tmp_path / "d.ipynb").write_text("[" * 100_000)
    (tmp_path / "e.zip").write_bytes(b"PK\x05\x06" + bytes(10))
    works, pairs = compare(sorted(tmp_path.iterdir()))
    assert len(works) == 5
    assert (pairs[0].left.name, pairs[0].right.name, pairs[0].share) == ("a.py", "b.py", 1)
