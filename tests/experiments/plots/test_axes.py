"""What a reader needs of every plot: round ticks, legends and labels that cover no data, no empty plots."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend

from experiments.metrics.classification import measure_calibration
from experiments.metrics.roc import roc_curve
from experiments.plots import sheets, training, verification
from experiments.plots.sheets import PairTile, write_pair_sheet
from experiments.plots.style import label_points, new_plot

RNG = np.random.default_rng(0)
ROW = {"train_loss": 2.0, "train_top1": 0.5, "top1": 0.85, "top5": 0.9, "loss": 1.2}
MATCHES = np.arange(400) % 4 == 0
SCORES = RNG.normal(0.3 + 0.2 * MATCHES, 0.15)
CURVE = roc_curve(SCORES, MATCHES)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that would be saved, laid out."""
    found: list[Figure] = []

    def keep(drawing: Figure, path: Path, dpi: int = 150) -> None:
        drawing.draw_without_rendering()
        found.append(drawing)

    for module in (training, verification, sheets):
        monkeypatch.setattr(module, "write_plot", keep)
    return found


def history(epochs: int, first: int = 1) -> list[dict]:
    return [{"epoch": n, **ROW} for n in range(first, first + epochs)]


def logits() -> tuple[np.ndarray, np.ndarray]:
    return RNG.normal(size=(60, 5)), RNG.integers(0, 5, 60)


def runs(count: int) -> list[dict]:
    return [{"run": f"run number {n}", "top1": 0.8 + n / 100, "flops": 1e6, "parameters": 2e5} for n in range(count)]


PLOTS: dict[str, Callable[[Path], object]] = {
    "learning": lambda path: training.plot_learning_curves(history(12), path, "title", 0.1),
    "learning, one epoch": lambda path: training.plot_learning_curves(history(1), path, "title"),
    "learning, class means": lambda path: training.plot_learning_curves(history(1, 0), path, "title"),
    "twin": lambda path: training.plot_twin_curves([2, 1], [2, 1], np.array([0, 1e-9]), path, "float64"),
    "twin, one step": lambda path: training.plot_twin_curves([2], [2], np.zeros(1), path, "float64"),
    "reliability": lambda path: training.plot_reliability(measure_calibration(*logits()), path),
    "trade-offs": lambda path: training.plot_trade_offs(runs(5), path),
    "trade-offs of one run": lambda path: training.plot_trade_offs(runs(1), path),
    "search": lambda path: training.plot_search_history([0.8, None, 0.85, 0.825], path, "title"),
    "search, one trial": lambda path: training.plot_search_history([0.8], path, "title"),
    "search, all pruned": lambda path: training.plot_search_history([None, None], path, "title"),
    "importances": lambda path: training.plot_importances({"lr": 0.7, "seed": 0.3}, path),
    "roc": lambda path: verification.plot_roc({"a network with a long name": CURVE, "another": CURVE}, path, "title"),
    "det": lambda path: verification.plot_det({"a network with a long name": CURVE, "another": CURVE}, path, "title"),
    "scores": lambda path: verification.plot_scores(SCORES, MATCHES, 0.4, path, "title"),
    "cmc": lambda path: verification.plot_cmc(np.array([0.8, 0.85, 0.9]), path, "title"),
    "open set": lambda path: verification.plot_open_set(np.array([0, 1]), np.array([0.8, 0.9]), path, "title"),
}


def legends(drawing: Figure) -> list[Legend]:
    return [*drawing.legends, *(legend for axis in drawing.axes if (legend := axis.get_legend()))]


@pytest.mark.parametrize("name", PLOTS)
def test_no_legend_covers_any_axes_and_none_is_cut(name, drawn, tmp_path):
    PLOTS[name](tmp_path / "plot.png")
    (drawing,) = drawn
    for legend in legends(drawing):
        box = legend.get_window_extent()
        assert not any(box.overlaps(axis.bbox) for axis in drawing.axes)
        assert drawing.bbox.x0 <= box.x0
        assert drawing.bbox.y0 <= box.y0
        assert box.x1 <= drawing.bbox.x1


@pytest.mark.parametrize("name", PLOTS)
def test_percentages_are_round_and_epochs_trials_and_ranks_are_whole(name, drawn, tmp_path):
    PLOTS[name](tmp_path / "plot.png")
    for axis in drawn[0].axes:
        for side in (axis.xaxis, axis.yaxis):
            low, high = sorted(side.get_view_interval())
            ticks = [tick for tick in side.get_majorticklocs() if low <= tick <= high]
            texts = side.get_major_formatter().format_ticks(ticks)
            if any(text.endswith("%") for text in texts) and side.get_scale() == "linear" and name != "det":
                steps = np.diff(ticks)
                assert len(ticks) >= 2
                assert all(f"{step:.2e}"[:4] in ("1.00", "2.00", "5.00") for step in steps), texts
            if side.get_label_text() in ("epoch", "step", "trial", "rank"):
                assert ticks == [round(tick) for tick in ticks] != []
                assert min(ticks) >= 0


def overlaps(axis: Axes) -> int:
    boxes = [text.get_window_extent() for text in axis.texts]
    return sum(a.overlaps(b) for n, a in enumerate(boxes) for b in boxes[:n])


def test_labels_of_equal_points_are_apart_and_inside(drawn, tmp_path):
    training.plot_trade_offs(runs(6), tmp_path / "plot.png")
    for axis in drawn[0].axes:
        assert len(axis.texts) == 6
        assert overlaps(axis) == 0
        for text in axis.texts:
            box = text.get_window_extent()
            assert axis.bbox.x0 <= box.x0
            assert box.x1 <= axis.bbox.x1


def test_a_label_covers_no_point():
    drawing, (axis,) = new_plot(1)
    points = [(x, y, "label") for x in range(4) for y in range(4)]
    axis.plot([x for x, _, _ in points], [y for _, y, _ in points], "o")
    label_points(axis, points)
    drawing.draw_without_rendering()
    for text in axis.texts:
        box = text.get_window_extent()
        assert not any(box.contains(*axis.transData.transform((x, y))) for x, y, _ in points)


def test_pairs_without_error_have_no_det_plot_and_that_is_printed(tmp_path, capsys):
    path = tmp_path / "det.png"
    assert verification.plot_det({"": CURVE}, path, "title")
    assert path.is_file()
    perfect = roc_curve(MATCHES.astype(float), MATCHES)
    assert not verification.plot_det({"": perfect}, path, "title")
    assert not path.exists(), "an older plot would be taken for this one"
    assert "det.png: left out" in capsys.readouterr().out


def test_one_rank_has_no_cmc_plot_and_that_is_printed(tmp_path, capsys):
    assert not verification.plot_cmc(np.array([1.0]), tmp_path / "cmc.png", "title")
    assert not (tmp_path / "cmc.png").exists()
    assert "cmc.png: left out" in capsys.readouterr().out


def confusion(drawn: list[Figure], counts: np.ndarray, tmp_path: Path) -> tuple[list[str], str, list[str]]:
    training.plot_confusion_matrix(counts, [f"p{n}" for n in range(len(counts))], tmp_path / "confusion.png", most=4)
    axis = drawn[-1].axes[0]
    return [tick.get_text() for tick in axis.get_yticklabels()], axis.get_title(), [t.get_text() for t in axis.texts]


def test_a_confusion_matrix_shows_those_with_mistakes_and_counts(drawn, tmp_path):
    counts = np.diag([3] * 9)
    counts[2, 5], counts[7, 2] = 2, 1
    people, title, numbers = confusion(drawn, counts, tmp_path)
    assert people == ["p2", "p5", "p7"]
    assert title == "the 3 of 9 people involved in mistakes"
    assert sorted(numbers) == ["1", "2", "3", "3", "3"]


def test_a_confusion_matrix_of_too_many_says_how_many_there_are(drawn, tmp_path):
    counts = np.diag([3] * 9) + np.eye(9, k=1, dtype=int)
    people, title, _ = confusion(drawn, counts, tmp_path)
    assert len(people) == 4
    assert title == "the 4 people most involved in mistakes\n(9 of 9 are)"


def test_a_confusion_matrix_without_mistakes_says_so(drawn, tmp_path):
    _, title, _ = confusion(drawn, np.diag([3] * 9), tmp_path)
    assert title == "no mistakes among 9 people\n(the first 4)"


@pytest.mark.parametrize("count", [1, 2, 5])
def test_titles_and_captions_of_pair_sheets_are_not_cut(count, drawn, tmp_path):
    face = np.zeros((20, 20, 3), np.uint8)
    caption = "one person, similarity 0.22\n" + "n" * 22 + "\n" + "m" * 22
    write_pair_sheet([PairTile(face, face, caption, False)] * count, tmp_path / "sheet.png", "a long title " * 9)
    (drawing,) = drawn
    texts = [drawing._suptitle, *(axis.title for axis in drawing.axes)]
    for text in texts:
        box = text.get_window_extent()
        assert drawing.bbox.x0 <= box.x0
        assert box.x1 <= drawing.bbox.x1
        assert box.y1 <= drawing.bbox.y1
