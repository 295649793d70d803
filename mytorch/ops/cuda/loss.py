"""Cross entropy on the GPU, one block of threads per row. See `mytorch.ops.loss`."""

from mytorch.device import Array, get_array_module
from mytorch.ops.cuda.layout import contiguous, to_dtype
from mytorch.ops.cuda.loader import launch
from mytorch.ops.cuda.softmax import threads_per_row


def cross_entropy_with_saved(logits: Array, target: Array, label_smoothing: float = 0.0) -> tuple[Array, Array]:
    """Return the cross entropy of each row, and the logits for the gradient."""
    return cross_entropy(logits, target, label_smoothing), logits


def cross_entropy(logits: Array, target: Array, label_smoothing: float = 0.0) -> Array:
    """As mytorch.ops.loss.cross_entropy."""
    logits, (rows, columns) = contiguous(logits), logits.shape
    losses = get_array_module(logits).empty(rows, logits.dtype)
    kernel, target = _kernel_for(target, logits)
    arguments = (logits, target, losses, float(label_smoothing), rows, columns)
    launch("softmax", kernel, logits, *arguments, count=rows, count_blocks=True, threads=threads_per_row(columns))
    return losses


def cross_entropy_grad(saved: Array, target: Array, label_smoothing: float = 0.0, scale: float = 1.0) -> Array:
    """As mytorch.ops.loss.cross_entropy_grad, from the logits."""
    logits, (rows, columns) = contiguous(saved), saved.shape
    grad = get_array_module(logits).empty_like(logits)
    kernel, target = _kernel_for(target, logits)
    arguments = (logits, target, grad, float(label_smoothing), float(scale), rows, columns)
    threads = threads_per_row(columns)
    launch("softmax", f"{kernel}_grad", logits, *arguments, count=rows, count_blocks=True, threads=threads)
    return grad


def _kernel_for(target: Array, logits: Array) -> tuple[str, Array]:
    """Return the kernel for class indices (N,) or soft targets (N, C), and the target in the type that it expects."""
    if target.ndim == 1:
        return "cross_entropy_classes", contiguous(to_dtype(target, "int64"))
    return "cross_entropy_soft", contiguous(to_dtype(target, logits.dtype))
