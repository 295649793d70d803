"""Numbers as people read them, and sentences that compare numbers: each says what the numbers, as shown, say.

Two numbers that look the same to the reader are called equal, whatever their other digits: "falls from 0.013 to 0.013"
would be wrong.
"""

from collections.abc import Callable, Sequence

SPACE = "\N{NO-BREAK SPACE}"
NONE = "\N{EN DASH}"
"""What a table shows for a value that there is not."""

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def percent(fraction: float | None, digits: int = 1) -> str:
    """Write 0.794 as 79.4 %."""
    return NONE if fraction is None else f"{100 * fraction:.{digits}f}{SPACE}%"


def interval(bounds: Sequence[float] | None, digits: int = 1) -> str:
    """Write an interval of fractions: 74.8 to 83.6 %. Empty for None."""
    if not bounds:
        return ""
    return f"{100 * bounds[0]:.{digits}f} to {100 * bounds[1]:.{digits}f}{SPACE}%"


def points(difference: float) -> str:
    """Write the size of a difference of two fractions in percentage points."""
    return f"{abs(100 * difference):.1f} points"


def decimal(value: float | None, digits: int = 3) -> str:
    """Write a loss, or another small number."""
    return NONE if value is None else f"{value:.{digits}f}"


def setting(value: float) -> str:
    """Write a setting without needless zeros: 0.0005, 0.1, 24."""
    return f"{value:g}"


def large(value: float | None) -> str:
    """Write 2,300,000 as 2.3 M."""
    if value is None:
        return NONE
    for unit in ("", "k", "M", "G", "T"):
        if value < 999.5 or unit == "T":
            return f"{value:.3g}{SPACE}{unit}".strip()
        value /= 1000
    raise AssertionError("unreachable")


def spelled(count: int) -> str:
    """Write twelve and below in letters."""
    return _NUMBERS[count] if 0 <= count < len(_NUMBERS) else f"{count:,}"


def counted(count: int, what: str, plural: str = "") -> str:
    """Write a number of things: one run, three runs, 20 runs."""
    return f"{spelled(count)} {what if count == 1 else plural or what + 's'}"


def ordinal(count: int) -> str:
    """Write 1st, 2nd, 3rd, 11th."""
    ending = "th" if 10 <= count % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(count % 10, "th")
    return f"{count}{ending}"


def enumerated(items: Sequence[str]) -> str:
    """Write a, b and c."""
    return " and ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)


def capitalized(text: str) -> str:
    """Begin a text with a capital."""
    return text[:1].upper() + text[1:]


LEVEL_LOSS = 1.05
"""A loss up to this many times the lowest counts as level."""


def describe_change(before: float, after: float, show: Callable[[float], str] = decimal) -> str:
    """Say "falls from 0.019 to 0.013", "rises from 0.013 to 0.019", or "stays at 0.013"."""
    first, last = show(before), show(after)
    if first == last:
        return f"stays at {first}"
    return f"{'falls' if after < before else 'rises'} from {first} to {last}"


def describe_calibration(temperature: float, ece: float, tempered: float) -> str:
    """Say whether a network is over-confident, and what its temperature changes."""
    shown = decimal(temperature, 2)
    if shown == decimal(1.0, 2):
        confidence = "neither over- nor under-confident on average"
    else:
        confidence = "over-confident" if temperature > 1 else "under-confident"
    return (
        f"is {confidence}: at the temperature {shown}, its calibration error {describe_change(ece, tempered)}, and its"
        " answers stay the same."
    )


def describe_lead(gap: float) -> str:
    """Say how far the best is ahead of the second, as "It is 2.1 points of top-1 ahead of "; a name follows."""
    if points(gap) == points(0):
        return "In top-1 it is level with "
    return f"It is {points(gap)} of top-1 {'ahead of' if gap > 0 else 'behind'} "


def describe_spread(gap: float, spread: float) -> str:
    """Say whether a gap is more than twice the standard deviation over seeds."""
    verdict = "more" if gap > 2 * spread else "no more"
    return f"That is {verdict} than twice the standard deviation over seeds ({points(spread)}). "


def describe_intervals(one: Sequence[float], other: Sequence[float]) -> str:
    """Say whether two confidence intervals overlap."""
    apart = one[0] > other[1] or other[0] > one[1]
    verdict = "do not overlap" if apart else "overlap, so the order of the two is not certain"
    return f"Their intervals as evaluated, {interval(one)} and {interval(other)}, {verdict}. "


def describe_generalization(train_top1: float, top1: float) -> str:
    """Say by how much accuracy in training is above or below that in validation."""
    gap = train_top1 - top1
    if points(gap) == points(0):
        return "In the last epoch, accuracy is the same in training and in validation. "
    side = "above" if gap > 0 else "below"
    return f"In the last epoch, accuracy in training is {points(gap)} {side} that in validation. "


def describe_losses(epochs: Sequence[int], losses: Sequence[float], best_epoch: int | None) -> str:
    """Say where the validation loss is lowest, and what follows from that.

    epochs, losses: of each epoch that validated, at least two. best_epoch: the one whose weights were kept.
    """
    lowest = min(range(len(losses)), key=lambda n: losses[n])
    least, last = losses[lowest], losses[-1]
    if lowest == len(losses) - 1:
        return "The validation loss is lowest after the last epoch, so more epochs may help. "
    if decimal(least) == decimal(last):
        return (
            f"The validation loss is lowest after epoch {epochs[lowest]}, {decimal(least)}, and the same at the end. "
        )
    start = (
        f"The validation loss is lowest after epoch {epochs[lowest]}, {decimal(least)}, and {decimal(last)} at the end"
    )
    if last <= LEVEL_LOSS * least:
        return f"{start}: it has leveled out. "
    if best_epoch is not None and best_epoch > epochs[lowest]:
        return f"{start}, though the best epoch, the {ordinal(best_epoch)}, came later: errors became more confident. "
    return f"{start}: the epochs after the {ordinal(epochs[lowest])} did not help. "


def describe_kept_epoch(best_epoch: int, epoch: int, best_top1: float, top1: float) -> str:
    """Say what the kept epoch reached, where that differs from the last one; else nothing."""
    if best_epoch == epoch or percent(best_top1) == percent(top1):
        return ""
    return f"The weights kept are those of the {ordinal(best_epoch)} epoch, with {percent(best_top1)}. "


def describe_people(right: int, wrong: int, people: int) -> str:
    """Say how many people are always classified correctly, and how many never: all, none, or a number."""

    def of_them(count: int) -> str:
        name = "none" if not count else "all" if count == people else spelled(count)
        return f"{name} {'are' if count > 1 else 'is'}"

    return f"Of {counted(people, 'person', 'people')}, {of_them(right)} always right, and {of_them(wrong)} always wrong"


def describe_evaluated(evaluated: int, runs: int) -> str:
    """Say how many of several runs were evaluated further; nothing where none was."""
    if not evaluated:
        return ""
    if evaluated == runs:
        return "All were evaluated further. "
    verb = "was" if evaluated == 1 else "were"
    return f"{capitalized(spelled(evaluated))} of the {spelled(runs)} {verb} evaluated further. "


def describe_cost(times: float, gap: float) -> str:
    """Say how much more the best network computes than the lightest, and what that buys."""
    gain = "without a gain in top-1" if points(gap) == points(0) or gap < 0 else f"for {points(gap)} of top-1"
    return f"{times:.3g} times as many, {gain}"


def describe_range(lowest: str, highest: str) -> str:
    """Say "2 s to 5 s", or only "2 s" where both look the same."""
    return lowest if lowest == highest else f"{lowest} to {highest}"
