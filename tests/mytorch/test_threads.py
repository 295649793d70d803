import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from mytorch import threads as ours


def blas_threads():
    """The thread counts of the libraries that were loaded at the first product; SciPy may have loaded its own since."""
    return [library["num_threads"] for library in ours.blas_libraries()]


@given(count=st.integers(0, 200), each=st.integers(1, 2 * ours.CHUNK_BYTES), number=st.integers(1, 4))
def test_every_item_is_worked_on_once(count, each, number):
    done = np.zeros(count, int)
    with ours.num_threads(number):
        ours.parallel_for(count, each, lambda part: np.add.at(done, part, 1))
    assert (done == 1).all()


@given(items=st.lists(st.integers(), max_size=30), number=st.integers(1, 4))
def test_runs_are_neighbors_in_order_one_per_thread(items, number):
    with ours.num_threads(number):
        runs = ours.parallel_map(items, list)
    assert [item for run in runs for item in run] == items
    assert len(runs) == min(number, len(items))


def test_threads_work_at_once(threads):
    meeting = threading.Barrier(2, timeout=120)
    ours.parallel_map([0, 1], lambda run: meeting.wait())  # one thread alone would wait forever


def test_threads_are_not_nested(threads):
    assert ours.parallel_map([0, 1], lambda run: len(ours.parallel_map([0, 1, 2], list))) == [1, 1]


@pytest.mark.parametrize("place", [0, 1])
def test_an_exception_comes_out_once_all_have_ended(threads, place):
    ended = []

    def work(run):
        if run == [place]:
            raise KeyError(place)
        ended.append(run)

    with pytest.raises(KeyError):
        ours.parallel_map([0, 1], work)
    assert ended == [[1 - place]]


def test_products_run_on_one_thread_inside_and_as_before_afterwards(threads):
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        inside = ours.parallel_map([0, 1], lambda run: blas_threads())
        assert all(set(numbers) == {1} for numbers in inside)
        assert blas_threads() == before


@pytest.mark.parametrize(("items", "number"), [([0], 2), ([0, 1], 1)])
def test_products_of_a_single_run_use_one_thread_too(items, number):
    with threadpool_limits(2, user_api="blas"), ours.num_threads(number):
        (inside,) = ours.parallel_map(items, lambda run: blas_threads())
        assert set(inside) == {1}
        assert set(blas_threads()) == {2}


def test_the_blas_threads_are_restored_for_overlapping_users():
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        first, second = ours.single_threaded_blas(), ours.single_threaded_blas()
        first.__enter__()
        second.__enter__()
        first.__exit__()
        assert set(blas_threads()) == {1}
        second.__exit__()
        assert blas_threads() == before


def test_several_users_threads_get_their_own_results(threads):
    from mytorch import nn

    layer = nn.Conv2d(24, 24, 3, padding=1)
    inputs = [np.random.default_rng(i).standard_normal((8, 24, 9, 9)).astype("f") for i in range(8)]
    alone = [layer.forward(x) for x in inputs]
    from mytorch import no_grad

    def work(x):
        with no_grad():
            return layer(x)

    with ThreadPoolExecutor(4) as users:
        for _ in range(5):
            for a, b in zip(alone, users.map(work, inputs), strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("count", [1, 2])
def test_the_ufunc_buffer_is_small_inside_and_restored_afterwards(count):
    before = np.setbufsize(4096)
    try:
        with ours.num_threads(count):
            assert set(ours.parallel_map([0, 1], lambda run: np.getbufsize())) == {ours.UFUNC_BUFFER_SIZE}
            with pytest.raises(KeyError):
                ours.parallel_map([0, 1], lambda run: {}[0])
        assert np.getbufsize() == 4096
    finally:
        np.setbufsize(before)


@pytest.mark.parametrize("count", [0, -1])
def test_less_than_one_thread_is_refused(count):
    with pytest.raises(ValueError, match=f"set_num_threads\\({count}\\): expected at least 1"):
        ours.set_num_threads(count)


@pytest.mark.parametrize(("variable", "expected"), [("3", "3"), ("3,2", "3")])
def test_omp_num_threads_is_used(variable, expected):
    program = "from mytorch.threads import get_num_threads; print(get_num_threads())"
    done = subprocess.run(
        [sys.executable, "-c", program], env={"OMP_NUM_THREADS": variable}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == expected


def test_without_threadpoolctl_the_blas_keeps_its_threads_and_the_work_is_one_run(monkeypatch, threads):
    monkeypatch.setattr(ours, "_blas_controller", lambda: None)
    assert ours.parallel_map([1, 2, 3], list) == [[1, 2, 3]]


FORK = """
import os, sys, threading, time
import numpy as np, mytorch
from mytorch import nn, no_grad

mytorch.set_num_threads(2)
network = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())
x = np.zeros((8, 8, 64, 64), "f")

def compute_forever():
    with no_grad():
        while True:
            network(x)

threading.Thread(target=compute_forever, daemon=True).start()
layer = nn.Conv2d(8, 8, 3)
for _ in range(40):
    pid = os.fork()
    if not pid:
        with no_grad():
            layer(x[:2])
        os._exit(0)
    os.waitpid(pid, 0)
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_process_forked_while_another_thread_computes_can_compute():
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], check=True, timeout=600)


FORK_IN_AN_IMPORT = """
import os, sys, threading, time
import numpy as np, mytorch
from mytorch import nn, no_grad

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "threadpoolctl":
            begun.set()
            time.sleep(1)

mytorch.set_num_threads(2)
begun, network, x = threading.Event(), nn.Conv2d(8, 8, 3), np.zeros((8, 8, 64, 64), "f")
sys.modules.pop("threadpoolctl", None)
sys.meta_path.insert(0, Slow())

def compute():
    with no_grad():
        return network(x)

threading.Thread(target=compute).start()
assert begun.wait(60)
pid = os.fork()
if not pid:
    compute()
    os._exit(0)
os._exit(os.waitpid(pid, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_process_forked_while_another_thread_imports_can_compute():
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORK_IN_AN_IMPORT], check=True, timeout=120)


def test_the_blas_gets_its_threads_back_in_a_process_forked_inside_a_block():
    controller = ours._blas_controller()
    with threadpool_limits(2, user_api="blas"), ours.single_threaded_blas():
        ours.single_threaded_blas.reset_after_fork()  # what the child does, with its parent's block open
        with ours.single_threaded_blas():
            assert {library.num_threads for library in controller.lib_controllers} == {1}
        assert {library.num_threads for library in controller.lib_controllers} == {2}
        ours.single_threaded_blas._depth = 1  # the parent's own block continues


def test_threads_are_as_many_as_the_largest_number_asked_for():
    before = {thread.name for thread in threading.enumerate()}
    for count in (2, 5, 3, 4, 5):
        with ours.num_threads(count):
            ours.parallel_map(list(range(20)), sum)
    started = {thread.name for thread in threading.enumerate()} - before
    assert len([name for name in started if name.startswith("mytorch_")]) <= 4


def test_an_exception_waits_for_the_work_that_still_runs():
    """The tasks write into the caller's arrays: none may still run once the caller has its exception."""
    both, finished = threading.Barrier(2), []

    def work(run):
        both.wait(120)
        if run[0] == 0:
            raise ValueError("first")
        time.sleep(0.1)
        finished.append(run)

    with ours.num_threads(2), pytest.raises(ValueError, match="first"):
        ours.parallel_map([0, 1], work)
    assert finished == [[1]]
