"""Every sentence of a report that compares numbers is true of the numbers that the reader sees in it."""

import re

from hypothesis import assume, example, given
from hypothesis import strategies as st

from experiments.config.recipe import Recipe
from experiments.report import phrases as say
from experiments.report.discussion import _verification
from experiments.report.document import Words, join
from experiments.report.facts import RunFacts, VerificationFacts
from experiments.report.phrases import decimal, percent, points
from experiments.report.report import _about_verification, _ranking
from experiments.report.study import Study, _group
from experiments.run import Run, RunEnvironment, RunMetrics, VerificationMetrics

FRACTIONS = st.floats(0, 1) | st.sampled_from([0.0, 0.5, 0.5004, 0.50049, 0.5005, 1.0])
LOSSES = st.floats(0.001, 9) | st.sampled_from([0.013, 0.0131, 0.0134, 0.0136])


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"\d+(?:\.\d+)?", text)]


@given(FRACTIONS, FRACTIONS)
@example(0.013, 0.019)
def test_rises_falls_and_stays(before, after):
    text = say.describe_change(before, after)
    found = numbers(text)
    if "stays" in text:
        assert decimal(before) == decimal(after)
        return
    assert found == [float(decimal(before)), float(decimal(after))]
    assert ("falls" in text) == (found[1] < found[0])
    assert ("rises" in text) == (found[1] > found[0])


@given(st.floats(0.05, 20), FRACTIONS, FRACTIONS)
@example(1.0, 0.1, 0.1)
@example(1.004, 0.1, 0.2)
def test_calibration(temperature, ece, tempered):
    text = say.describe_calibration(temperature, ece, tempered)
    shown = numbers(text)[0]
    assert ("is over-confident" in text) == (shown > 1)
    assert ("is under-confident" in text) == (shown < 1)
    assert say.describe_change(ece, tempered) in text


@given(st.floats(-1, 1))
@example(0.0004)
@example(-0.0004)
def test_the_lead(gap):
    text = say.describe_lead(gap)
    if numbers(text) in ([], [1.0]):  # the 1 of top-1
        assert points(gap) == "0.0 points"
        assert "level" in text
    else:
        assert ("ahead" in text) == (gap > 0)
        assert points(gap) in text


@given(FRACTIONS, FRACTIONS)
def test_more_than_twice_the_spread(gap, spread):
    assert ("is more than twice" in say.describe_spread(gap, spread)) == (gap > 2 * spread)


@given(st.lists(FRACTIONS, min_size=4, max_size=4))
def test_overlap_of_intervals(ends):
    one, other = sorted(ends[:2]), sorted(ends[2:])
    common = max(one[0], other[0]) <= min(one[1], other[1])
    assert ("do not overlap" in say.describe_intervals(one, other)) == (not common)


@given(FRACTIONS, FRACTIONS)
def test_accuracy_in_training_and_validation(train, validation):
    text = say.describe_generalization(train, validation)
    if "the same" in text:
        assert abs(train - validation) < 0.0006
    else:
        assert ("above" in text) == (train > validation)
        assert ("below" in text) == (train < validation)


@given(st.lists(LOSSES, min_size=2, max_size=9), st.integers(1, 9))
def test_the_lowest_validation_loss(losses, best):
    assume(best <= len(losses))
    epochs = list(range(1, len(losses) + 1))
    text = say.describe_losses(epochs, losses, best)
    if "after the last epoch, so more" in text:
        assert losses[-1] == min(losses)
        return
    named = int(re.search(r"lowest after epoch (\d+), (\d\.\d+)", text)[1])
    assert losses[named - 1] == min(losses)
    if "the same at the end" in text:
        assert decimal(losses[-1]) == decimal(min(losses))
        return
    assert f"{decimal(losses[-1])} at the end" in text
    assert ("leveled out" in text) == (losses[-1] <= 1.05 * min(losses))
    if "came later" in text:
        assert best > named
    if "did not help" in text:
        assert losses[-1] > min(losses[: named + 1])


@given(st.integers(1, 20), st.integers(1, 20), FRACTIONS, FRACTIONS)
def test_the_kept_epoch(best_epoch, epoch, best, last):
    text = say.describe_kept_epoch(best_epoch, epoch, best, last)
    assert bool(text) == (best_epoch != epoch and percent(best) != percent(last))
    if text:
        assert percent(best) in text
        assert re.search(r"(\d+)(st|nd|rd|th)", text)[1] == str(best_epoch)


WORDS = {"none": 0, "no": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
         "nine": 9, "ten": 10, "eleven": 11, "twelve": 12}  # fmt: skip


def count(word: str, everyone: int) -> int:
    return everyone if word == "all" else WORDS[word] if word in WORDS else int(word.replace(",", ""))


@given(st.integers(1, 40), st.integers(0, 40), st.integers(0, 40))
def test_all_none_and_numbers_of_people(people, right, wrong):
    assume(right + wrong <= people)
    text = say.describe_people(right, wrong, people)
    found = re.fullmatch(r"Of (\S+) \w+, (\S+) (?:is|are) always right, and (\S+) (?:is|are) always wrong", text)
    assert count(found[1], people) == people
    assert [count(word, people) for word in found.groups()[1:]] == [right, wrong]
    assert ("all " in text) == (people in (right, wrong))


@given(st.integers(0, 30), st.integers(2, 30))
def test_how_many_were_evaluated(evaluated, runs):
    assume(evaluated <= runs)
    text = say.describe_evaluated(evaluated, runs)
    assert bool(text) == (evaluated > 0)
    assert text.startswith("All") == (evaluated == runs)
    if text and evaluated < runs:
        some, everyone = re.match(r"(\S+) of the (\S+) w", text).groups()
        assert (count(some.lower(), runs), count(everyone, runs)) == (evaluated, runs)


@given(st.floats(1.01, 1e4), st.floats(-0.5, 1))
def test_what_more_work_gains(times, gap):
    text = say.describe_cost(times, gap)
    assert float(text.split()[0]) == float(f"{times:.3g}")
    assert ("without a gain" in text) == (gap < 0 or points(gap) == "0.0 points")


@given(st.sampled_from(["1 s", "2 s"]), st.sampled_from(["1 s", "2 s"]))
def test_a_range_of_equal_ends_is_one_value(low, high):
    assert say.describe_range(low, high) == (low if low == high else f"{low} to {high}")


def run_facts(name: str, top1: float | None, eer: float | None) -> RunFacts:
    """A run of a recipe of its own, with these results and nothing else."""
    metrics = None
    if eer is not None:
        metrics = VerificationMetrics(
            eer=eer, auc=1 - eer, threshold=0.3, tar_at_far={}, genuine=2, impostor=3, pairs_file="p"
        )
    return RunFacts(
        run=Run(name), recipe=Recipe(epochs=ord(name[-1])), people=["a", "b"], environment=RunEnvironment(),
        metrics=RunMetrics(epoch=1, top1=top1), history=[{"epoch": 1, "top1": top1}], anatomy=None, evaluation=None,
        verification=None if metrics is None else VerificationFacts(metrics, []), name=name,
    )  # fmt: skip


def named_runs(results) -> dict[str, RunFacts]:
    return {(name := f"run_{letter}"): run_facts(name, *found) for letter, found in zip("abcde", results, strict=False)}


def study_of(runs: dict[str, RunFacts]) -> Study:
    return Study(_group(list(runs.values())))


def plain(words: Words) -> str:
    return "".join(part if isinstance(part, str) else part.text for part in words)


def named(text: str) -> set[str]:
    return set(re.findall(r"run_\w", text))


RATES = st.sampled_from([0.0, 0.1, 0.1004, 0.1005, 0.12, 0.5, 0.90001, 0.9, 1.0]) | FRACTIONS


@given(st.lists(st.tuples(RATES | st.none(), RATES | st.none()), min_size=2, max_size=5))
@example([(0.9, 0.1), (0.8, 0.2)])
@example([(0.9, 0.1), (0.8, 0.1)])
@example([(0.9, 0.2), (0.9, 0.1)])
@example([(0.9, 0.2), (0.8, 0.1)])
def test_whether_the_best_verifier_is_the_best_classifier(results):
    runs = named_runs(results)
    blocks = _verification(study_of(runs))
    verified = {name: run for name, run in runs.items() if run.verification is not None}
    assert bool(blocks) == (len(verified) > 1)
    if not blocks:
        return
    text = plain(blocks[0].words)
    start, _, rest = text.partition("lowest EER, ")
    eers = {name: percent(run.verification.metrics.eer, 2) for name, run in verified.items()}
    lowest = percent(min(run.verification.metrics.eer for run in verified.values()), 2)
    assert rest.startswith(lowest)
    best = {name for name, eer in eers.items() if eer == lowest}
    assert named(start) == best
    assert (" has the" in text) == (len(best) == 1)
    top1s = {name: percent(run.metrics.top1) for name, run in verified.items() if run.metrics.top1 is not None}
    highest = percent(max((verified[name].metrics.top1 for name in top1s), default=0))
    top = {name for name, top1 in top1s.items() if top1 == highest}
    if "the highest top-1 as well" in text:
        assert top == best
    elif "no other has a higher top-1" in text:
        assert best < top
    elif "The two skills differ" in text:
        assert named(rest) == top
        assert not best & top
    else:
        assert len(best) > 1 or len(top1s) < 2 or not best & top1s.keys()


@given(st.lists(RATES, min_size=1, max_size=5))
@example([0.9, 0.8])
@example([0.9, 0.90001])
def test_the_best_recipe_and_the_last(top1s):
    runs = named_runs([(top1, None) for top1 in top1s])
    text = plain(join(*_ranking(study_of(runs))))
    shown = {name: percent(run.metrics.top1) for name, run in runs.items()}
    best, worst = percent(max(top1s)), percent(min(top1s))
    if len(top1s) == 1:
        assert text.startswith(f"run_a classifies {best} ")
    elif text.startswith("All recipes"):
        assert best == worst
        assert f" {best} " in text
    else:
        first, last = re.fullmatch(r"The best, (run_\w), classifies .*; the last, (run_\w), .*", text).groups()
        assert (shown[first], shown[last]) == (best, worst)
        assert best != worst
        assert text.index(best) < text.index(f", {worst}. ")


@given(st.lists(RATES, min_size=1, max_size=4))
def test_the_lowest_equal_error_rate(eers):
    runs = named_runs([(0.5, eer) for eer in eers])
    text = plain(_about_verification(study_of(runs)))
    lowest = percent(min(eers), 2)
    assert (
        f"equal error rate of {lowest} on" in text if len(eers) == 1 else f"lowest equal error rate, {lowest}" in text
    )
    if len(eers) > 1:
        assert named(text) == {name for name, eer in zip(runs, eers, strict=True) if percent(eer, 2) == lowest}
