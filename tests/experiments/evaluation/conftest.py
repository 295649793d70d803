"""A frozen face network with random weights, and images of people that it can tell apart by their colors."""

from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from experiments.data.synthetic.identity import draw_identity
from experiments.data.synthetic.render import draw_image
from experiments.inference.embedder import Embedder
from experiments.inference.frozen_backbone import open_frozen_backbone, save_frozen_network
from models.mobilefacenet import MobileFaceNet

COLORS = {"anna": (220, 40, 40), "ben": (40, 220, 40), "chloe": (40, 40, 220), "dan": (230, 230, 40)}


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A MobileFaceNet's random weights, in a file."""
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("weights") / "mobilefacenet.safetensors"
    save_file(MobileFaceNet().state_dict(), path)
    return path


@pytest.fixture(scope="session")
def network(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    """The frozen network, with a folder. No test may rely on what is calibrated in it."""
    folder = tmp_path_factory.mktemp("frozen")
    embedder = open_frozen_backbone("mobilefacenet", weights, folder)
    save_frozen_network(embedder)
    return embedder


def draw_faces(folder: Path, images: int = 4, colors: dict[str, tuple[int, int, int]] = COLORS) -> Path:
    """Aligned "faces" of 112 pixels, one folder a person: stripes of the person's color, and noise."""
    rng = np.random.default_rng(7)
    for turn, (name, color) in enumerate(colors.items()):
        (folder / name).mkdir(parents=True)
        place = np.arange(112) // (4 + 3 * turn) % 2
        base = np.array(color) * (0.3 + 0.7 * place[:, None, None]) * np.ones((112, 112, 1))
        for number in range(1, images + 1):
            image = (base + rng.normal(0, 20, base.shape)).clip(0, 255).astype(np.uint8)
            Image.fromarray(image).save(folder / name / f"{name}_{number:04d}.png")
    return folder


@pytest.fixture(scope="session")
def drawn_faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four people with four images each. Not to be changed."""
    return draw_faces(tmp_path_factory.mktemp("drawn") / "faces")


def all_pairs(folder: Path) -> list[tuple[str, str, int]]:
    """Every pair of a folder's images, and whether it is of one person."""
    paths = sorted(folder.rglob("*.png"))
    names = [(path.relative_to(folder).as_posix(), path.parent.name) for path in paths]
    return [(a, b, int(who == whom)) for (a, who), (b, whom) in combinations(names, 2)]


@pytest.fixture(scope="session")
def pairs_file(drawn_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every pair of the four people's images, with answers."""
    path = tmp_path_factory.mktemp("pairs") / "val_pairs.txt"
    path.write_text("".join(f"{a} {b} {match}\n" for a, b, match in all_pairs(drawn_faces)))
    return path


@pytest.fixture(scope="session")
def write_pairs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Sequence[str], str], Path]:
    """write_pairs(lines, name): a file of pairs."""

    def write(lines: Sequence[str], name: str) -> Path:
        path = tmp_path_factory.mktemp("pairs") / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    return write


@pytest.fixture(scope="session")
def group_photo(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """group_photo([(person, image, side), ...]): a file with drawn faces, one a tile of 300 pixels, four in a row.

    person, image: of the synthetic faces, which YuNet finds. side: pixels of the tile that the drawing covers.
    """
    folder = tmp_path_factory.mktemp("groups")

    def draw(people: Sequence[tuple[int, int, int]]) -> Path:
        rows = -(-len(people) // 4)
        photo = Image.new("RGB", (300 * min(4, len(people)), 300 * rows), "gray")
        for number, (person, image, side) in enumerate(people):
            drawn = Image.fromarray(draw_image(draw_identity(0, person), 0, image, 300)).resize((side, side))
            photo.paste(drawn, (300 * (number % 4), 300 * (number // 4)))
        path = folder / f"{len(list(folder.iterdir()))}.png"
        photo.save(path)
        return path

    return draw
