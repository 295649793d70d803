"""Global switches: whether forward saves what backward needs, and whether convolution may use Winograd's algorithm."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_grad_enabled = ContextVar("grad_enabled", default=True)
_winograd_allowed = True


def is_grad_enabled() -> bool:
    """Return False inside `no_grad`."""
    return _grad_enabled.get()


@contextmanager
def no_grad() -> Iterator[None]:
    """Save nothing for backward inside the `with` block: less memory, and no backward afterwards.

    It holds for the current thread only. Works as a decorator too.
    """
    token = _grad_enabled.set(False)
    try:
        yield
    finally:
        _grad_enabled.reset(token)


def allow_winograd(allowed: bool) -> None:
    """Allow or forbid Winograd convolution in float32. It is faster, and its rounding error is about ten times larger.

    It is allowed by default.
    """
    global _winograd_allowed
    _winograd_allowed = bool(allowed)


def winograd_allowed() -> bool:
    """Return True unless `allow_winograd(False)` was called."""
    return _winograd_allowed
