import io
import os
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageFile

from experiments.data import images
from experiments.data.images import ImageError, decode, fit_image, image_size, read_image

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


def halves(left, right, size=(32, 16)) -> Image.Image:
    """A image of two colors side by side, wide and not square, so that a swap of axes or sides shows."""
    image = Image.new("RGB", size, right)
    image.paste(left, (0, 0, size[0] // 2, size[1]))
    return image


def save(path: Path, image: Image.Image, **options) -> Path:
    image.save(path, **options)
    return path


def expect_halves(pixels: np.ndarray, left, right, tolerance: int = 0) -> None:
    assert pixels.shape == (16, 32, 3)
    assert pixels.dtype == np.uint8
    difference = np.abs(pixels - np.array(halves(left, right)).astype(int))
    if tolerance:
        difference[:, 12:20] = 0  # a lossy format rings and bleeds at the seam
    assert difference.max() <= tolerance


# Every format and mode


@pytest.mark.parametrize("suffix", ["png", "bmp", "ppm", "tif", "tiff", "gif"])
def test_lossless_color_is_read_exactly(tmp_path, suffix):
    expect_halves(read_image(save(tmp_path / f"a.{suffix}", halves(RED, BLUE))), RED, BLUE)


@pytest.mark.parametrize("suffix", ["jpg", "jpeg", "JPG", "webp"])
def test_lossy_color_is_read_closely(tmp_path, suffix):
    path = save(tmp_path / f"a.{suffix}", halves((200, 60, 30), (40, 60, 190)), quality=100)
    expect_halves(read_image(path), (200, 60, 30), (40, 60, 190), tolerance=3)


@pytest.mark.parametrize("suffix", ["png", "bmp", "pgm", "tif", "gif"])
def test_gray_fills_three_channels(tmp_path, suffix):
    path = save(tmp_path / f"a.{suffix}", halves((9, 9, 9), (240, 240, 240)).convert("L"))
    expect_halves(read_image(path), (9, 9, 9), (240, 240, 240))


@pytest.mark.parametrize("suffix", ["png", "bmp", "pbm", "tif"])
def test_one_bit_is_black_and_white(tmp_path, suffix):
    path = save(tmp_path / f"a.{suffix}", halves((0, 0, 0), WHITE).convert("1"))
    expect_halves(read_image(path), (0, 0, 0), WHITE)


@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
def test_transparency_is_composited_on_white(tmp_path, suffix):
    image = halves(RED, BLUE).convert("RGBA")
    image.paste((0, 0, 255, 0), (16, 0, 32, 16))
    path = save(tmp_path / f"a.{suffix}", image, **({"lossless": True} if suffix == "webp" else {}))
    expect_halves(read_image(path), RED, WHITE)


def test_half_transparency_is_blended(tmp_path):
    path = save(tmp_path / "a.png", Image.new("RGBA", (3, 2), (255, 0, 0, 128)))
    assert read_image(path)[0, 0].tolist() == [255, 127, 127]


def test_gray_with_alpha(tmp_path):
    image = Image.new("LA", (32, 16), (50, 255))
    image.paste((50, 0), (16, 0, 32, 16))
    expect_halves(read_image(save(tmp_path / "a.png", image)), (50, 50, 50), WHITE)


def test_palette(tmp_path):
    expect_halves(read_image(save(tmp_path / "a.png", halves(RED, BLUE).quantize(2))), RED, BLUE)


@pytest.mark.parametrize("as_bytes", [False, True], ids=["one index", "an alpha an index"])
def test_palette_with_transparency(tmp_path, as_bytes):
    image = Image.new("P", (32, 16), 0)
    image.putpalette([*RED, *BLUE])
    image.paste(1, (16, 0, 32, 16))
    path = save(tmp_path / "a.png", image, transparency=b"\xff\x00" if as_bytes else 1)
    assert decode(path)[1] == "P"
    expect_halves(read_image(path), RED, WHITE)


def test_a_transparent_color_of_an_rgb_png(tmp_path):
    expect_halves(read_image(save(tmp_path / "a.png", halves(RED, BLUE), transparency=BLUE)), RED, WHITE)


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_cmyk(tmp_path, suffix):
    options = {"quality": 100} if suffix == "jpg" else {}
    path = save(tmp_path / f"a.{suffix}", halves(RED, WHITE).convert("CMYK"), **options)
    assert decode(path)[1] == "CMYK"
    expect_halves(read_image(path), RED, WHITE, tolerance=4)


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_16_bits_are_scaled_and_not_clipped(tmp_path, suffix):
    values = np.array([[0, 257, 128 * 257, 65535, 200, 1000]], np.uint16)
    pixels = read_image(save(tmp_path / f"a.{suffix}", Image.fromarray(values)))
    assert pixels[0, :, 0].tolist() == [0, 1, 128, 255, 1, 4]
    assert (pixels == pixels[..., :1]).all()


def test_a_pgm_with_another_maximum_is_scaled(tmp_path):
    (tmp_path / "a.pgm").write_bytes(b"P5 3 1 1023\n" + struct.pack(">3H", 0, 512, 1023))
    (tmp_path / "b.pgm").write_bytes(b"P2 3 1 15\n0 5 15\n")
    assert read_image(tmp_path / "a.pgm")[0, :, 1].tolist() == [0, 128, 255]
    assert read_image(tmp_path / "b.pgm")[0, :, 1].tolist() == [0, 85, 255]


def test_a_16_bit_ppm(tmp_path):
    (tmp_path / "a.ppm").write_bytes(b"P6 1 1 65535\n" + struct.pack(">3H", 0, 128 * 257, 65535))
    assert read_image(tmp_path / "a.ppm").tolist() == [[[0, 128, 255]]]


@pytest.mark.parametrize(("values", "expected"), [((0, 0.5, 1), [0, 128, 255]), ((0, 127.6, 255), [0, 128, 255])])
def test_float_pixels_are_of_0_to_1_or_of_0_to_255(tmp_path, values, expected):
    path = save(tmp_path / "a.tif", Image.fromarray(np.array([values], np.float32)))
    assert read_image(path)[0, :, 2].tolist() == expected


@pytest.mark.parametrize("value", [-1.0, 300.0, np.nan, np.inf])
def test_float_pixels_of_no_known_range_are_refused(tmp_path, value):
    path = save(tmp_path / "a.tif", Image.fromarray(np.array([[0, value]], np.float32)))
    with pytest.raises(ImageError, match=r"a\.tif: its pixels range from .*save it with 8 bits"):
        read_image(path)


def test_the_first_frame_of_an_animation(tmp_path):
    path = tmp_path / "a.gif"
    halves(RED, BLUE).save(path, save_all=True, append_images=[halves(WHITE, WHITE)])
    expect_halves(read_image(path), RED, BLUE)


def test_the_content_decides_and_not_the_suffix(tmp_path):
    path = save(tmp_path / "a.jpg", halves(RED, BLUE), format="PNG")
    expect_halves(read_image(path), RED, BLUE)


def test_what_is_read_may_be_written_to(tmp_path):
    pixels = read_image(save(tmp_path / "a.png", halves(RED, BLUE)))
    pixels[0, 0] = 1
    assert pixels.flags.c_contiguous


# EXIF

INVERSE = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}


@pytest.mark.parametrize("suffix", ["png", "webp", "tif", "jpg"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(tmp_path, rng, suffix, orientation):
    blocks = rng.choice([30, 220], (4, 2, 1)).repeat(8, axis=0).repeat(8, axis=1).repeat(3, axis=2).astype(np.uint8)
    blocks[:8, :8], blocks[:8, 8:] = 0, 255
    upright = Image.fromarray(blocks)
    stored = upright if orientation == 1 else upright.transpose(images._UPRIGHT[INVERSE[orientation]])
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    options = {"quality": 100} if suffix == "jpg" else {"lossless": True} if suffix == "webp" else {}
    pixels = read_image(save(tmp_path / f"a.{suffix}", stored, exif=exif, **options))
    assert pixels.shape == blocks.shape
    assert np.abs(pixels.astype(int) - blocks).max() <= (8 if suffix == "jpg" else 0)


def test_damaged_exif_does_not_cost_the_image(tmp_path):
    exif = b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01\x03\0\xff\xff\xff\xff"
    path = save(tmp_path / "a.jpg", halves(RED, BLUE), exif=exif)
    assert read_image(path).shape == (16, 32, 3)


# What cannot be read


def test_a_truncated_file(tmp_path, rng):
    for suffix in ("jpg", "png", "bmp", "webp", "ppm"):
        whole = save(tmp_path / f"whole.{suffix}", Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)))
        (tmp_path / f"half.{suffix}").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
        with pytest.raises(ImageError, match=rf"half\.{suffix}: .*get it again or remove it"):
            read_image(tmp_path / f"half.{suffix}")


def test_a_text_file_named_jpg(tmp_path):
    (tmp_path / "a.jpg").write_text("<html>404 not found</html>")
    with pytest.raises(ImageError, match=r"a\.jpg: begins with b'<html>404.*expected an image \(JPEG.*remove it"):
        read_image(tmp_path / "a.jpg")


def test_an_empty_file(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(ImageError, match=r"a\.png: is empty \(0 bytes\): get it again"):
        read_image(tmp_path / "a.png")


def test_a_missing_file(tmp_path):
    with pytest.raises(ImageError, match=r"a\.png: no such file"):
        read_image(tmp_path / "a.png")


def test_a_folder(tmp_path):
    with pytest.raises(ImageError, match="is a folder"):
        read_image(tmp_path)


@pytest.mark.parametrize("read", [read_image, image_size])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, read):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(ImageError, match=r"a\.png: is a FIFO, expected an image file: remove it"):
        read(tmp_path / "a.png")


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # the tests may run as root, whom no file refuses
    with pytest.raises(ImageError, match=r"a\.png: permission denied: make the file readable"):
        read_image(tmp_path / "a.png")


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises a size and holds no pixels."""
    whole = io.BytesIO()
    Image.new("1", (1, 1)).save(whole, "PNG")
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return whole.getvalue()[:12] + header + struct.pack(">I", zlib.crc32(header)) + whole.getvalue()[33:]


@pytest.mark.parametrize("side", [8_100, 10_000, 12_000, 40_000])
def test_a_decompression_bomb_is_refused_by_its_header(tmp_path, side, monkeypatch):
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("pixels were decoded"))
    (tmp_path / "a.png").write_bytes(png_header(side, side))
    with pytest.raises(ImageError, match=r"a\.png: .*more than 64,000,000 pixels: make it smaller or remove it"):
        read_image(tmp_path / "a.png")


def test_an_image_at_the_limit_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 512)
    path = save(tmp_path / "a.png", halves(RED, BLUE))
    expect_halves(read_image(path), RED, BLUE)
    monkeypatch.setattr(images, "MAX_PIXELS", 511)
    with pytest.raises(ImageError, match="32 x 16 is more than 511 pixels"):
        read_image(path)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(suffix=st.sampled_from(["jpg", "png", "bmp", "webp", "ppm", "pgm", "gif", "tif"]), data=st.data())
def test_a_damaged_file_gives_an_image_or_an_image_error(tmp_path, suffix, data):
    whole = io.BytesIO()
    colors = np.random.default_rng(3).integers(0, 256, (9, 7, 3), np.uint8)
    image = Image.fromarray(colors).convert("L" if suffix == "pgm" else "RGB")
    image.save(whole, {"jpg": "JPEG", "tif": "TIFF", "ppm": "PPM", "pgm": "PPM"}.get(suffix, suffix.upper()))
    content = bytearray(whole.getvalue())
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, min(len(content), 90) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / f"damaged.{suffix}"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        outcome = read_image(path)
    except ImageError as error:
        outcome = str(error)
    assert str(path) in outcome if isinstance(outcome, str) else outcome.shape[2:] == (3,)


# Threads


def test_no_warning_leaks_and_the_filters_are_restored(tmp_path):
    (tmp_path / "bomb.png").write_bytes(png_header(10_000, 10_000))
    exif = save(tmp_path / "exif.jpg", halves(RED, BLUE), exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01\x03\0\xff\xff")

    def read(turn):
        if turn % 2:
            return read_image(exif).shape
        with pytest.raises(ImageError):
            read_image(tmp_path / "bomb.png")
        return None

    with warnings.catch_warnings(record=True) as leaked:
        warnings.simplefilter("always")
        before = list(warnings.filters)
        with ThreadPoolExecutor(8) as pool:
            shapes = list(pool.map(read, range(200)))
        assert warnings.filters == before
    assert leaked == []
    assert shapes[1::2] == [(16, 32, 3)] * 100


@pytest.mark.real
def test_real_faces_are_read(shared_data):
    pixels = read_image(shared_data / "orl" / "s1" / "1.pgm")
    assert pixels.shape == (112, 92, 3)
    assert 30 < pixels.mean() < 220
    assert pixels.std() > 20


def test_of_an_odd_gap_the_smaller_half_comes_first():
    image = np.arange(4 * 3 * 3, dtype=np.uint8).reshape(4, 3, 3)
    wide, tall = fit_image(image, (4, 6), "pad"), fit_image(image[:3], (6, 3), "pad")
    assert np.array_equal(wide[:, 1:4], image)
    assert np.array_equal(wide[:, [0, 4, 5]], image[:, [0, 2, 2]])
    assert np.array_equal(tall[1:4], image[:3])
    assert np.array_equal(tall[[0, 4, 5]], image[[0, 2, 2]])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_is_that_of_the_upright_image(tmp_path, orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.new("RGB", (12, 8)).save(tmp_path / "a.jpg", exif=exif)
    assert image_size(tmp_path / "a.jpg") == read_image(tmp_path / "a.jpg").shape[:2]
    assert (image_size(tmp_path / "a.jpg") == (12, 8)) == (orientation > 4)
