"""Images that several trainings share are read again only where what decides them changed."""

import numpy as np
import pytest

from experiments.data import dataset as faces
from experiments.data.dataset import CachedSplitReader, read_split


@pytest.fixture
def reads(monkeypatch) -> list:
    """The folders that were read, as they are."""
    seen: list = []
    read = faces.read_split
    monkeypatch.setattr(faces, "read_split", lambda *arguments: seen.append(arguments[0]) or read(*arguments))
    return seen


def test_they_are_those_of_read_split(people, tiny):
    for ours, theirs in zip(CachedSplitReader()(people, tiny()), read_split(people, tiny()), strict=True):
        assert np.array_equal(ours.images, theirs.images)
        assert (ours.labels.tolist(), ours.names, ours.paths) == (theirs.labels.tolist(), theirs.names, theirs.paths)


@pytest.mark.parametrize("setting", ["optimizer.lr=0.5", "augment.flip=0", "data.mean=0.1", "batch_size=3", "seed=7"])
def test_what_leaves_the_images_as_they_are_reads_nothing(people, tiny, reads, setting):
    read = CachedSplitReader()
    assert read(people, tiny()) is read(str(people), tiny(setting))
    assert len(reads) == 1


@pytest.mark.parametrize(
    "setting", ["data.size=[24, 16]", "data.fit=pad", "split.train=3", "split.seed=1", "identities=3"]
)
def test_what_decides_the_images_reads_them_anew(people, tiny, reads, setting):
    read = CachedSplitReader()
    read(people, tiny())
    read(people, tiny(setting))
    read(people, tiny(setting))
    assert len(reads) == 2


def test_another_folder_is_read(people, own_people, tiny, reads):
    read = CachedSplitReader()
    read(people, tiny())
    read(own_people, tiny())
    assert reads == [people, own_people]
