import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments import progress
from experiments.progress import format_count, format_duration, printable, say, track

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"), (0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (3599, "59 min 59 s"),
        (3599.6, "1 h 0 min"), (7500, "2 h 5 min"), (90000, "25 h 0 min"),
    ],
)  # fmt: skip
def test_a_duration_is_said_as_people_say_it(seconds, words):
    assert format_duration(seconds) == words


@pytest.mark.parametrize(("count", "words"), [(0, "0 epochs"), (1, "1 epoch"), (2, "2 epochs"), (1000, "1,000 epochs")])
def test_one_is_singular(count, words):
    assert format_count(count, "epoch") == words


@pytest.fixture
def clock(monkeypatch):
    """clock.now can be set."""

    class Clock:
        now = 0.0

    monkeypatch.setattr(progress.time, "monotonic", lambda: Clock.now)
    return Clock


def test_elsewhere_than_in_a_terminal_lines_are_plain_and_few(capsys, clock):
    with track("reading", 100, "images") as advance:
        for done in range(1, 101):
            clock.now = done * 1.0
            advance(done, 100)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "reading: 15/100 images, 1 images/s, 1 min 25 s left"
    assert lines[-1] == "reading: 90/100 images, 1 images/s, 10 s left"
    assert len(lines) == 6


def test_a_short_job_says_nothing(capsys, clock):
    with track("reading", 3, "images") as advance:
        for done in range(4):
            advance(done, 3)
    assert capsys.readouterr().out == ""


def test_a_terminal_gets_a_bar_that_is_gone_afterwards(monkeypatch, capsys):
    monkeypatch.setattr(progress, "console", progress.Console(force_terminal=True, width=80, highlight=False))
    with track("reading", 4, "images") as advance:
        for done in range(1, 5):
            advance(done, 4)
    out = capsys.readouterr().out
    assert "reading" in out
    assert "4/4" in out
    assert out.rstrip().endswith("\x1b[2K")  # the line erased


def test_a_total_that_is_known_only_later_is_taken_over(monkeypatch, capsys):
    monkeypatch.setattr(progress, "console", progress.Console(force_terminal=True, width=80, highlight=False))
    with track("checking", 1, "images") as advance:
        advance(3, 7)
        advance(7, 7)
    assert "7/7" in capsys.readouterr().out


def test_text_is_printed_as_it_is(capsys):
    text = "[red]a[/] /tmp/[1]/" + "long " * 60 + "end"
    say(text)
    assert capsys.readouterr().out == text + "\n"


def test_no_control_characters_outside_of_a_terminal(capsys):
    with track("reading", 1, "images") as advance:
        advance(1, 1)
    say("done: 12 images in 3 s")
    assert not re.search(r"\x1b", capsys.readouterr().out)


def test_a_job_inside_another_is_silent_and_the_next_one_is_shown(capsys, clock):
    with track("all", 10, "images") as outer:
        with track("part", 10, "images") as inner:
            clock.now = 20.0
            inner(5, 10)
        assert capsys.readouterr().out == ""
        outer(5, 10)
    with track("next", 10, "images") as advance:
        clock.now = 60.0
        advance(5, 10)
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == ["all", "next"]


@given(st.text(st.characters() | st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp"])))
def test_nothing_in_a_printed_text_commands_a_terminal(text):
    shown = printable(text)
    assert {character for character in shown if unicodedata.category(character) in ("Cc", "Cs")} <= {"\n", "\t"}
    assert not any(
        unicodedata.bidirectional(c) in ("LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI") for c in shown
    )
    shown.encode()


@given(st.text(st.characters(exclude_categories=["C", "Z"])))
def test_a_harmless_text_is_printed_as_it_is(text):
    assert printable(text) == text


def test_what_say_prints_of_a_hostile_name(capsys):
    say("people/\x1b]0;owned\x07\x1b[2J/\u202egpj.exe\udce9: [bold]not found[/]")
    assert capsys.readouterr().out == ("people/\\x1b]0;owned\\x07\\x1b[2J/\\u202egpj.exe\\udce9: [bold]not found[/]\n")


PROGRAM = "from experiments.progress import say\nfor n in range(3): say(f'line é {n}')\nopen('done', 'w').close()"


@pytest.mark.parametrize("stream", ["> /dev/full", "| true", ">&-", "> out.txt"])
def test_a_job_outlives_its_standard_output(tmp_path, stream):
    closed = "import select\npoll = select.poll()\npoll.register(1, 0)\npoll.poll(120_000)\n"  # until `true` has ended
    code = f"{closed}{PROGRAM}" if "true" in stream else PROGRAM
    command = f'"$0" -c "$1" {stream}'
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    shell = ["bash", "-c", command, sys.executable, code]
    done = subprocess.run(shell, cwd=tmp_path, capture_output=True, text=True, env=environment, check=False)
    assert (tmp_path / "done").exists(), done.stderr
    assert "Traceback" not in done.stderr
    if stream in ("> /dev/full", "| true"):
        assert done.stderr.count("standard output cannot be written") == 1
    if stream == "> out.txt":
        assert (tmp_path / "out.txt").read_text().splitlines()[0] == "line \\xe9 0"
