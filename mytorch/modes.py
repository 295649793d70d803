"""Whether layers keep what their backward needs."""

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
