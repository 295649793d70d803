"""Small folders of photographs, real where they are to hold faces."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.data.align.mtcnn import Mtcnn


@pytest.fixture(scope="session")
def detector() -> Mtcnn:
    return Mtcnn()


@pytest.fixture
def photographs(shared_data: Path, tmp_path: Path) -> Callable[[int], Path]:
    """photographs(n): a competition's folder with n real images in train/, one without a face in test/, a table."""

    def make(count: int) -> Path:
        folder = tmp_path / "in"
        for path in sorted((shared_data / "celeb" / "train").glob("*/*.jpg"))[:count]:
            (folder / "train" / path.parent.name).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder / "train" / path.parent.name)
        (folder / "test").mkdir()
        Image.fromarray(np.full((160, 160, 3), 90, np.uint8)).save(folder / "test" / "1.jpg")
        (folder / "sample_submission.csv").write_text("image_name,label\n1.jpg,n000049\n")
        return folder

    return make
