import numpy as np
import pytest
import torch
from torch.nn import functional as F

from experiments.config.schema import MixingSettings
from experiments.data.augment import mix_batch, random_rectangle

PIXELS = torch.rand(6, 3, 16, 12, generator=torch.Generator().manual_seed(0))


def mixed(step: int = 0, **settings):
    return mix_batch(PIXELS, MixingSettings(**settings), seed=0, epoch=0, step=step)


def test_without_settings_nothing_is_mixed():
    pixels, share = mixed()
    assert share == 1.0
    assert pixels is PIXELS


@pytest.mark.parametrize("step", range(5))
def test_mixup_blends_each_image_with_its_mirror_place(step):
    pixels, share = mixed(step, mixup=0.5)
    assert 0 < share < 1
    torch.testing.assert_close(pixels, share * PIXELS + (1 - share) * PIXELS.flip(0))


@pytest.mark.parametrize("step", range(20))
def test_cutmix_pastes_one_rectangle_and_its_share_is_counted_in_pixels(step):
    pixels, share = mixed(step, cutmix=1.0)
    own = (pixels == PIXELS).all(1)
    assert torch.equal(torch.where(own[:, None], PIXELS, PIXELS.flip(0)), pixels)
    assert float(own[0].float().mean()) == pytest.approx(share)
    pasted = (~own[0]).numpy()
    rows, columns = np.flatnonzero(pasted.any(1)), np.flatnonzero(pasted.any(0))
    if len(rows):
        assert pasted[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()


def test_the_same_step_mixes_the_same_and_another_otherwise():
    assert torch.equal(mixed(3, mixup=1.0)[0], mixed(3, mixup=1.0)[0])
    assert mixed(3, mixup=1.0)[1] != mixed(4, mixup=1.0)[1]


def test_a_share_of_the_batches_is_mixed_and_both_kinds_come():
    settings = {"mixup": 1.0, "cutmix": 1.0, "prob": 0.5}
    results = [mixed(step, **settings) for step in range(300)]
    plain = [share == 1.0 and pixels is PIXELS for pixels, share in results]
    assert 0.4 < np.mean(plain) < 0.6
    blended = [not ((p == PIXELS) | (p == PIXELS.flip(0))).all() for p, _ in results]
    assert 0.15 < np.mean(blended) < 0.35


def test_label_smoothing_in_each_of_two_losses_is_smoothing_of_the_mixed_labels_once():
    logits, labels = torch.randn(6, 5), torch.arange(6) % 5
    one_hot = F.one_hot(labels, 5).float()
    target = 0.3 * one_hot + 0.7 * one_hot.flip(0)
    once = F.cross_entropy(logits, target, label_smoothing=0.1)
    own, other = (F.cross_entropy(logits, y, label_smoothing=0.1) for y in (labels, labels.flip(0)))
    torch.testing.assert_close(0.3 * own + 0.7 * other, once)


def test_rectangles_reach_every_border():
    covered = np.zeros((6, 9), int)
    for seed in range(300):
        covered[random_rectangle(np.random.default_rng(seed), (6, 9), 0.3)] += 1
    assert covered.min() > 10
