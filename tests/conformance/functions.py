"""The adapters of plain functions, which mytorch has as layers for `nn.Graph`."""

from typing import Any

import torch

from tests.conformance.adapters import Case, adapter, maker

ARITHMETIC = {"add": "Add", "sub": "Subtract", "mul": "Multiply", "div": "Divide", "true_divide": "Divide"}


@adapter(*ARITHMETIC)
def _arithmetic(name: str, input: Any, other: Any, alpha: float = 1, rounding_mode: Any = None) -> Case:
    if rounding_mode is not None:
        raise ValueError(f"rounding_mode={rounding_mode!r}: mytorch divides without rounding")
    if isinstance(other, torch.Tensor) and alpha == 1:
        return Case(maker(ARITHMETIC[name])(), (input, other))
    if isinstance(other, torch.Tensor):
        raise ValueError(f"alpha={alpha}: Scale the other operand first")
    factor, offset = {
        "add": (1.0, alpha * other), "sub": (1.0, -alpha * other), "mul": (other, 0.0), "div": (1 / other, 0.0),
        "true_divide": (1 / other, 0.0),
    }[name]  # fmt: skip
    return Case(maker("Scale")(factor, offset), (input,))


POWERS = {"sqrt": 0.5, "square": 2.0, "reciprocal": -1.0, "rsqrt": -0.5}


@adapter(*POWERS)
def _power(name: str, input: Any) -> Case:
    return Case(maker("Power")(POWERS[name]), (input,))


@adapter("abs", "exp", "log")
def _function(name: str, input: Any) -> Case:
    return Case(maker(name.title())(), (input,))


@adapter("neg")
def _neg(name: str, input: Any) -> Case:
    return Case(maker("Scale")(-1.0), (input,))


@adapter("matmul", "mm", "bmm")
def _matmul(name: str, input: Any, other: Any) -> Case:
    return Case(maker("Matmul")(), (input, other))


@adapter("nn.functional.normalize")
def _normalize(name: str, input: Any, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Case:
    if p != 2:
        raise ValueError(f"p={p}: mytorch divides by the Euclidean length")
    return Case(maker("Normalize")(dim, eps), (input,))


@adapter("cat")
def _cat(name: str, tensors: Any, dim: int = 0) -> Case:
    return Case(maker("Concatenate")(dim), tuple(tensors))


@adapter("mean", "sum")
def _reduction(name: str, input: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Case:
    every = isinstance(dim, tuple) and not dim  # no axes mean all of them in PyTorch
    return Case(maker(name.title())(None if every else dim, keepdim), (input,))


@adapter("squeeze")
def _squeeze(name: str, input: Any, dim: Any = None) -> Case:
    return Case(maker("Squeeze")(dim), (input,))


@adapter("unsqueeze")
def _unsqueeze(name: str, input: Any, dim: int) -> Case:
    return Case(maker("Unsqueeze")(dim), (input,))


@adapter("expand", "broadcast_to")
def _expand(name: str, input: Any, *shape: Any) -> Case:
    return Case(maker("Expand")(shape[0] if shape and isinstance(shape[0], tuple | list) else shape), (input,))


@adapter("flip")
def _flip(name: str, input: Any, dims: Any) -> Case:
    return Case(maker("Flip")(dims), (input,))


@adapter("index_select")
def _index_select(name: str, input: Any, dim: int, index: Any) -> Case:
    return Case(maker("IndexSelect")(dim, index.reshape(-1).tolist()), (input,))


@adapter("permute")
def _permute(name: str, input: Any, *dims: Any) -> Case:
    return Case(maker("Permute")(dims[0] if isinstance(dims[0], tuple | list) else dims), (input,))


@adapter("transpose")
def _transpose(name: str, input: Any, dim0: int, dim1: int) -> Case:
    return Case(maker("Transpose")(dim0, dim1), (input,))


@adapter("reshape", "view")
def _reshape(name: str, input: Any, *shape: Any) -> Case:
    return Case(maker("Reshape")(shape[0] if shape and isinstance(shape[0], tuple | list) else shape), (input,))


@adapter("flatten")
def _flatten(name: str, input: Any, start_dim: int = 0, end_dim: int = -1) -> Case:
    return Case(maker("Flatten")(start_dim, end_dim), (input,))


@adapter("chunk")
def _chunk(name: str, input: Any, chunks: int, dim: int = 0) -> Case:
    return Case(maker("Chunk")(chunks, dim), (input,))


@adapter("split", "split_with_sizes")
def _split(name: str, input: Any, split_size: Any, dim: int = 0) -> Case:
    return Case(maker("Split")(split_size, dim), (input,))
