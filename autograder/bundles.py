"""The grader packed for Gradescope (a zip), Autolab (a tar and a Makefile) and PrairieLearn (a question).

The reference solution is not in it.
"""

import io
import json
import secrets
import tarfile
import uuid
import zipfile
from pathlib import Path

import yaml

from autograder.render.autolab import COLUMNS
from autograder.rubric import Rubric
from mytorch.files import atomic_write

_HERE = Path(__file__).resolve().parents[1]
_REQUIREMENTS = "numpy>=2.0\npydantic>=2.9\npyyaml>=6\nrich>=13.9\ntorch>=2.6\ntyper>=0.15\n"

_SETUP = """#!/usr/bin/env bash
# Gradescope runs this once, when it builds the image. To make that a tenth of the size, set PIP_EXTRA_INDEX_URL here to
# the index of PyTorch's builds for the CPU, which PyTorch's installation page names.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
apt-get update
for python in python3.13 python3.12 python3.11; do
    if apt-get install -y "$python" "$python-venv"; then break; fi
done
"$python" -m venv /autograder/venv
/autograder/venv/bin/pip install --no-cache-dir -r /autograder/source/requirements.txt
"""

_RUN = """#!/usr/bin/env bash
# Gradescope runs this for each submission. Without results.json, it reports that the autograder failed.
cd /autograder/source
/autograder/venv/bin/python -B -m autograder grade /autograder/submission --rubric rubric.yaml \\
    --format gradescope --out /autograder/results/results.json || true
"""

_MAKEFILE = """# Autolab runs `make` next to autograde.tar and the student's file.
MAKEFLAGS += --no-print-directory
HANDIN ?= handin.zip
PYTHON ?= python3

all:
\t@tar xf autograde.tar
\t@cd grader && $(PYTHON) -B -m autograder grade ../$(HANDIN) --rubric rubric.yaml --format autolab || true

clean:
\t@rm -rf grader
"""

_PRAIRIELEARN_RUN = """#!/usr/bin/env bash
# PrairieLearn runs this for each submission. Where no file is written, it reports that the grader failed.
mkdir -p /grade/results
cd /grade/tests/grader
python3 -B -m autograder grade /grade/student --rubric rubric.yaml \\
    --format prairielearn --out /grade/results/results.json || true
"""

_PRAIRIELEARN_QUESTION = """<pl-question-panel>
  <p>Hand in your Python files, or a zip of them called <code>handin.zip</code>.</p>
  <pl-file-upload file-names="handin.zip"></pl-file-upload>
</pl-question-panel>

<pl-submission-panel>
  <pl-external-grader-results></pl-external-grader-results>
  <pl-file-preview></pl-file-preview>
</pl-submission-panel>
"""

_DOCKERFILE = """# The image in which PrairieLearn grades: build it, push it, and name it in info.json.
FROM python:3.12-slim
COPY requirements.txt /
RUN pip install --no-cache-dir -r /requirements.txt
"""

_PRAIRIELEARN_README = """# The grader on PrairieLearn

This folder is a question. Build an image from `Dockerfile` and `requirements.txt`, set its name in `info.json` under
`externalGradingOptions.image`, and copy the folder to `questions/` of your course. Students get extra credit up to the
full mark, as PrairieLearn's scores end at 1. The tests' seed is in `tests/grader/rubric.yaml`.
"""

_README = """# The grader on Autolab

Upload `autograde.tar` and `autograde-Makefile` to the lab's autograder settings, and let the handin be called
`handin.zip` (or set HANDIN in the Makefile). The grading image needs Python 3.11 or later with these packages:

    pip install -r requirements.txt

The lab's problems are the rubric's sections:

"""


def gradescope(out: Path, rubric: Rubric) -> None:
    """Write the zip to upload as a Gradescope autograder. OSError where it cannot be written."""
    executable = 0o755
    rubric = with_seed(rubric)
    with atomic_write(out) as path, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in {**sources(rubric), "setup.sh": _SETUP, "run_autograder": _RUN}.items():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = (0o100000 | (executable if name in ("setup.sh", "run_autograder") else 0o644)) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, text)


def autolab(out: Path, rubric: Rubric) -> None:
    """Write autograde.tar, autograde-Makefile, requirements.txt and a README into the folder `out`."""
    rubric = with_seed(rubric)
    out.mkdir(parents=True, exist_ok=True)
    with atomic_write(out / "autograde.tar") as path, tarfile.open(path, "w") as archive:
        for name, text in sources(rubric).items():
            data = text.encode()
            entry = tarfile.TarInfo(f"grader/{name}")
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    problems = "".join(
        f"- {section.name}: {sum(test.points for test in section.tests):g} points{', extra' if section.extra else ''}\n"
        for section in rubric.sections
    )
    scoreboard = f"\nThe scoreboard's column specification is\n\n    {COLUMNS}\n" if rubric.leaderboard else ""
    for name, text in {
        "autograde-Makefile": _MAKEFILE,
        "requirements.txt": _REQUIREMENTS,
        "README.md": _README + problems + scoreboard,
    }.items():
        with atomic_write(out / name) as path:
            path.write_text(text, encoding="utf-8")


def prairielearn(out: Path, rubric: Rubric, image: str) -> None:
    """Write a question with an external grader into the new folder `out`; `image` is the name of its Docker image.

    Raises FileExistsError where there is something already.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(f"{out} already exists and is not empty: name a new folder")
    rubric = with_seed(rubric)
    seconds = sum(test.seconds for _, test in rubric.tests)
    info = {
        "uuid": str(uuid.uuid4()),
        "title": rubric.title,
        "topic": "Neural networks",
        "type": "v3",
        "gradingMethod": "External",
        "externalGradingOptions": {
            "enabled": True,
            "image": image,
            "entrypoint": "/grade/tests/run.sh",
            "timeout": int(min(600, max(60, seconds))),
            "enableNetworking": False,
        },
    }
    files = {f"tests/grader/{name}": text for name, text in sources(rubric).items()}
    files |= {
        "info.json": json.dumps(info, indent=2) + "\n",
        "question.html": _PRAIRIELEARN_QUESTION,
        "tests/run.sh": _PRAIRIELEARN_RUN,
        "Dockerfile": _DOCKERFILE,
        "requirements.txt": _REQUIREMENTS,
        "README.md": _PRAIRIELEARN_README,
    }
    for name, text in files.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (out / "tests" / "run.sh").chmod(0o755)


def with_seed(rubric: Rubric) -> Rubric:
    """The rubric with a seed, drawn where it has none: every submission to a bundle gets the same numbers.

    Students have this grader too, and must not be able to compute the tests' answers before they hand in.
    """
    return rubric if rubric.seed is not None else rubric.model_copy(update={"seed": secrets.randbelow(1 << 32)})


def sources(rubric: Rubric) -> dict[str, str]:
    """The files that grading needs, by their path in the bundle; neither the course's layers nor its models."""
    files = sorted(path for pattern in ("*.py", "*.yaml") for path in (_HERE / "autograder").rglob(pattern))
    found = {path.relative_to(_HERE).as_posix(): path.read_text(encoding="utf-8") for path in files}
    for path in (_HERE / "mytorch" / "files.py", *sorted((_HERE / "mytorch" / "explain").glob("*.py"))):
        found[path.relative_to(_HERE).as_posix()] = path.read_text(encoding="utf-8")
    found["requirements.txt"] = _REQUIREMENTS
    found["rubric.yaml"] = yaml.safe_dump(rubric.model_dump(), sort_keys=False, allow_unicode=True)
    return found
