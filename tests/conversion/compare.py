"""The distance of a converted network from PyTorch's: outputs, every gradient, and the losses of training."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn as theirs

from models.from_torch import from_torch
from mytorch import nn, optim

SMALL = {np.float64: 1e-3, np.float32: 1e-2}
"""Gradients of parameters below this fraction of the largest are compared with that: some are only rounding."""


@dataclass
class Pass:
    """The outputs of a forward and the gradients of a backward."""

    outputs: list[np.ndarray]
    at_input: np.ndarray
    gradients: dict[str, np.ndarray]
    buffers: dict[str, np.ndarray]

    def errors(self, exact: "Pass", small: float) -> dict[str, float]:
        """Return the largest |mine - exact| / the largest |exact| of an array, for each kind of array."""
        least = small * max(float(np.abs(grad).max()) for grad in exact.gradients.values())
        assert self.gradients.keys() == exact.gradients.keys()
        return {
            "output": max(_error(*pair) for pair in zip(self.outputs, exact.outputs, strict=True)),
            "input": _error(self.at_input, exact.at_input),
            "parameters": max(_error(self.gradients[name], grad, least) for name, grad in exact.gradients.items()),
            "buffers": max([_error(one, exact.buffers[name]) for name, one in self.buffers.items()], default=0.0),
        }


def one_pass(
    module: theirs.Module, size: tuple[int, int], training: bool, dtype: type, seed: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the relative errors of a converted network, and those of PyTorch in the same precision.

    Exact is PyTorch in float64, from the same numbers. In float64 PyTorch's own errors are zero.
    """
    module = deepcopy(module).to(_torch_dtype(dtype)).train(training)
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2, 3, *size)).astype(dtype)
    ours = from_torch(module, x, dtype)
    assert set(ours.state_dict()) == _used(module, training)
    outputs = _as_list(ours(x))
    grads = [rng.standard_normal(y.shape).astype(dtype) for y in outputs]
    back = ours.backward(*grads)
    gradients = {name: p.grad for name, p in ours.named_parameters() if p.grad is not None}
    mine = Pass(outputs, back, gradients, dict(ours.named_buffers()))
    exact = _pytorch(deepcopy(module).double(), x, grads)
    rounded = exact if dtype == np.float64 else _pytorch(module, x, grads)
    return mine.errors(exact, SMALL[dtype]), rounded.errors(exact, SMALL[dtype])


def _pytorch(module: theirs.Module, x: np.ndarray, grads: list[np.ndarray]) -> Pass:
    dtype = next(module.parameters()).dtype
    tensor = torch.tensor(x, dtype=dtype, requires_grad=True)
    outputs = _as_list(module(tensor))
    torch.autograd.backward(outputs, [torch.from_numpy(grad).to(dtype) for grad in grads])
    gradients = {name: p.grad.numpy() for name, p in module.named_parameters() if p.grad is not None}
    buffers = {name: buffer.numpy() for name, buffer in module.named_buffers()}
    assert tensor.grad is not None
    return Pass([y.detach().numpy() for y in outputs], tensor.grad.numpy(), gradients, buffers)


def training(module: theirs.Module, size: tuple[int, int], batch: int, steps: int, seed: int) -> tuple[float, float]:
    """Return how far the losses of `steps` steps of SGD in float64 differ, and how much they change in these steps.

    Both are relative. The two libraries get the same two batches, one after the other. The learning rate is small: at
    larger ones training a new network on few images is chaotic.
    """
    module = deepcopy(module).train()
    rng = np.random.default_rng(seed)
    images, labels = rng.standard_normal((2 * batch, 3, *size)), rng.integers(0, 10, 2 * batch)
    ours, loss = from_torch(module, images[:2]), nn.CrossEntropyLoss()
    mine = optim.SGD(list(ours.parameters()), lr=3e-5, momentum=0.9, weight_decay=1e-4)
    its = torch.optim.SGD(module.parameters(), lr=3e-5, momentum=0.9, weight_decay=1e-4)
    worst, losses = 0.0, []
    for step in range(steps):
        chosen = slice(0, batch) if step % 2 else slice(batch, 2 * batch)
        outputs = _as_list(ours(images[chosen]))
        value, *others = [(float(loss(y, labels[chosen])), loss.backward()) for y in outputs]
        ours.zero_grad()
        ours.backward(value[1], *(grad for _, grad in others))
        mine.step()
        expected = sum(
            torch.nn.functional.cross_entropy(y, torch.from_numpy(labels[chosen]))
            for y in _as_list(module(torch.from_numpy(images[chosen])))
        )
        its.zero_grad()
        expected.backward()
        its.step()
        total = value[0] + sum(one for one, _ in others)
        losses.append(total)
        worst = max(worst, abs(total - expected.item()) / abs(expected.item()))
    return worst, max(abs(losses[-2] / losses[0] - 1), abs(losses[-1] / losses[1] - 1))


def _as_list(outputs: Any) -> list[Any]:
    """Return the outputs of a network as a list, without those that are None."""
    return [y for y in outputs if y is not None] if isinstance(outputs, tuple) else [outputs]


def _used(module: theirs.Module, training: bool) -> set[str]:
    """Return the names in the state of what forward uses: auxiliary heads are used in training only."""
    skips_heads = getattr(module, "aux_logits", False) and not training
    return {name for name in module.state_dict() if not (skips_heads and name.startswith(("aux1.", "aux2.")))}


def _torch_dtype(dtype: type) -> torch.dtype:
    return torch.from_numpy(np.zeros(0, dtype)).dtype


def _error(ours: np.ndarray, theirs: np.ndarray, least: float = 0.0) -> float:
    if ours.shape != theirs.shape:
        return np.inf
    largest = max(float(np.abs(theirs).max()), least, np.finfo(float).tiny)
    error = float(np.abs(ours - theirs).max()) / largest
    return np.inf if np.isnan(error) else error
