"""How any layer is exercised: once plainly for each size, and then in the ways in which layers are really used."""

import dataclasses
import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from autograder.checks import oracle
from autograder.checks.case import BIAS, EDGES, FORWARD, INPUT, WEIGHT, Case, Expectation, Guess, Guesses
from autograder.script import Kept, Laid, Script
from autograder.wire import Array

_PART = {"W": WEIGHT, "b": BIAS, "BW": WEIGHT, "Bb": BIAS, "beta": WEIGHT}


@dataclasses.dataclass(frozen=True)
class Values:
    """The numbers of one pass: what goes in, and what should come out."""

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

    args: as the constructor takes them. shape: of the input. function: the layer in PyTorch, of tensors A, W, b...
    parameters: name: shape. inner: the attribute that holds them, as Conv1d's conv1d_stride1 does; "" for the layer.
    guesses: for these values, what usual mistakes would have given, under Z, dLdA, dLdW, ...
    sample: draws the input; standard normal where it is not given.
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

    def __str__(self) -> str:
        text = f"{self.name}({', '.join(map(str, self.args))}) on {oracle.sizes(self.shape)}"
        return f"{text}, {self.remark}" if self.remark else text

    def with_batch(self, batch: int) -> "Layer":
        """The same for another number of samples."""
        return dataclasses.replace(self, shape=(batch, *self.shape[1:]))

    def draw(self, generator: np.random.Generator) -> Values:
        """Numbers for one pass."""
        sample = self.sample or (lambda g, shape: oracle.draw(g, *shape))
        inputs = {"A": sample(generator, self.shape)}
        inputs |= {name: oracle.draw(generator, *shape) for name, shape in self.parameters.items()}
        Z = oracle.value(self.function, inputs)
        dLdZ = oracle.draw(generator, *Z.shape)
        return Values(inputs, dLdZ, Z, oracle.gradients(self.function, inputs, dLdZ))

    def path(self, attribute: str) -> str:
        """Where an attribute of the one that holds the parameters is found."""
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
        """Of Z, dLdA and the parameters' gradients, each for its own part unless `part` is given."""
        guesses = dict(self.guesses(values)) if self.guesses else {}
        expected = {"Z": (FORWARD, values.Z)} | {
            f"dLd{name}": (_PART.get(name, INPUT), gradient) for name, gradient in values.gradients.items()
        }
        return {
            out + suffix: Expectation(out, part or own, value, guesses.get(out, {}), **more)
            for out, (own, value) in expected.items()
        }


def generator(seed: int, name: str) -> np.random.Generator:
    """A generator for one class's checks, so that no check's numbers depend on which others are run."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def given(array: Array) -> Guess:
    """A guess that is known already."""
    return lambda: array


def plain(layer: Layer, values: Values) -> Case:
    """Forward and backward once, everything looked at."""
    script = Script().new("layer", layer.name, *layer.args)
    layer.give(script, "layer", values)
    script.keep("A", values.A).call("layer", "forward", Kept("A"), out="Z")
    script.call("layer", "backward", values.dLdZ, out="dLdA")
    layer.read(script, "layer")
    return Case(str(layer), script, layer.expectations(values), math.prod(layer.shape), batch=layer.shape[0])


def edges(layer: Layer, g: np.random.Generator, skip: Sequence[str] = ()) -> list[Case]:
    """The layer as a training loop uses it, one aspect a case; `skip` names aspects that make no sense for it."""
    cases = [_repeated(layer, g), _unchanged(layer, g), _two_at_once(layer, g), _called(layer, g), _kept_safe(layer, g)]
    cases += [_float32(layer, g), _layout(layer, g, "gaps"), _layout(layer, g, "F")]
    if layer.parameters:
        cases.append(_replaced(layer, g))
    return [case for case in cases if case.aspect not in skip]


def _case(layer: Layer, aspect: str, words: str, script: Script, expected: dict[str, Expectation]) -> Case:
    return Case(f"{layer}, {words}", script, expected, math.prod(layer.shape), aspect, layer.shape[0])


def _repeated(layer: Layer, g: np.random.Generator) -> Case:
    """Two batches of different sizes through one layer; the second's results must not remember the first's."""
    first, second = layer.draw(g), layer.with_batch(layer.shape[0] + 1).draw(g)
    second = _same_parameters(layer.with_batch(layer.shape[0] + 1), first, second)
    script = Script().new("layer", layer.name, *layer.args)
    layer.give(script, "layer", first)
    for values, suffix in ((first, "_1"), (second, "")):
        script.call("layer", "forward", values.A, out=f"Z{suffix}")
        script.call("layer", "backward", values.dLdZ, out=f"dLdA{suffix}")
        layer.read(script, "layer", suffix)
    expected = layer.expectations(second, EDGES)
    for name in layer.parameters:
        total = first.gradients[name] + second.gradients[name]
        known = expected[f"dLd{name}"]
        expected[f"dLd{name}"] = dataclasses.replace(known, guesses={"accumulated": given(total)})
    return _case(layer, "repeated", "then again with another batch", script, expected)


def _same_parameters(layer: Layer, first: Values, second: Values) -> Values:
    """The second batch's values, with the first's parameters."""
    inputs = {**first.inputs, "A": second.A}
    return Values(
        inputs,
        second.dLdZ,
        oracle.value(layer.function, inputs),
        oracle.gradients(layer.function, inputs, second.dLdZ),
    )


def _replaced(layer: Layer, g: np.random.Generator) -> Case:
    """Parameters replaced from outside between two passes, as an optimiser does."""
    first, second = layer.draw(g), layer.draw(g)
    script = Script().new("layer", layer.name, *layer.args)
    layer.give(script, "layer", first)
    script.call("layer", "forward", first.A, out="Z_1").call("layer", "backward", first.dLdZ, out="dLdA_1")
    layer.give(script, "layer", second)
    script.call("layer", "forward", second.A, out="Z").call("layer", "backward", second.dLdZ, out="dLdA")
    layer.read(script, "layer")
    return _case(layer, "replaced", "after its parameters were replaced", script, layer.expectations(second, EDGES))


def _unchanged(layer: Layer, g: np.random.Generator) -> Case:
    """What is handed in is still the same afterwards."""
    values = layer.draw(g)
    script = Script().new("layer", layer.name, *layer.args)
    layer.give(script, "layer", values)
    script.keep("A", values.A).keep("dLdZ", values.dLdZ)
    script.call("layer", "forward", Kept("A")).get("A", "", "A_forward")
    script.call("layer", "backward", Kept("dLdZ")).get("A", "", "A").get("dLdZ", "", "dLdZ")
    what = {"A_forward": "A after forward", "A": "A after backward", "dLdZ": "dLdZ after backward"}
    expected = {
        out: Expectation(words, EDGES, values.dLdZ if out == "dLdZ" else values.A, exact=True)
        for out, words in what.items()
    }
    return _case(layer, "input_changed", "looking at the input afterwards", script, expected)


def _two_at_once(layer: Layer, g: np.random.Generator) -> Case:
    """Two layers of one class in one network: both forward, then both backward."""
    first, second = layer.draw(g), layer.draw(g)
    script = Script()
    for on, values in (("one", first), ("two", second)):
        script.new(on, layer.name, *layer.args)
        layer.give(script, on, values)
    script.call("one", "forward", first.A, out="Z_one").call("two", "forward", second.A, out="Z_two")
    script.call("two", "backward", second.dLdZ, out="dLdA_two").call("one", "backward", first.dLdZ, out="dLdA_one")
    layer.read(script, "one", "_one")
    layer.read(script, "two", "_two")
    expected = layer.expectations(first, EDGES, "_one") | layer.expectations(second, EDGES, "_two")
    return _case(layer, "shared_state", "two of them at once", script, expected)


def _kept_safe(layer: Layer, g: np.random.Generator) -> Case:
    """Two forwards before one backward, which belongs to the later."""
    first, second = layer.with_batch(layer.shape[0] + 1).draw(g), layer.draw(g)
    script = Script().new("layer", layer.name, *layer.args)
    layer.give(script, "layer", second)
    script.call("layer", "forward", first.A).call("layer", "forward", second.A, out="Z")
    script.call("layer", "backward", second.dLdZ, out="dLdA")
    layer.read(script, "layer")
    return _case(layer, "state_kept", "forward twice, then backward", script, layer.expectations(second, EDGES))


def _called(layer: Layer, g: np.random.Generator) -> Case:
    """layer(A), which is its forward."""
    values = layer.draw(g)
    script = Script().new("layer", layer.name, *layer.args)
    layer.give(script, "layer", values)
    script.call("layer", "", values.A, out="Z").call("layer", "backward", values.dLdZ, out="dLdA")
    return _case(
        layer, "not_callable", "called as layer(A)", script,
        {out: e for out, e in layer.expectations(values, EDGES).items() if out in ("Z", "dLdA")},
    )  # fmt: skip


def _float32(layer: Layer, g: np.random.Generator) -> Case:
    """A network in float32."""
    drawn = layer.draw(g)
    single = {name: array.astype(np.float32) for name, array in drawn.inputs.items()}
    upstream = drawn.dLdZ.astype(np.float32)
    exact = {name: array.astype(np.float64) for name, array in single.items()}
    values = Values(
        single,
        upstream,
        oracle.value(layer.function, exact),
        oracle.gradients(layer.function, exact, upstream.astype(np.float64)),
    )
    script = Script().new("layer", layer.name, *layer.args)
    layer.give(script, "layer", values)
    script.call("layer", "forward", values.A, out="Z").call("layer", "backward", upstream, out="dLdA")
    layer.read(script, "layer")
    expected = dataclasses.replace(layer, guesses=None).expectations(values, EDGES, types="float32")
    return _case(layer, "float32_input", "in float32", script, expected)


def _layout(layer: Layer, g: np.random.Generator, layout: str) -> Case:
    """Arrays that are views of others, as slices and transposes are."""
    values = layer.draw(g)
    script = Script().new("layer", layer.name, *layer.args)
    layer.give(script, "layer", values)
    script.call("layer", "forward", Laid(values.A, layout), out="Z")
    script.call("layer", "backward", Laid(values.dLdZ, layout), out="dLdA")
    layer.read(script, "layer")
    words = {"gaps": "on a slice of a larger array", "F": "on an array in Fortran order"}[layout]
    return _case(layer, "layout", words, script, layer.expectations(values, EDGES))
