"""Decodes uploaded photos in a process of its own, which may use little memory and little time and write no file.

A photo that makes a decoder crash, hang or swell ends that process, and the next photo gets a new one. What comes back
is raw pixels, so nothing that the process sends is ever executed, and EXIF data ends there.
"""

import multiprocessing
import os
import resource
import struct
import threading
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

import numpy as np

from experiments.data.images import ImageError, image_of_bytes

FORMATS = ("JPEG", "PNG", "WEBP")
"""What browsers and phones make. Fewer decoders are fewer risks."""

MEMORY = 2_000_000_000
"""Bytes of address space that decoding may add."""

START_SECONDS = 60.0
"""How long the process may take to start, which is no photo's fault: a busy machine needs several seconds."""

HEADER, READY = struct.Struct("<II"), b"R"


def _limit_process() -> None:
    with open("/proc/self/statm", encoding="ascii") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    limits = {resource.RLIMIT_AS: used + MEMORY, resource.RLIMIT_FSIZE: 0, resource.RLIMIT_CORE: 0}
    for name, most in limits.items():
        hard = resource.getrlimit(name)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(name, (most, most))


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _serve(pipe: Connection, max_pixels: int) -> None:
    """The process: bytes in, pixels or an error message out."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _limit_process()
    pipe.send_bytes(READY)
    while True:
        try:
            name, content = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        try:
            pixels = image_of_bytes(content, name, FORMATS, max_pixels)
        except (ImageError, MemoryError) as error:
            message = str(error) or f"{name}: needs too much memory to be decoded: make it smaller"
            pipe.send_bytes(b"E" + message.encode("utf-8", "replace"))
        else:
            pipe.send_bytes(b"I" + HEADER.pack(*pixels.shape[:2]) + pixels.tobytes())


class Decoder:
    """Decodes one photo at a time; safe to call from several threads."""

    def __init__(self, max_pixels: int, seconds: float) -> None:
        self.max_pixels, self.seconds = max_pixels, seconds
        self._lock = threading.Lock()
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None

    def start(self) -> None:
        """Start the process, so that the first photo need not wait for it."""
        with self._lock:
            self._running()

    def decode(self, content: bytes, name: str) -> np.ndarray:
        """Return a photo as (H, W, 3) uint8, upright. Raises ImageError, which calls it `name`."""
        with self._lock:
            pipe = self._running()
            try:
                pipe.send((name, content))
                if not pipe.poll(self.seconds):
                    self._stop()
                    raise ImageError(f"{name}: took more than {self.seconds:g} seconds to decode: make it smaller")
                answer = pipe.recv_bytes(1 + HEADER.size + 3 * self.max_pixels)
            except (EOFError, OSError) as error:
                self._stop()
                raise ImageError(f"{name}: the decoder failed at it, so it is damaged: get it again") from error
        if answer[:1] == b"E":
            raise ImageError(answer[1:].decode("utf-8", "replace"))
        height, width = HEADER.unpack_from(answer, 1)
        return np.frombuffer(answer, np.uint8, offset=1 + HEADER.size).reshape(height, width, 3)

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._stop()

    def _running(self) -> Connection:
        if self._process is None or self._pipe is None or not self._process.is_alive():
            self._stop()
            context = multiprocessing.get_context("spawn")
            self._pipe, other = context.Pipe()
            self._process = context.Process(target=_serve, args=(other, self.max_pixels), daemon=True)
            self._process.start()
            other.close()
            if not self._pipe.poll(START_SECONDS) or self._pipe.recv_bytes() != READY:
                self._stop()
                raise OSError("the process that decodes photos does not start")
        return self._pipe

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None
