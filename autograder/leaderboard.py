"""How fast a submission's CNN computes, and how well it learns within a time budget.

Both are measured from outside: the keeper's clock is out of the submission's reach, and the labels of the test set stay
in the grader. A speed counts only if the computed values are right.
"""

import dataclasses
import functools
import secrets
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from autograder import reference
from autograder.bounded import BoundedError, call
from autograder.checks.case import Case
from autograder.checks.networks import Shape
from autograder.discovery import Found, find
from autograder.result import Standing
from autograder.rubric import Rubric, Test
from autograder.running import Run, run
from autograder.sandbox.host import Sandbox
from autograder.script import Fill, Kept, Made, Script
from autograder.submission import SubmissionError, staged
from autograder.text import line
from autograder.wire import Array

CLASSES = ("CNN", "CrossEntropyLoss", "ReLU", "Tanh")
_SPEED = Shape(32, 64, (3, 16, 32), (5, 5), (2, 2), 10, ("ReLU", "Tanh"), lr=0.05)
_LEARN = Shape(32, 32, (3, 8, 16), (5, 3), (2, 2), 4, ("ReLU", "Tanh"), lr=0.2)
_STEPS, _LONG = (4, 100), 0.5  # training steps whose time is taken: more if the first take less than so many seconds
_TRAIN, _TEST, _EPOCHS = 512, 512, 60
_NOISE, _WIDTH = 0.5, 10  # of the patterns that are learned
_CLOSE = 1e-6


@dataclasses.dataclass(frozen=True)
class Ranked:
    """A submission and where it is on the leaderboard; its reason says why it is on none."""

    name: str
    standing: Standing


def rank(
    sources: Sequence[Path],
    rubric: Rubric,
    seconds: float,
    seed: int | None = None,
    tell: Callable[[Ranked, int, int], None] = lambda ranked, done, total: None,
) -> tuple[list[Ranked], Standing]:
    """Measure a class one after the other, as a busy machine is slower; and our own solution in the same way.

    The most accurate is first, of equals the fastest. Whatever is wrong with one, the others are measured.
    """
    seed = secrets.randbelow(1 << 32) if seed is None else seed
    with tempfile.TemporaryDirectory() as room:
        reference.copy(Path(room, "reference"))
        ours = of(Path(room, "reference"), rubric, seconds, seed)
    found = []
    for done, source in enumerate(sources, 1):
        try:
            standing = of(source, rubric, seconds, seed)
        except Exception as error:
            standing = Standing(reason=f"the grader failed: {type(error).__name__}: {error}")
        found.append(Ranked(line(source.name), standing))
        tell(found[-1], done, len(sources))
    return sorted(found, key=_order), ours


def of(source: Path, rubric: Rubric, seconds: float, seed: int) -> Standing:
    """The standing of one submission. SandboxError where the sandbox fails."""
    try:
        if source.is_symlink():
            raise SubmissionError("a link, which is not followed")
        with staged(source) as folder:
            found = call(find, folder, frozenset(CLASSES))
            with Sandbox(folder, rubric.forbidden, rubric.libraries) as box:
                return measure(found, box, seconds, seed)
    except (SubmissionError, BoundedError) as error:
        return Standing(reason=str(error))


def measure(found: Found, box: Sandbox, seconds: float, seed: int) -> Standing:
    """Speed, in samples a second through forward, backward and step; and accuracy on new samples after `seconds`."""
    if "CNN" not in found.classes:
        return Standing(reason=f"CNN was not found; {found.where()}")
    speed, slow = _speed(found, box, seconds, seed)
    accuracy, epochs, wrong = _accuracy(found, box, seconds, seed)
    reason = "; ".join(text for text in (slow, wrong) if text)
    return Standing(speed=speed, accuracy=accuracy, epochs=epochs, reason=reason)


def _speed(found: Found, box: Sandbox, seconds: float, seed: int) -> tuple[float | None, str]:
    """Samples a second, or why there is none. What else the worker does is measured without a step, and subtracted."""
    idle, _, why = _timed(found, box, seconds, seed, 0)
    if idle is None:
        return None, why
    speed = 0.0
    for steps in _STEPS:
        busy, logits, why = _timed(found, box, seconds, seed, steps)
        if busy is None or logits is None:
            return None, why
        right = _trained(seed, steps)
        if logits.shape != right.shape or not np.allclose(logits, right, rtol=_CLOSE, atol=_CLOSE):
            return None, "speed: the network computes wrong values"
        speed = steps * _SPEED.batch / max(busy - idle, 1e-3)
        if busy - idle > _LONG:
            break
    return round(speed, 1), ""


def _timed(found: Found, box: Sandbox, seconds: float, seed: int, steps: int) -> tuple[float | None, Array | None, str]:
    """The seconds of so many training steps, and the logits after them; or why not."""
    g, script = np.random.default_rng(seed), Script()
    A, Y, weights = _speed_task(g)
    _SPEED.set(_SPEED.new(script), weights)
    script.keep("A", A).keep("Y", Y)
    for _ in range(steps):
        _step(script, "A", "Y")
    script.call("model", "forward", Kept("A"), out="Z")
    ran = _ran(script, found, box, seconds)
    if (0, "Z") not in ran.results:
        return None, None, f"speed: {_why(ran)}"
    arrays = ran.results[0, "Z"][1]
    return ran.seconds, arrays[0] if arrays else np.zeros(0), ""


def _speed_task(g: np.random.Generator) -> tuple[Array, Array, dict[str, Array]]:
    A = g.standard_normal((_SPEED.batch, _SPEED.channels[0], _SPEED.width))
    Y = np.eye(_SPEED.classes)[g.integers(0, _SPEED.classes, _SPEED.batch)]
    return A, Y, {name: g.standard_normal(shape) / 10 for name, shape in _SPEED.shapes().items()}


@functools.lru_cache(maxsize=8)
def _trained(seed: int, steps: int) -> Array:
    """The right logits after the training steps, by PyTorch."""
    from autograder.checks import oracle

    A, Y, weights = _speed_task(np.random.default_rng(seed))
    for _ in range(steps):
        gradients = _SPEED.gradients(weights, A, Y)
        weights = {name: value - _SPEED.lr * gradients[name] for name, value in weights.items()}
    return oracle.value(_SPEED.forward, {**weights, "A": A})


def _accuracy(found: Found, box: Sandbox, seconds: float, seed: int) -> tuple[float | None, int, str]:
    """The fraction of new samples that are classified rightly after the last epoch in time, and how many epochs."""
    g, script = np.random.default_rng(seed), Script()
    templates = g.standard_normal((_LEARN.classes, _LEARN.channels[0], _WIDTH)) * 1.5
    train, labels = _samples(templates, _TRAIN, g)
    test, answers = _samples(templates, _TEST, g)
    conv, bias, linear = 0.1, 0.7, 1.3
    script.new(
        "model", "CNN", _LEARN.width, _LEARN.channels[0], list(_LEARN.channels[1:]), list(_LEARN.kernels),
        list(_LEARN.strides), _LEARN.classes, [Made(name) for name in _LEARN.activations],
        Fill(conv), Fill(bias), Fill(linear), Made("CrossEntropyLoss"), _LEARN.lr,
    )  # fmt: skip
    batches = range(0, _TRAIN, _LEARN.batch)
    for first in batches:
        script.keep(f"A{first}", train[first : first + _LEARN.batch])
        script.keep(f"Y{first}", np.eye(_LEARN.classes)[labels[first : first + _LEARN.batch]])
    script.keep("test", test)
    for epoch in range(_EPOCHS):
        for first in batches:
            _step(script, f"A{first}", f"Y{first}")
        script.call("model", "forward", Kept("test"), out=f"Z{epoch}")
    ran = _ran(script, found, box, seconds)
    done = [epoch for epoch in range(_EPOCHS) if (0, f"Z{epoch}") in ran.results]
    if not done:
        return None, 0, f"accuracy: {_why(ran)}"
    arrays = ran.results[0, f"Z{done[-1]}"][1]
    if not arrays or arrays[0].shape != (_TEST, _LEARN.classes) or not np.isfinite(arrays[0]).all():
        return None, len(done), "accuracy: the network's output is not a finite number for each sample and class"
    return round(float(np.mean(arrays[0].argmax(1) == answers)), 4), len(done), ""


def _samples(templates: Array, count: int, g: np.random.Generator) -> tuple[Array, Array]:
    """Noise with a class's pattern at a random place, and the classes."""
    labels = g.integers(0, len(templates), count)
    samples = g.standard_normal((count, templates.shape[1], _LEARN.width)) * _NOISE
    for sample, label, start in zip(samples, labels, g.integers(0, _LEARN.width - _WIDTH + 1, count), strict=True):
        sample[:, start : start + _WIDTH] += templates[label]
    return samples, labels


def _step(script: Script, inputs: str, labels: str) -> None:
    """One training step."""
    script.call("model", "zero_grads").call("model", "forward", Kept(inputs))
    script.call("model", "backward", Kept(labels)).call("model", "step")


def _ran(script: Script, found: Found, box: Sandbox, seconds: float) -> Run:
    """The script, run within so many seconds."""
    case = Case("leaderboard", script, {}, 0)
    test = Test.model_validate({"name": "leaderboard", "check": "CNN", "parts": {"forward": 0}, "seconds": seconds})
    return run([case], CLASSES, test, found, box)


def _why(ran: Run) -> str:
    """Why there is no result."""
    error = ran.errors.get(0) or ran.errors.get(-1)
    if ran.stopped:
        return ran.stopped
    return f"{error['step']} raised {error['type']}: {error['message']}" if error else "nothing was returned"


def _order(ranked: Ranked) -> tuple[float, float, str]:
    standing = ranked.standing
    return -(standing.accuracy or -1.0), -(standing.speed or 0.0), ranked.name
