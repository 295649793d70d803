from threading import Thread

import numpy as np
import pytest

import mytorch
from mytorch.modes import is_grad_enabled


def test_no_grad_ends_with_its_block_after_an_error_too():
    def fail():
        with mytorch.no_grad():
            with mytorch.no_grad():
                pass
            assert not is_grad_enabled()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert is_grad_enabled()


def test_no_grad_applies_to_its_own_thread_only():
    seen = []
    with mytorch.no_grad():
        thread = Thread(target=lambda: seen.append(is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_no_grad_is_a_decorator_too():
    @mytorch.no_grad()
    def evaluate():
        return is_grad_enabled()

    assert not evaluate()
    assert not evaluate()
    assert is_grad_enabled()


def test_seeds_may_be_tuples_of_unrelated_streams():
    draws = []
    for seed in [(1, 2), (1, 3), (1, 2)]:
        mytorch.manual_seed(seed)
        draws.append(mytorch.random.default_generator().random(4))
    assert np.array_equal(draws[0], draws[2])
    assert not np.array_equal(draws[0], draws[1])
