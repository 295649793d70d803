"""Checks that any layer gets: one plain pass for each size, then edge cases from real training loops."""

import dataclasses
import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from autograder.checks import oracle
from autograder.checks.case import BIAS, EDGES, FORWARD, INPUT, NON_SQUARE, WEIGHT, Case, Expectation, Guess, Guesses
from autograder.script import Kept, Laid, Script
from autograder.wire import Array
from mytorch.explain.case import Window

_PART = {"W": WEIGHT, "b": BIAS, "BW": WEIGHT, "Bb": BIAS, "beta": WEIGHT}


@dataclasses.dataclass(frozen=True)
class Values:
    """The arrays of one pass: inputs and expected results."""

    inputs: dict[str, Array]  # A, and each parameter by its name
    dLdZ: Array
    Z: Array
    gradients: dict[str, Array]  # of each input

    @property
    def A(self) -> Array:
        """The layer's input."""
        return self.inputs["A"]


@dataclasses.dataclass(frozen=True)
class Layer:
    """One way to construct and use a layer.

    args: the constructor's arguments. shape: the input's. function: the layer in PyTorch, of tensors A, W, b, ...
    parameters: name: shape. inner: the attribute that holds them, such as Conv1d's conv1d_stride1; "" for the layer.
    guesses: for these values, the results of common mistakes, under Z, dLdA, dLdW, ...
    sample: draws the input, standard normal by default.
    batch_mean: whether the parameters' gradients are divided by the batch size, as in an old dialect.
    derivative: whether backward takes no argument and returns the derivative, as in an old dialect.
    affine: whether `function` is affine in each of its inputs and takes NumPy arrays too, so that PyTorch isn't needed.
    window: how its windows move, so that a failed case can be drawn.
    """

    name: str
    args: tuple[Any, ...]
    shape: tuple[int, ...]
    function: oracle.Function
    parameters: Mapping[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)
    inner: str = ""
    guesses: Callable[[Values], Mapping[str, Guesses]] | None = None
    sample: Callable[[np.random.Generator, tuple[int, ...]], Array] | None = None
    remark: str = ""
    batch_mean: bool = False
    derivative: bool = False
    affine: bool = False
    window: Window | None = None

    def __str__(self) -> str:
        text = f"{self.name}({', '.join(map(str, self.args))}) on {oracle.sizes(self.shape)}"
        return f"{text}, {self.remark}" if self.remark else text

    def with_batch(self, batch: int) -> "Layer":
        """The same layer for another batch size."""
        return dataclasses.replace(self, shape=(batch, *self.shape[1:]))

    def draw(self, generator: np.random.Generator) -> Values:
        """Draw the arrays of one pass."""
        sample = self.sample or (lambda g, shape: oracle.draw(g, *shape))
        inputs = {"A": sample(generator, self.shape)}
        inputs |= {name: oracle.draw(generator, *shape) for name, shape in self.parameters.items()}
        Z = self._value(inputs)
        dLdZ = oracle.draw(generator, *Z.shape)
        if self.derivative:
            dLdZ = np.ones_like(dLdZ)
        return self.values(inputs, dLdZ)

    def values(self, inputs: dict[str, Array], dLdZ: Array) -> Values:
        """The expected results for these arrays."""
        gradients = oracle.affine_gradients if self.affine else oracle.gradients
        found = gradients(self.function, inputs, dLdZ)
        if self.batch_mean:
            found = {name: array if name == "A" else array / len(inputs["A"]) for name, array in found.items()}
        return Values(inputs, dLdZ, self._value(inputs), found)

    def _value(self, inputs: dict[str, Array]) -> Array:
        return np.array(self.function(inputs)) if self.affine else oracle.value(self.function, inputs)

    def backward(self, script: Script, on: str, dLdZ: Any, out: str = "") -> None:
        """Add the step that calls backward."""
        script.call(on, "backward", *([] if self.derivative else [dLdZ]), out=out)

    def path(self, attribute: str) -> str:
        """The path of an attribute of the layer that holds the parameters."""
        return f"{self.inner}.{attribute}" if self.inner else attribute

    def give(self, script: Script, on: str, values: Values) -> None:
        """Add the steps that replace the parameters."""
        for name in self.parameters:
            script.set(on, self.path(name), values.inputs[name])

    def read(self, script: Script, on: str, suffix: str = "") -> None:
        """Add the steps that read the parameters' gradients."""
        for name in self.parameters:
            script.get(on, self.path(f"dLd{name}"), f"dLd{name}{suffix}")

    def expectations(self, values: Values, part: str = "", suffix: str = "", **more: Any) -> dict[str, Expectation]:
        """Of Z, dLdA and the parameters' gradients: each belongs to its main part, or needs it if `part` is given."""
        guesses = dict(self.guesses(values)) if self.guesses else {}
        expected = {"Z": (FORWARD, values.Z)} | {
            f"dLd{name}": (_PART.get(name, INPUT), gradient) for name, gradient in values.gradients.items()
        }
        return {
            out + suffix: Expectation(
                out, part or own, value, guesses.get(out, {}), needs=(own,) if part else (), **more
            )
            for out, (own, value) in expected.items()
        }

    @property
    def is_square(self) -> bool:
        """Whether height and width are equal, or the layer does not tell them apart."""
        return "2d" not in self.name or self.shape[2] == self.shape[3]


def generator(seed: int, name: str) -> np.random.Generator:
    """A random generator for one class's checks: its numbers do not depend on which other checks run."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def given(array: Array) -> Guess:
    """A guess whose array is known already."""
    return lambda: array


def plain(layer: Layer, values: Values, part: str = "") -> Case:
    """Forward and backward once; compare everything. A non-square input has a part of its own."""
    part = part or ("" if layer.is_square else NON_SQUARE)
    script = Script().new("layer", layer.name, *layer.args)
    layer.give(script, "layer", values)
    script.keep("A", values.A).call("layer", "forward", Kept("A"), out="Z")
    layer.backward(script, "layer", values.dLdZ, "dLdA")
    layer.read(script, "layer")
    expected = layer.expectations(values, part)
    return Case(str(layer), script, expected, math.prod(layer.shape), batch=layer.shape[0], window=layer.window)


def edges(layer: Layer, g: np.random.Generator, skip: Sequence[str] = ()) -> list[Case]:
    """The layer as a training loop uses it, one aspect per case; `skip` names aspects that do not apply to it."""
    cases = [_repeated(layer, g), _unchanged(layer, g), _two_at_once(layer, g), _kept_safe(layer, g)]
    cases += [_float32(layer, g), _layout(layer, g, "gaps"), _layout(layer, g, "F")]
    if layer.parameters:
        cases.append(_replaced(layer, g))
    return [case for case in cases if case.aspect not in skip]


def _case(layer: Layer, aspect: str, words: str, script: Script, expected: dict[str, Expectation]) -> Case:
    return Case(f"{layer}, {words}", script, expected, math.prod(layer.shape), aspect, layer.shape[0], layer.window)


def _repeated(layer: Layer, g: np.random.Generator) -> Case:
    """Two batches of different sizes through one layer; the second result must not depend on the first."""
    first, second = layer.draw(g), layer.with_batch(layer.shape[0] + 1).draw(g)
    second = _same_parameters(layer.with_batch(layer.shape[0] + 1), first, second)
    script = Script().new("layer", layer.name, *layer.args)
    layer.give(script, "layer", first)
    for values, suffix in ((first, "_1"), (second, "")):
        script.call("layer", "forward", values.A, out=f"Z{suffix}")
        layer.backward(script, "layer", values.dLdZ, f"dLdA{suffix}")
        layer.read(script, "layer", suffix)
    expected = layer.expectations(second, EDGES)
    for name in layer.parameters:
        total = first.gradients[name] + second.gradients[name]
        known = expected[f"dLd{name}"]
        expected[f"dLd{name}"] = dataclasses.replace(known, guesses={"accumulated": given(total)})
    return _case(layer, "repeated", "then again with another batch", script, expected)


def _same_parameters(layer: Layer, first: Values, second: Values) -> Values:
    """The values of the second batch, with the parameters of the first."""
    return layer.values({**first.inputs, "A": second.A}, second.dLdZ)


def _replaced(layer: Layer, g: np.random.Generator) -> Case:
    """Parameters replaced from outside between two passes, as an optimizer does."""
    first, second = layer.draw(g), layer.draw(g)
    script = Script().new("layer", layer.name, *layer.args)
    layer.give(script, "layer", first)
    script.call("layer", "forward", first.A)
    layer.give(script, "layer", second)
    script.call("layer", "forward", second.A, out="Z")
    layer.backward(script, "layer", second.dLdZ, "dLdA")
    layer.read(script, "layer")
    return _case(layer, "replaced", "after its parameters were replaced", script, layer.expectations(second, EDGES))


def _unchanged(layer: Layer, g: np.random.Generator) -> Case:
    """The arrays that the layer gets are unchanged afterwards."""
    values = layer.draw(g)
    script = Script().new("layer", layer.name, *layer.args)
    layer.give(script, "layer", values)
    script.keep("A", values.A).keep("dLdZ", values.dLdZ)
    script.call("layer", "forward", Kept("A")).get("A", "", "A_forward")
    layer.backward(script, "layer", Kept("dLdZ"))
    script.get("A", "", "A").get("dLdZ", "", "dLdZ")
    what = {"A_forward": "A after forward", "A": "A after backward", "dLdZ": "dLdZ after backward"}
    expected = {
        out: Expectation(words, EDGES, values.dLdZ if out == "dLdZ" else values.A, exact=True)
        for out, words in what.items()
    }
    return _case(layer, "input_changed", "the input afterwards", script, expected)


def _two_at_once(layer: Layer, g: np.random.Generator) -> Case:
    """Two layers of one class in one network: both forward, then both backward."""
    first, second = layer.draw(g), layer.draw(g)
    script = Script()
    for on, values in (("one", first), ("two", second)):
        script.new(on, layer.name, *layer.args)
        layer.give(script, on, values)
    script.call("one", "forward", first.A, out="Z_one").call("two", "forward", second.A, out="Z_two")
    layer.backward(script, "two", second.dLdZ, "dLdA_two")
    layer.backward(script, "one", first.dLdZ, "dLdA_one")
    layer.read(script, "one", "_one")
    layer.read(script, "two", "_two")
    expected = layer.expectations(first, EDGES, "_one") | layer.expectations(second, EDGES, "_two")
    return _case(layer, "shared_state", "two layers of this class", script, expected)


def _kept_safe(layer: Layer, g: np.random.Generator) -> Case:
    """Two forwards before one backward; backward belongs to the second."""
    first, second = layer.with_batch(layer.shape[0] + 1).draw(g), layer.draw(g)
    script = Script().new("layer", layer.name, *layer.args)
    layer.give(script, "layer", second)
    script.call("layer", "forward", first.A).call("layer", "forward", second.A, out="Z")
    layer.backward(script, "layer", second.dLdZ, "dLdA")
    layer.read(script, "layer")
    return _case(layer, "state_kept", "forward twice, then backward", script, layer.expectations(second, EDGES))


def _float32(layer: Layer, g: np.random.Generator) -> Case:
    """A network in float32."""
    drawn = layer.draw(g)
    single = {name: array.astype(np.float32) for name, array in drawn.inputs.items()}
    upstream = drawn.dLdZ.astype(np.float32)
    exact = {name: array.astype(np.float64) for name, array in single.items()}
    right = layer.values(exact, upstream.astype(np.float64))
    values = dataclasses.replace(right, inputs=single, dLdZ=upstream)
    script = Script().new("layer", layer.name, *layer.args)
    layer.give(script, "layer", values)
    script.call("layer", "forward", values.A, out="Z")
    layer.backward(script, "layer", upstream, "dLdA")
    layer.read(script, "layer")
    expected = dataclasses.replace(layer, guesses=None).expectations(values, EDGES, types="float32")
    return _case(layer, "float32_input", "in float32", script, expected)


def _layout(layer: Layer, g: np.random.Generator, layout: str) -> Case:
    """Arrays that are views, such as slices and transposes."""
    values = layer.draw(g)
    script = Script().new("layer", layer.name, *layer.args)
    layer.give(script, "layer", values)
    script.call("layer", "forward", Laid(values.A, layout), out="Z")
    layer.backward(script, "layer", Laid(values.dLdZ, layout), "dLdA")
    layer.read(script, "layer")
    words = {"gaps": "on a slice of a larger array", "F": "on an array in Fortran order"}[layout]
    return _case(layer, "layout", words, script, layer.expectations(values, EDGES))
