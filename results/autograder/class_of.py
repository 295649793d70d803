"""Generate a class, grade it with two jobs, kill it on the way, resume, and check that every hand-in has a line.

    .venv/bin/python results/autograder/class_of.py 200

Writes class_of_200.json next to this file: seconds of both runs, marks, and the machine. Most hand-ins are our own
solution with up to three mistakes, as folders, zips and tars; one in eight cannot be read, never ends in one method, or
attacks the grader.
"""

import csv
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

from autograder import reference

ROOT = Path(__file__).resolve().parents[2]
SEED, JOBS, LIMIT = 7, 2, 240
MISTAKES = (
    ("conv1d.py", "W[:, :, ::-1]", "W"),
    ("resampling.py", "np.zeros(", "np.ones("),
    ("pool.py", ".mean(axis=", ".sum(axis="),
    ("linear.py", ".T", ""),
    ("batchnorm.py", "self.eps", "0.0"),
    ("activation.py", "np.exp(-", "np.exp("),
    ("optim.py", "self.lr", "0.1"),
    ("dropout.py", "1 - self.p", "self.p"),
)


def main(count: int) -> int:
    """Make, grade, kill, resume, check; the exit status is 1 if a line is missing or it took too long."""
    with tempfile.TemporaryDirectory() as room:
        folder, out = Path(room, "class"), Path(room, "out")
        folder.mkdir()
        generate(folder, count)
        names = sorted(os.listdir(folder))
        first = grade(folder, out, stop_after=count // 3)
        kept = len(list((out / "reports").glob("*.json")))
        second = grade(folder, out)
        with (out / "marks.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    found = sorted(row["submission"].removeprefix("'") for row in rows)
    failed = [row["submission"] for row in rows if row["remark"].startswith("not graded")]
    marks = [float(row["mark"]) for row in rows if row["mark"]]
    summary = {
        "hand_ins": count, "jobs": JOBS, "seed": SEED, "reports_at_the_kill": kept,
        "seconds_until_killed": round(first, 1), "seconds_after_that": round(second, 1),
        "seconds": round(first + second, 1), "processor_seconds": round(sum(os.times()[2:4]), 1),
        "limit": LIMIT * count / 200, "lines": len(rows), "full_marks": sum(mark == 100 for mark in marks),
        "mean_mark": round(sum(marks) / len(marks), 2), "grader_failed_on": failed, "machine": platform.machine(),
        "cores": os.cpu_count(), "python": platform.python_version(),
        "load_at_the_end": [round(load, 1) for load in os.getloadavg()],
    }  # fmt: skip
    print(json.dumps(summary, indent=2))
    Path(__file__).with_name(f"class_of_{count}.json").write_text(json.dumps(summary, indent=2) + "\n")
    complete = found == names and not failed and 0 < kept < count
    return 0 if complete and summary["seconds"] <= summary["limit"] else 1


def grade(folder: Path, out: Path, stop_after: int = 0) -> float:
    """Run grade-all, killed as soon as so many reports are written; how long it ran."""
    command = [sys.executable, "-m", "autograder", "grade-all", str(folder), "--out", str(out), "--jobs", str(JOBS)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    began = time.monotonic()
    process = subprocess.Popen([*command, "--seed", str(SEED)], env=environment, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        time.sleep(0.1)
        if stop_after and len(list((out / "reports").glob("*.json"))) >= stop_after:
            process.send_signal(signal.SIGKILL)
            process.wait()
    return time.monotonic() - began


def generate(folder: Path, count: int) -> None:
    """Write the hand-ins."""
    rng = random.Random(SEED)
    for number in range(count):
        name, kind = f"student{number:03}", number % 8
        if kind == 7:
            odd(folder, name, number // 8 % 6)
            continue
        work = folder / name
        reference.copy(work)
        for file, old, new in rng.sample(MISTAKES, rng.choice((0, 1, 1, 2, 3))):
            path = work / "mytorch" / "course" / file
            path.write_text(path.read_text().replace(old, new), encoding="utf-8")
        if kind in (2, 3):
            with zipfile.ZipFile(folder / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
                for path in sorted(work.rglob("*.py")):
                    archive.write(path, path.relative_to(work))
        if kind == 4:
            with tarfile.open(folder / f"{name}.tar.gz", "w:gz") as packed:
                packed.add(work, name)
        if kind in (2, 3, 4):
            shutil.rmtree(work)


def odd(folder: Path, name: str, kind: int) -> None:
    """A hand-in that a careless or a hostile student sends."""
    if kind == 0:
        (folder / f"{name}.zip").write_bytes(b"PK\x03\x04 damaged")
    elif kind == 1:
        (folder / f"={name}.rar").write_bytes(b"Rar!\x1a\x07\x00")
    elif kind == 2:
        (folder / f"{name}.py").write_text("x = " + "-" * 200_000 + "1\n", encoding="utf-8")
    elif kind == 3:
        text = (
            "class Upsample1d:\n    def __init__(self, k): pass\n    def forward(self, A):\n        while True: pass\n"
        )
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    elif kind == 4:
        text = "import os\nfor fd in range(3, 64):\n    try: os.write(fd, b'\\xff' * 4096)\n    except OSError: pass\n"
        (folder / f"{name}.py").write_text(f"{text}class Conv1d: pass\n", encoding="utf-8")
    else:
        (folder / name).mkdir()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
