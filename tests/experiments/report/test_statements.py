"""Every sentence of a report that compares numbers is true of the numbers that the reader sees in it."""

import re

from hypothesis import assume, example, given
from hypothesis import strategies as st

from experiments.report import phrases as say
from experiments.report.phrases import decimal, percent, points

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
