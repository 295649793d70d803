"""The bench's convolutions: that both libraries do the same work, and that the list is what face networks have."""

import numpy as np
import pytest
import torch

from experiments.bench.convolutions import CONVOLUTIONS, HANDWRITTEN_CASES, TOGETHER, ConvolutionCase, all_runners
from experiments.bench.timing import Cpu


def largest_difference(ours, theirs):
    theirs = theirs.detach().numpy()
    assert ours.shape == theirs.shape
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


@pytest.mark.parametrize("case", CONVOLUTIONS, ids=lambda case: case.name)
def test_every_side_computes_the_same(case):
    runners = all_runners(case, 1, Cpu(), np.float64, seed=3)
    for part, backends in runners.items():
        ours, *theirs = (run() for run in backends.values())
        for result in theirs:
            if part == TOGETHER:
                assert len([array for array in ours if array is not None]) == len(result)
            pairs = zip(ours, result, strict=False) if part == TOGETHER else [(ours, result)]
            for mine, other in pairs:
                assert largest_difference(mine, other) < 1e-10, part


@pytest.mark.parametrize("case", [case for case in CONVOLUTIONS if len(case.size) == 2][:3], ids=lambda case: case.name)
def test_each_side_has_its_own_layout(case):
    backends = all_runners(case, 2, Cpu(), np.float32, seed=3)["forward"]
    ours, default, last = (backends[backend]() for backend in ("mytorch", "torch", "torch_channels_last"))
    assert np.moveaxis(ours, 1, -1).flags.c_contiguous
    assert default.is_contiguous()
    assert last.is_contiguous(memory_format=torch.channels_last)


def test_the_list_is_what_face_networks_have():
    kinds = {(case.kernel, case.stride, len(case.size), case.groups > 1) for case in CONVOLUTIONS}
    assert {(3, 1, 2, False), (3, 2, 2, False), (1, 1, 2, False), (5, 1, 2, False), (7, 2, 2, False)} <= kinds
    assert {(3, 1, 2, True), (5, 1, 1, False)} <= kinds
    threes = [case for case in CONVOLUTIONS if case.kernel == 3 and case.groups == 1]
    assert {3, 512} <= {case.inside for case in threes} | {case.outside for case in threes}
    assert {112, 7} <= {case.size[0] for case in threes}
    assert len(CONVOLUTIONS) >= 12
    assert len({case.name for case in CONVOLUTIONS}) == len(CONVOLUTIONS)
    assert len(HANDWRITTEN_CASES) >= 8


def test_a_first_layer_has_no_input_gradient():
    first = next(case for case in CONVOLUTIONS if case.first)
    assert "input" not in all_runners(first, 1, Cpu(), np.float32, seed=0)


def test_operations_are_counted_as_products_and_sums():
    case = ConvolutionCase("here", 8, 16, 3, (10, 6), stride=2)
    assert case.out == (5, 3)
    assert case.gflop(4, passes=3) == pytest.approx(3 * 2 * 4 * 16 * 15 * 8 * 9 / 1e9)
    assert ConvolutionCase("here", 8, 8, 3, (10, 6), groups=8).gflop(1) == pytest.approx(2 * 8 * 60 * 9 / 1e9)
