"""`faces data` and `faces align`: their choices are those of the library, which help must not import."""

import pytest

from experiments.commands import data as commands
from experiments.data import images, preparation


@pytest.mark.parametrize("name", ["Crop", "Choice", "Missing", "Format"])
def test_the_choices_of_align_are_the_librarys(name):
    assert getattr(commands, name) == getattr(preparation, name)


def test_the_fits_of_pack_are_the_librarys():
    assert commands.Fit == images.Fit
