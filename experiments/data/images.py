"""Read image files of any format and mode as (H, W, 3) uint8 RGB arrays; an error names the file."""

import os
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Literal, TypeVar, get_args

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from experiments.errors import FacesError, suggest_path
from mytorch.files import kind_of_file

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".webp", ".pgm", ".ppm", ".pbm", ".gif", ".tif", ".tiff"}
)
MAX_PIXELS = 64_000_000
Fit = Literal["crop", "stretch", "pad"]
Progress = Callable[[int, int], None]

# An explicit list, so that Pillow never runs another program on a file, such as Ghostscript on PostScript.
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "PPM", "GIF", "TIFF")
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

Item = TypeVar("Item")
Result = TypeVar("Result")


class ImageError(FacesError):
    """A file that cannot be read as an image."""


def read_image(path: str | os.PathLike[str], at_least: int | None = None) -> np.ndarray:
    """Read an image, upright, as (H, W, 3) uint8 RGB. Safe to call from several threads.

    Transparent pixels are composited on white. 16-bit values are scaled, not clipped. Float pixels are read as 0 to 1
    where all of them are, else as 0 to 255. Of several frames or pages the first is read. The EXIF orientation is
    applied. at_least: a JPEG whose sides are much longer than that many pixels may be decoded at a half, a quarter or
    an eighth of its size, which is faster, but never smaller than that.

    Raises ImageError for a file that cannot be read, and, before decoding, for an image of more than MAX_PIXELS.
    """
    return decode(path, at_least)[0]


def decode(path: str | os.PathLike[str], at_least: int | None = None) -> tuple[np.ndarray, str]:
    """Read an image as `read_image` does; return it and the mode of its file, named as in Pillow ("RGB", "I;16")."""
    path = Path(path)
    try:
        _refuse_special(path)
        with path.open("rb") as file:
            return _decode(file, path, at_least)
    except ImageError:
        raise
    except Exception as error:  # a damaged file can make Pillow's decoders raise nearly anything
        raise ImageError(f"{path}: {_reason(error, path)}") from error


def image_of_bytes(
    content: bytes, name: str = "the image", formats: Sequence[str] = _FORMATS, max_pixels: int | None = None
) -> np.ndarray:
    """Decode the bytes of an image file as `read_image` does; errors call it `name`.

    formats: those that are read, as Pillow names them: fewer decoders are fewer risks where a stranger sends the bytes.
    max_pixels: instead of MAX_PIXELS.
    """
    try:
        return _decode(BytesIO(content), name, None, formats, max_pixels)[0]
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(f"{name}: {_unidentified(content[:16], formats)}") from error
    except Exception as error:  # a damaged file can make Pillow's decoders raise nearly anything
        raise ImageError(f"{name}: {_undecodable(error)}") from error


def image_of_pil(image: Image.Image, name: str = "the image") -> np.ndarray:
    """Convert a PIL image to (H, W, 3) uint8 RGB as `read_image` does; errors call it `name`."""
    try:
        with _quiet_pillow():
            return _to_rgb(_upright(image), name)
    except ImageError:
        raise
    except Exception as error:  # Pillow decodes only now
        raise ImageError(f"{name}: {_undecodable(error)}") from error


def _decode(
    file: BinaryIO,
    name: Path | str,
    at_least: int | None = None,
    formats: Sequence[str] = _FORMATS,
    max_pixels: int | None = None,
) -> tuple[np.ndarray, str]:
    with _quiet_pillow(), Image.open(file, formats=tuple(formats)) as image:
        mode = image.mode
        _refuse_sizes(image, name, max_pixels or MAX_PIXELS)
        if at_least is not None:
            image.draft(None, (at_least, at_least))
        image.load()
        return _to_rgb(_upright(image), name), mode


def image_size(path: Path) -> tuple[int, int]:
    """Return an upright image's (height, width) without decoding it. Raises ImageError as `read_image` does."""
    try:
        _refuse_special(path)
        with _quiet_pillow(), path.open("rb") as file, Image.open(file, formats=_FORMATS) as image:
            width, height = image.size
            turned = _orientation(image) in (5, 6, 7, 8)
    except ImageError:
        raise
    except Exception as error:
        raise ImageError(f"{path}: {_reason(error, path)}") from error
    return (width, height) if turned else (height, width)


def fit_image(image: np.ndarray, size: tuple[int, int], fit: Fit) -> np.ndarray:
    """Bring (H, W, 3) uint8 to (h, w, 3) uint8, size = (h, w), by antialiased bicubic resizing.

    "crop" covers the size and keeps the center; "pad" fits inside it and repeats the edge pixels; "stretch" does not
    keep the proportions. Raises FacesError for another `fit` or a size that is not positive, ValueError for an array
    that is not an image.
    """
    _check_target(size, fit)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"expected an image of shape (H, W, 3) and type uint8, got {image.shape} {image.dtype}")
    (height, width), (h, w) = image.shape[:2], size
    if (height, width) == size:
        return image.copy()
    if fit == "crop":
        scale = max(h / height, w / width)
        seen_h, seen_w = min(height, h / scale), min(width, w / scale)
        top, left = (height - seen_h) / 2, (width - seen_w) / 2
        return _resize(image, h, w, (left, top, left + seen_w, top + seen_h))
    if fit == "stretch":
        return _resize(image, h, w)
    scale = min(h / height, w / width)
    inner = _resize(image, min(h, max(1, round(height * scale))), min(w, max(1, round(width * scale))))
    missing = [n - inside for n, inside in zip(size, inner.shape, strict=False)]
    return np.pad(inner, [*((gap // 2, gap - gap // 2) for gap in missing), (0, 0)], mode="edge")


def load_images(
    paths: Sequence[str | os.PathLike[str]],
    size: tuple[int, int],
    fit: Fit,
    workers: int | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """Read and fit images into one array, (N, h, w, 3) uint8, in the order of `paths`.

    workers: threads, by default one per processor; Pillow decodes without the interpreter's lock. progress: called with
    (done, total) in the caller's thread. Raises ImageError for the first bad image in the order of `paths`.
    """
    _check_target(size, fit)
    pixels = np.empty((len(paths), *size, 3), np.uint8)

    def load(index: int) -> None:
        # Decoded at twice the size or more, so that the last step is still an antialiased resize.
        pixels[index] = fit_image(read_image(paths[index], at_least=2 * max(size)), size, fit)

    for done, _ in enumerate(map_in_threads(load, range(len(paths)), workers), 1):
        if progress:
            progress(done, len(paths))
    return pixels


def map_in_threads(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int | None = None
) -> Iterator[Result]:
    """Yield function(item) for each item in order, computed by threads slightly ahead of the consumer.

    Raises the first exception in the order of the items; items that have not begun then are dropped, as they are when
    the consumer stops. Raises FacesError for fewer than one worker.
    """
    workers = available_processors() if workers is None else workers
    if workers < 1:
        raise FacesError(f"workers is {workers}, expected at least 1: omit it to use all processors")
    pool, pending = ThreadPoolExecutor(workers), deque[Future[Result]]()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= 8 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except GeneratorExit:
        # Garbage collection may close a forgotten iterator in one of its own workers, which cannot wait for itself.
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    except BaseException:
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()


def available_processors() -> int:
    """Return how many processors this process may use; containers and `taskset` can limit them."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_quiet_lock = threading.Lock()
_quiet_readers = 0
_quiet_filters = warnings.catch_warnings()


@contextmanager
def _quiet_pillow() -> Iterator[None]:
    """Silence Pillow's warnings about bombs and damaged EXIF: what matters is raised as ImageError.

    `warnings.catch_warnings` replaces a list that all threads share, and overlapping readers would restore it in the
    wrong order. So the first reader silences the warnings, and the last one restores them.
    """
    global _quiet_readers, _quiet_filters
    with _quiet_lock:
        if _quiet_readers == 0:
            _quiet_filters = warnings.catch_warnings()
            _quiet_filters.__enter__()
            warnings.filterwarnings("ignore", module=r"PIL\.")
        _quiet_readers += 1
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_readers -= 1
            if _quiet_readers == 0:
                _quiet_filters.__exit__(None, None, None)


def _refuse_special(path: Path) -> None:
    """Raise ImageError for a device or a FIFO: opening one can wait for ever."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise ImageError(f"{path}: is a {kind_of_file(path.stat().st_mode)}, expected an image file: remove it")


def _refuse_sizes(image: Image.Image, path: Path | str, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise ImageError(f"{path}: {width} x {height} is more than {max_pixels:,} pixels: make it smaller or remove it")
    if width < 1 or height < 1:
        raise ImageError(f"{path}: {width} x {height} has no pixels: get it again or remove it")


def _reason(error: Exception, path: Path) -> str:
    """Explain an exception of reading a file: what is wrong, and what to do."""
    match error:
        case UnidentifiedImageError():
            with path.open("rb") as file:
                return _unidentified(file.read(16))
        case FileNotFoundError():
            near = suggest_path(path)
            return f"no such file: {f'did you mean {near}?' if near else 'check the path'}"
        case PermissionError():
            return "permission denied: make the file readable"
        case IsADirectoryError():
            return "is a folder, expected an image file"
        case Image.DecompressionBombError():
            return f"more than {MAX_PIXELS:,} pixels: make it smaller or remove it"
    return _undecodable(error)


def _unidentified(start: bytes, formats: Sequence[str] = _FORMATS) -> str:
    """Explain a file that begins with these bytes and has no format that is read."""
    if not start:
        return "is empty (0 bytes): get it again or remove it"
    if start[4:8] == b"ftyp":
        return (
            f"a file of the kind {start[8:12].decode('latin-1')!r} (HEIC, AVIF or a video), expected an image "
            f"({', '.join(formats)}): save it as JPEG"
        )
    return f"begins with {start!r}, expected an image ({', '.join(formats)}): get it again or remove it"


def _undecodable(error: Exception) -> str:
    return f"cannot be decoded, so it is truncated or damaged ({error}): get it again or remove it"


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 where there is none."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # damaged EXIF can raise nearly anything; the pixels are still good
        orientation = None
    return orientation if isinstance(orientation, int) else 1


def _upright(image: Image.Image) -> Image.Image:
    method = _UPRIGHT.get(_orientation(image))
    return image if method is None else image.transpose(method)


def _to_rgb(image: Image.Image, path: Path | str) -> np.ndarray:
    """Convert an image of any mode to a new (H, W, 3) uint8 array."""
    if image.mode == "F" or image.mode.startswith("I"):
        gray = _to_gray8(np.asarray(image), path)
        return np.repeat(gray[..., None], 3, axis=2)
    if image.mode in {"LA", "PA", "RGBA", "RGBa"} or "transparency" in image.info:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    return np.array(image.convert("RGB"))


def _to_gray8(gray: np.ndarray, path: Path | str) -> np.ndarray:
    """Convert integers of 0 to 65535, or floats of 0 to 1 or 0 to 255, to uint8."""
    low, high = gray.min(), gray.max()
    if gray.dtype.kind in "iu" and low >= 0 and high <= 65535:
        return ((gray.astype(np.int64) + 128) // 257).astype(np.uint8)
    if gray.dtype.kind == "f" and low >= 0 and high <= 255:
        return np.rint(gray * 255 if high <= 1 else gray).astype(np.uint8)
    raise ImageError(
        f"{path}: its pixels range from {low} to {high}, expected integers of 0 to 65535, or floats of 0 to 1 or "
        "of 0 to 255: save it with 8 bits a channel"
    )


def _resize(image: np.ndarray, h: int, w: int, box: tuple[float, float, float, float] | None = None) -> np.ndarray:
    # reducing_gap: an image more than three times as large is first averaged over whole pixels, which is faster.
    return np.array(Image.fromarray(image).resize((w, h), Image.Resampling.BICUBIC, box, reducing_gap=3.0))


def _check_target(size: tuple[int, int], fit: str) -> None:
    if fit not in get_args(Fit):
        raise FacesError(f"fit is {fit!r}, expected one of: {', '.join(get_args(Fit))}")
    if len(size) != 2 or min(size) < 1:
        raise FacesError(f"size is {size}, expected (height, width), each at least 1")
