"""What holds for all layers: whether they keep what backward needs; whether convolution may round more, to be quick."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_keeping = ContextVar("keeping", default=True)


def keeping() -> bool:
    """True outside of `no_grad`."""
    return _keeping.get()


@contextmanager
def no_grad() -> Iterator[None]:
    """Inside, forward keeps nothing: less memory, and no backward afterwards. Holds for this thread alone."""
    token = _keeping.set(False)
    try:
        yield
    finally:
        _keeping.reset(token)


_winograd = True


def allow_winograd(allowed: bool) -> None:
    """Let convolutions in float32 go Winograd's quick way, which rounds about ten times as much; at first they may."""
    global _winograd
    _winograd = bool(allowed)


def winograd_allowed() -> bool:
    """True unless `allow_winograd(False)` was said."""
    return _winograd
