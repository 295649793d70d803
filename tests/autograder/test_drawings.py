"""Failed cases as drawings: what went in belongs to what came out, reports name and hold them, nothing breaks out."""

import json
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from autograder import bundles, reference
from autograder import result as results
from autograder.checks import FAMILIES
from autograder.classroom import grade_all
from autograder.cli import app
from autograder.failure import inputs_of
from autograder.grading import Options
from autograder.render import drawings
from autograder.result import PartResult, Report
from autograder.rubric import Rubric
from mytorch.explain.case import FailedCase, read_case
from mytorch.explain.trace import trace

_WINDOWED = [
    name for name in FAMILIES if name.startswith(("Conv", "MaxPool", "MeanPool")) and not name.endswith("scanning")
]


@pytest.mark.parametrize("name", _WINDOWED)
def test_the_inputs_of_every_case_explain_pytorchs_values(name: str) -> None:
    explained = 0
    for case in FAMILIES[name].build(3, "contract"):
        if case.window is None:
            continue
        for out, expectation in case.expected.items():
            if expectation.what not in ("Z", "dLdA", "dLdW", "dLdb") or expectation.value.dtype != np.float64:
                continue
            place = tuple(size // 2 for size in expectation.value.shape)
            arrays = {name: array.astype(np.float64) for name, array in inputs_of(case, out).items()}
            found = trace(case.window, expectation.what, place, arrays)
            assert found is not None, (case.name, out)
            near = pytest.approx(expectation.value[place], rel=1e-6, abs=1e-9)
            assert found.total == near, (case.name, out)
            explained += 1
    assert explained > 20


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A submission whose input gradient of the convolution has a kernel that is not flipped."""
    folder = tmp_path_factory.mktemp("drawn") / "<b>eve"
    reference.copy(folder)
    path = folder / "mytorch/course/conv2d.py"
    text = path.read_text()
    assert text.count("W[:, :, ::-1, ::-1]") == 1
    path.write_text(text.replace("W[:, :, ::-1, ::-1]", "W"))
    return folder


def test_a_text_report_names_the_drawings_and_their_files_can_be_read(wrong: Path, tmp_path: Path) -> None:
    out = tmp_path / "cases"
    arguments = ["grade", str(wrong), "--only", "Conv2d_stride1", "--seed", "3", "--draw", str(out)]
    told = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "report.txt")])
    assert told.exit_code == 1, told.output
    (svg,) = out.glob("*.svg")
    assert svg.name == "Conv2d-stride-1-input-gradient.svg"
    report = "".join((tmp_path / "report.txt").read_text().split())
    assert f"Drawn:{svg}" in report
    texts = [element.text or "" for element in ET.fromstring(svg.read_text()).iter()]
    assert any(text.startswith("Where dLdA[") for text in texts)
    case = read_case(svg.with_suffix(".json"))
    assert case.window is not None
    assert set(case.inputs) == {"A", "W", "b", "dLdZ"}


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)


def test_a_page_holds_the_drawings_and_no_name_breaks_out(wrong: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    arguments = ["grade", str(wrong), "--only", "Conv2d_stride1", "--format", "html", "--out", str(out)]
    told = CliRunner().invoke(app, arguments)
    assert told.exit_code == 1, told.output
    page = out.read_text()
    assert "&lt;b&gt;eve" in page
    assert page.count("<svg ") == 1
    assert "default-src 'none'" in page
    parser = _Tags()
    parser.feed(page)
    assert not parser.tags & {"script", "b", "img", "a", "link", "iframe"}


def test_what_a_submission_wrote_stays_text_on_the_page() -> None:
    nasty = "</pre></svg><script>alert(1)</script>\ud800\x1b[2J"
    case = FailedCase.bounded(nasty, nasty, nasty, np.ones(2), np.zeros(2), np.ones(2, bool), {"A": np.ones(2)})
    part = PartResult(name="<b>", points=1, earned=0, failure=nasty, hint=nasty, case=case.to_dict())
    test = results.TestResult(
        name="<b>", section="<b>", check="Conv2d", extra=False, visibility="visible", status="failed", parts=[part] * 90
    )
    report = Report(submission=nasty, rubric="<b>", seed=1, tests=[test] * 90, full=1)
    page = drawings.page(report).encode().decode()
    assert "<script" not in page
    assert page.count("</svg>") == page.count("<svg ") == drawings.MAX_DRAWINGS


def test_a_folder_that_cannot_be_written_is_named(wrong: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = CliRunner().invoke(app, ["grade", str(wrong), "--only", "Upsample1d", "--draw", str(tmp_path / "file")])
    assert told.exit_code == 2
    assert "--draw" in told.output


def test_a_class_links_a_page_for_each_and_the_page_comes_back(wrong: Path, default: Rubric, tmp_path: Path) -> None:
    sections = [section.model_copy(update={"tests": section.tests}) for section in default.sections]
    few = [s.model_copy(update={"tests": [t for t in s.tests if t.check == "Conv2d_stride1"]}) for s in sections]
    rubric = default.model_copy(update={"sections": [section for section in few if section.tests]})
    out = tmp_path / "marks"
    (scored,) = grade_all(wrong.parent, out, rubric, Options(jailed=False))
    page = out / "reports" / scored.entry.page
    assert page.read_text().count("<svg ") == 1
    links = [line for line in (out / "marks.html").read_text().splitlines() if f'href="reports/{page.name}"' in line]
    assert len(links) == 1
    page.unlink()
    (again,) = grade_all(wrong.parent, out, rubric, Options(jailed=False))
    assert again.entry.kept
    assert page.exists()


def test_a_bundle_has_what_drawing_needs(default: Rubric) -> None:
    assert {"mytorch/explain/case.py", "mytorch/explain/svg.py"} <= set(bundles.sources(default))


def test_a_report_with_cases_is_bounded(wrong: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    CliRunner().invoke(app, ["grade", str(wrong), "--only", "Conv2d", "--format", "json", "--out", str(out)])
    report = Report.model_validate(json.loads(out.read_text()))
    assert any(part.case for test in report.tests for part in test.parts)
    assert out.stat().st_size < 100_000
