"""Images: repeatable, of any size, varied where the photograph varies and steady where the person is the same."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from experiments.data.synthetic import draw_identity, draw_image
from experiments.data.synthetic.render import draw_jpeg, render
from experiments.data.synthetic.scene import OCCLUSIONS, Camera, Expression, Light, Pose, Scene, draw_scene
from experiments.data.synthetic.styles import STYLES
from experiments.errors import FacesError

CALM = Scene(
    pose=Pose(0, 0, 0),
    expression=Expression(0.2, 0, 1, 0, 0, (0, 0)),
    light=Light((0, 0, 1), 0.4, 0.7, (1, 1, 1), 1),
    camera=Camera(0.36, (0.5, 0.5), 0, 0, 1, 95),
    cloth=(90, 110, 140),
    collar="crew",
    occlusion=None,
    detail_seed=0,
)
"""A passport photograph: nothing varies."""


@pytest.mark.parametrize("size", [16, 17, 33, 64, 95, 96, 101, 160, 255, 512])
def test_any_size_gives_color_pixels(size: int) -> None:
    pixels = draw_image(draw_identity(2, 1), seed=2, image=0, size=size)
    assert pixels.shape == (size, size, 3)
    assert pixels.dtype == np.uint8
    assert pixels.std() > 10, "an image, not a blank"


def test_an_image_does_not_depend_on_what_was_drawn_before() -> None:
    people = [draw_identity(3, k) for k in range(4)]
    wanted = [(person, image) for person in people for image in range(3)]
    first = {(person.number, image): draw_image(person, 3, image, 40) for person, image in wanted}
    for person, image in reversed(wanted):
        np.testing.assert_array_equal(draw_image(person, 3, image, 40), first[person.number, image])


def test_the_scene_is_the_same_at_every_size() -> None:
    person = draw_identity(4, 7)
    small = draw_image(person, 4, 2, 64).astype(float)
    large = Image.fromarray(draw_image(person, 4, 2, 256)).resize((64, 64), Image.Resampling.BOX)
    assert np.abs(small - np.asarray(large, float)).mean() < 12


def test_images_of_a_person_differ() -> None:
    person = draw_identity(1, 0)
    images = [draw_image(person, 1, k, 48) for k in range(12)]
    distances = [np.abs(a.astype(float) - b).mean() for k, a in enumerate(images) for b in images[:k]]
    assert min(distances) > 4


def test_a_jpeg_shows_the_same_image() -> None:
    person = draw_identity(6, 3)
    with Image.open(io.BytesIO(draw_jpeg(person, 6, 1, 96))) as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (96, 96))
        decoded = np.asarray(image, float)
    assert np.abs(decoded - draw_image(person, 6, 1, 96)).mean() < 8


@pytest.mark.parametrize("style", STYLES)
def test_every_hairstyle_can_be_drawn_from_every_side(style: str) -> None:
    person = draw_identity(0, 0)
    for fringe in STYLES[style].fringes:
        hair = dataclasses.replace(person.hair, style=style, fringe=fringe)
        for yaw in (-0.55, 0.0, 0.55):
            scene = dataclasses.replace(CALM, pose=Pose(yaw, 0.1, 0.3))
            assert render(dataclasses.replace(person, hair=hair), scene, 32).std() > 10


@pytest.mark.parametrize("occlusion", OCCLUSIONS)
def test_an_obstacle_hides_a_part_of_the_face_and_not_all(occlusion: str) -> None:
    person = dataclasses.replace(draw_identity(0, 1), glasses=None)
    free = render(person, CALM, 64).astype(float)
    hidden = render(person, dataclasses.replace(CALM, occlusion=occlusion), 64).astype(float)
    changed = (np.abs(free - hidden).max(axis=2) > 12)[10:54, 14:50].mean()
    assert 0.02 < changed < 0.9


def test_light_comes_from_where_it_says() -> None:
    person = draw_identity(0, 2)
    for x in (-0.9, 0.9):
        light = dataclasses.replace(CALM.light, direction=(x, 0.0, 0.436), strength=0.6, ambience=0.4)
        face = render(person, dataclasses.replace(CALM, light=light), 64)[28:44, 18:46].mean(axis=(0, 2))
        left, right = face[:8].mean(), face[-8:].mean()
        assert (right > left) == (x > 0)


def test_a_turned_face_looks_that_way() -> None:
    """The eyes' dark moves with the yaw: the face turns, and not only the image."""
    person = dataclasses.replace(draw_identity(0, 3), glasses=None)
    bald = dataclasses.replace(person, hair=dataclasses.replace(person.hair, style="bald"), skin=(240.0, 200.0, 170.0))
    places = []
    for yaw in (-0.4, 0.0, 0.4):
        pixels = render(bald, dataclasses.replace(CALM, pose=Pose(yaw, 0, 0)), 96).astype(float)
        dark = np.maximum(120 - pixels[44:60, 22:74].mean(axis=2), 0)
        places.append((dark.sum(axis=0) * np.arange(dark.shape[1])).sum() / dark.sum())
    assert places[0] + 2 < places[1] < places[2] - 2


def _nearest(train: np.ndarray, test: np.ndarray, answers: np.ndarray) -> float:
    """Share of `test` (people, images, pixels) whose nearest neighbor in `train` is the same person."""
    known, probes = (images.reshape(-1, images.shape[-1]).astype(float) for images in (train, test))
    distance = (known**2).sum(axis=1) - 2 * probes @ known.T
    found = distance.argmin(axis=1) // train.shape[1]
    return float((found == answers).mean())


def test_pixels_alone_tell_people_apart_in_passport_photographs_only() -> None:
    """What varies hides the person from a nearest neighbor; where nothing varies but cloth and wall, it finds all."""
    people, shots = [draw_identity(9, k) for k in range(30)], 12
    answers = np.repeat(np.arange(len(people)), 3)
    varied = np.stack([[draw_image(p, 9, k, 32).ravel() for k in range(shots)] for p in people])
    assert 1 / 30 < _nearest(varied[:, :9], varied[:, 9:], answers) < 0.4

    def passport(number: int, image: int) -> np.ndarray:
        own = draw_scene(9, number, image)
        scene = dataclasses.replace(CALM, cloth=own.cloth, detail_seed=own.detail_seed)
        return render(people[number], scene, 32)[8:24, 9:23].ravel()

    calm = np.stack([[passport(p, k) for k in range(6)] for p in range(len(people))])
    assert _nearest(calm[:, :3], calm[:, 3:], answers) > 0.95


@pytest.mark.parametrize("size", [0, 15, 513])
def test_a_size_out_of_range_is_named(size: int) -> None:
    with pytest.raises(FacesError, match=f"size = {size}: expected 16 to 512"):
        draw_image(draw_identity(0, 0), seed=0, image=0, size=size)
