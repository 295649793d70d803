"""Functions of one array as layers, for `Graph`: a scale and an offset, lengths, axes and parts."""

from collections.abc import Sequence
from math import prod
from types import EllipsisType

from mytorch.device import Array, get_array_module
from mytorch.geometry import Size
from mytorch.nn.module import Module
from mytorch.nn.validate import check_input
from mytorch.ops.blockwise import copied
from mytorch.ops.margin import normalize, normalize_grad


class Scale(Module):
    """factor * x + offset, with two numbers that are not learned."""

    def __init__(self, factor: float = 1.0, offset: float = 0.0):
        self.factor, self.offset = float(factor), float(offset)

    def forward(self, x: Array) -> Array:
        """Any shape, to the same."""
        y = check_input(self, x, "(*)") * self.factor
        y += self.offset
        self.save_for_backward(output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        self.saved(grad)
        return grad * self.factor

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"factor={self.factor}, offset={self.offset}"


class Normalize(Module):
    """x divided by its Euclidean length along the axis `dim`, or by eps if it is shorter.

    As torch.nn.functional.normalize, for embeddings.
    """

    def __init__(self, dim: int = 1, eps: float = 1e-12):
        self.dim, self.eps = dim, float(eps)

    def forward(self, x: Array) -> Array:
        """Any shape, to the same."""
        (axis,) = _axes(self, self.dim, check_input(self, x, "(*)"))
        y, length = normalize(x, axis, self.eps)
        self.save_for_backward(axis, copied(y), length, output=y)  # the caller may change y
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        axis, y, length = self.saved(grad)
        return normalize_grad(grad, y, length, axis, self.eps)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"dim={self.dim}, eps={self.eps}"


class Permute(Module):
    """Axes in another order: axis i of the output is axis dims[i] of the input. As torch.permute."""

    def __init__(self, dims: Sequence[int]):
        self.dims = tuple(dims)

    def forward(self, x: Array) -> Array:
        """Return a view with the axes in the order `dims`."""
        axes = _axes(self, self.dims, check_input(self, x, "(*)"))
        if sorted(axes) != list(range(x.ndim)):
            raise ValueError(f"Permute({self.dims}) got an input of shape {x.shape}: expected {len(self.dims)} axes")
        y = x.transpose(axes)
        self.save_for_backward(axes, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Return the gradient with the axes in their first order, a view."""
        (axes,) = self.saved(grad)
        return grad.transpose([axes.index(axis) for axis in range(len(axes))])

    def extra_repr(self) -> str:
        """Return the argument."""
        return f"{self.dims}"


class Transpose(Module):
    """Two axes exchanged. As torch.transpose."""

    def __init__(self, dim0: int, dim1: int):
        self.dim0, self.dim1 = dim0, dim1

    def forward(self, x: Array) -> Array:
        """Return a view with the axes dim0 and dim1 exchanged."""
        axes = [axis for dim in (self.dim0, self.dim1) for axis in _axes(self, dim, check_input(self, x, "(*)"), True)]
        y = x.swapaxes(*axes) if axes else x
        self.save_for_backward(axes, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Return the gradient with the axes exchanged, a view."""
        (axes,) = self.saved(grad)
        return grad.swapaxes(*axes) if axes else grad

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"{self.dim0}, {self.dim1}"


class Reshape(Module):
    """The same elements, in C order, in another shape. As torch.reshape, and a length 0 is the input's at that axis.

    So Reshape((0, 4, -1)) keeps the batch, and turns (N, 8, H) into (N, 4, 2 * H).
    """

    def __init__(self, shape: Sequence[int]):
        self.shape = tuple(shape)
        if any(length < -1 for length in self.shape) or self.shape.count(-1) > 1:
            raise ValueError(
                f"shape={self.shape}: give lengths of at least 1, 0 for the input's, and -1 at most once for the rest"
            )

    def forward(self, x: Array) -> Array:
        """Return an array of the new shape, a view if that is possible."""
        check_input(self, x, "(*)")
        kept = [axis for axis, length in enumerate(self.shape) if length == 0]
        if any(axis >= x.ndim for axis in kept):
            raise ValueError(f"Reshape({self.shape}) got an input of shape {x.shape}: 0 keeps an axis that it lacks")
        size = prod(length for axis, length in enumerate(x.shape) if axis not in kept)
        known = prod(length for length in self.shape if length > 0)
        if size % known or (size != known and -1 not in self.shape):
            raise ValueError(f"Reshape({self.shape}) got an input of shape {x.shape}, which has another size")
        lengths = {0: x.shape, -1: (size // known,) * len(self.shape)}
        y = x.reshape([lengths[n][axis] if n in lengths else n for axis, n in enumerate(self.shape)])
        self.save_for_backward(x.shape, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Return the gradient in the input's shape."""
        (shape,) = self.saved(grad)
        return grad.reshape(shape)

    def extra_repr(self) -> str:
        """Return the argument."""
        return f"{self.shape}"


class Slice(Module):
    """Elements start, start + step, ... before `stop` along the axis `dim`. As x[:, start:stop:step] for dim=1."""

    def __init__(self, dim: int, start: int | None = None, stop: int | None = None, step: int = 1):
        if step < 1:
            raise ValueError(f"step={step}: expected at least 1")
        self.dim, self.start, self.stop, self.step = dim, start, stop, step

    def forward(self, x: Array) -> Array:
        """Return a view of the part."""
        (axis,) = _axes(self, self.dim, check_input(self, x, "(*)"))
        index = _index(axis, slice(self.start, self.stop, self.step))
        y = x[index]
        self.save_for_backward(x.shape, index, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Return the gradient at x, zero outside of the part."""
        shape, index = self.saved(grad)
        grad_x = get_array_module(grad).zeros(shape, grad.dtype)
        grad_x[index] = grad
        return grad_x

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"dim={self.dim}, start={self.start}, stop={self.stop}, step={self.step}"


class _Parts(Module):
    """Base of the layers that return the consecutive parts of an array. A subclass defines `_lengths`."""

    dim: int

    def forward(self, x: Array) -> tuple[Array, ...]:  # type: ignore[override]
        """Return a tuple of views, the parts."""
        (axis,) = _axes(self, self.dim, check_input(self, x, "(*)"))
        ends, end = [], 0
        for length in self._lengths(x.shape[axis]):
            ends.append(end := end + length)
        parts = tuple(get_array_module(x).split(x, ends[:-1], axis=axis))
        self.save_for_backward([part.shape for part in parts], axis)
        return parts

    def backward(self, *grads: Array) -> Array:
        """Return the gradient at x, given that at each part."""
        shapes, axis = self.saved()
        if [grad.shape for grad in grads] != shapes:
            raise ValueError(
                f"{type(self).__name__}.backward got gradients of shapes {[grad.shape for grad in grads]}: "
                f"expected {shapes}, those of its outputs"
            )
        return get_array_module(grads[0]).concatenate(grads, axis=axis)

    def _lengths(self, total: int) -> list[int]:
        """Return the length of each part of an axis with `total` elements."""
        raise TypeError(f"{type(self).__name__} has no _lengths")


class Chunk(_Parts):
    """`chunks` parts of equal length along the axis `dim`, the last one possibly shorter. As torch.chunk.

    In a Graph, `y[0]`, `y[1]`, ... are the parts of the value y that `add` returns.
    """

    def __init__(self, chunks: int, dim: int = 0):
        if chunks < 1:
            raise ValueError(f"chunks={chunks}: expected at least 1")
        self.chunks, self.dim = chunks, dim

    def _lengths(self, total: int) -> list[int]:
        return _equal_lengths(total, -(-total // self.chunks))

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"{self.chunks}, dim={self.dim}"


class Split(_Parts):
    """Parts of the length split_size along the axis `dim`, or of the lengths in that list. As torch.split.

    In a Graph, `y[0]`, `y[1]`, ... are the parts of the value y that `add` returns.
    """

    def __init__(self, split_size: int | Sequence[int], dim: int = 0):
        self.split_size = split_size if isinstance(split_size, int) else tuple(split_size)
        lengths = (self.split_size - 1,) if isinstance(self.split_size, int) else self.split_size
        if min(lengths, default=-1) < 0:
            raise ValueError(
                f"split_size={split_size}: expected a length of at least 1, or a list of lengths of at least 0"
            )
        self.dim = dim

    def _lengths(self, total: int) -> list[int]:
        if isinstance(self.split_size, int):
            return _equal_lengths(total, self.split_size)
        if sum(self.split_size) != total:
            raise ValueError(
                f"Split({list(self.split_size)}, dim={self.dim}) got {total} elements along that axis: "
                f"expected {sum(self.split_size)}, the sum of the parts"
            )
        return list(self.split_size)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"{self.split_size}, dim={self.dim}"


def _equal_lengths(total: int, length: int) -> list[int]:
    """Return lengths of parts that sum up to `total`; the last one may be shorter."""
    return [min(length, total - start) for start in range(0, total, max(length, 1))] or [0]


def _index(axis: int, part: slice) -> tuple[slice | EllipsisType, ...]:
    return (*(slice(None),) * axis, part)


def _axes(layer: Module, dims: int | Sequence[int] | range, x: Array, scalar: bool = False) -> Size:
    """Return axes counted from the first one. Raises ValueError for an axis that `x` lacks, or one given twice.

    scalar: an array without axes has, as in PyTorch, one that can be named, 0 or -1, and that is none.
    """
    given = (dims,) if isinstance(dims, int) else tuple(dims)
    if scalar and not x.ndim and set(given) <= {0, -1}:
        return ()
    axes = tuple(axis + x.ndim if axis < 0 else axis for axis in given)
    if any(not 0 <= axis < x.ndim for axis in axes) or len(set(axes)) < len(axes):
        raise ValueError(
            f"{layer!r} got an input of shape {x.shape}: expected axes from {-x.ndim} to {x.ndim - 1}, each once"
        )
    return axes
