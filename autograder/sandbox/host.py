"""The grader's side of the sandbox: starts the zygote, sends it tests, and reads the answers."""

import contextlib
import dataclasses
import os
import secrets
import select
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from autograder import wire
from autograder.sandbox import jail, landlock, libraries, linux
from autograder.sandbox.limits import Limits
from autograder.submission import remove
from autograder.text import plain

_HERE = Path(__file__).resolve().parents[2]
_OURS = ("autograder", "experiments", "models", "mytorch", "tests")
_GRACE = 10.0
_MAX_ANSWER = 1 << 28
_FEATURES = ("user", "jail", "filter")  # what a system may refuse
_WITHOUT: tuple[tuple[str, ...], ...] = ((), ("user",), ("jail",), ("user", "jail"), ("user", "jail", "filter"))
_MAX_TEXT = 2000  # of a field in a worker's message

_works: dict[tuple[bool, bool], int] = {}  # which of _WITHOUT this machine allows, once that is known

PROTECTIONS = {
    "limits": "CPU time, memory, file size and open files are limited by the kernel",
    "files": "a worker can read Python's libraries and the submission, and write to its scratch folder only",
    "jail": "a worker sees nothing else of the machine and no network, and its processes end with the test",
    "user": "each worker runs as a user that owns nothing, with its own limit of processes",
    "seccomp": "the kernel refuses all system calls but those for computing: no new processes, sockets or signals",
    "guard": "forbidden imports are refused and reported by Python itself",
}


class SandboxError(RuntimeError):
    """The sandbox itself failed, which says nothing about the submission."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How one run of a worker ended, and what it sent."""

    status: str  # exited, killed, timeout, output, results
    code: int
    seconds: float
    output: str  # the end of what it printed
    printed: int  # bytes
    violations: list[tuple[str, str]]
    messages: list[tuple[dict[str, Any], list[wire.Array]]]
    broken: str = ""  # why the messages ended early, where they were not in the format

    @property
    def complete(self) -> bool:
        """Whether the worker reached the end of its script."""
        return any(header.get("kind") == "end" for header, _ in self.messages)


class Sandbox:
    """A zygote for one submission, with one or more tests run after each other: `with Sandbox(folder, ...) as box`.

    folder: the submission, as `submission.staged` leaves it. forbidden: dotted module names.
    allowed: the installed libraries, by the names of their distributions, that it may import.
    jailed, filtered: False omits the jail, or the kernel's filters, as on systems that have none.
    """

    def __init__(
        self,
        folder: Path,
        forbidden: Sequence[str],
        allowed: Sequence[str] = ("numpy",),
        jailed: bool = True,
        filtered: bool = True,
    ) -> None:
        self.folder, self.forbidden = folder.resolve(), list(forbidden)
        self.visible = libraries.visible(allowed, forbidden)
        self.jailed = jailed and linux.AVAILABLE
        self.filtered = filtered and linux.AVAILABLE
        self.held: list[str] = []
        self._zygote: subprocess.Popen[bytes] | None = None
        self._room = tempfile.TemporaryDirectory(prefix="autograder-", ignore_cleanup_errors=True)

    def __enter__(self) -> "Sandbox":
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        self._room.cleanup()

    @property
    def root(self) -> str:
        """Where the worker sees the submission: without the jail, in a new copy for each test."""
        return jail.SUBMISSION if "jail" in self.held else os.path.join(self._room.name, "submission")

    @property
    def protections(self) -> dict[str, bool]:
        """Each of PROTECTIONS, and whether it holds here."""
        always = {"guard", *(["limits"] if sys.platform != "win32" else [])}
        return {name: name in always or name in self.held for name in PROTECTIONS}

    def run(self, request: Mapping[str, Any], arrays: Sequence[wire.Array], limits: Limits) -> Outcome:
        """Run one worker. SandboxError where the sandbox fails twice, which is never the submission's doing."""
        for attempt in (1, 2):
            if self._zygote is None:
                self._start()
            os.makedirs(self._room.name, exist_ok=True)  # an unjailed worker may have deleted it
            scratch = Path(tempfile.mkdtemp(prefix="scratch-", dir=self._room.name))
            try:
                if "jail" not in self.held:
                    remove(self.root)
                    shutil.copytree(self.folder, self.root)
                scratch.chmod(0o777 if self._uid is not None else 0o700)
                message = {**request, "root": self.root, "limits": limits.to_json(), "scratch": str(scratch)}
                self._send(message, arrays)
                header, payload = self._receive(limits.seconds + _GRACE)
                return _outcome(header, payload)
            except (OSError, EOFError, _NotReadyError) as error:
                self._stop()
                _works.pop((self.jailed, self.filtered), None)  # rehearse again: it may work with less protection
                if attempt == 2:
                    raise SandboxError(f"the sandbox could not run this test: {error}") from error
                continue
            finally:
                remove(scratch)
        raise AssertionError

    def _start(self) -> None:
        """Start the zygote with all that the system allows: a protection that it refuses is left out, and reported."""
        Path(self._room.name).chmod(0o711)
        wanted, refused = (self.jailed, self.filtered), []
        for number in range(_works.get(wanted, 0), len(_WITHOUT)):
            left_out = _WITHOUT[number]
            if number and all(not self._has(feature) for feature in left_out if feature not in _WITHOUT[number - 1]):
                continue  # the same as before
            header = self._launch(self._settings(left_out))
            if "failed" not in header:
                _works[wanted] = number
                self.held = list(header["protections"])
                return
            refused.append(str(header["failed"]))
        raise SandboxError(f"the sandbox does not start: {'; '.join(dict.fromkeys(refused))}")

    def _has(self, feature: str) -> bool:
        """Whether there is something to leave out."""
        return {
            "user": linux.AVAILABLE and os.geteuid() == 0, "jail": self.jailed, "filter": self.filtered,
        }[feature]  # fmt: skip

    def _launch(self, settings: dict[str, Any]) -> dict[str, Any]:
        """A zygote, and its first answer."""
        self._stop()
        paths = [str(_HERE), *libraries.site_folders()]
        program = f"import sys; sys.path[:0] = {paths!r}; from autograder.sandbox.zygote import main; main()"
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self._zygote = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**threads, "LC_ALL": "C.UTF-8", "PATH": os.defpath},
            start_new_session=True,
        )
        try:
            self._send(settings, [])
            return self._receive(60.0)[0]
        except (OSError, EOFError) as error:
            self._stop()
            return {"failed": str(error) or "it ended at once"}

    def _settings(self, left_out: Sequence[str] = ()) -> dict[str, Any]:
        """What the zygote needs to know once."""
        jailed, filtered = self.jailed and "jail" not in left_out, self.filtered and "filter" not in left_out
        visible, sites = self.visible, libraries.site_folders()
        wanted_is_unknown = (self.jailed, self.filtered) not in _works
        root, scratch = Path(self._room.name, "root"), Path(self._room.name, "rehearsal")
        for folder in (root, scratch):
            folder.mkdir(exist_ok=True)
        ours = [os.path.join(folder, name) for folder in {*sites, str(_HERE)} for name in _OURS]
        packages = [os.path.join(folder, *name.split(".")) for folder in sites for name in self.forbidden]
        open_to_all = jailed or all(_open_to_all(folder) for folder in [*visible.search, str(self.folder)])
        self._uid = None
        if self._has("user") and open_to_all and "user" not in left_out:
            self._uid = 60000 + secrets.randbelow(4000)
        scratch.chmod(0o777 if self._uid is not None else 0o700)
        return {
            "jail": jailed,
            "seccomp": filtered,
            "rehearse": wanted_is_unknown,
            "landlock": filtered and not jailed and landlock.version() > 0,
            "uid": self._uid,
            "root": str(root),
            "scratch": str(scratch),
            "submission": str(self.folder),
            "libraries": visible.paths,
            "hidden": visible.hidden,
            "modules": visible.modules,
            "search": visible.search,
            "site": sites,
            "forbidden": self.forbidden,
            "closed": [] if jailed else [*packages, *ours],
        }

    def _send(self, header: Mapping[str, Any], arrays: Sequence[wire.Array]) -> None:
        assert self._zygote is not None
        assert self._zygote.stdin is not None
        message = wire.pack(dict(header), list(arrays))
        self._zygote.stdin.write(struct.pack(">Q", len(message)) + message)
        self._zygote.stdin.flush()

    def _receive(self, seconds: float) -> tuple[dict[str, Any], bytes]:
        """An answer and the data behind it; EOFError if the zygote ends or takes longer than `seconds`."""
        deadline = time.monotonic() + seconds
        message, payload = struct.unpack(">QQ", self._read(16, deadline))
        if message + payload > _MAX_ANSWER:
            raise EOFError("it answers with too much")
        header = next(iter(wire.unpack(self._read(message, deadline))))[0]
        return header, self._read(payload, deadline)

    def _read(self, size: int, deadline: float) -> bytes:
        assert self._zygote is not None
        assert self._zygote.stdout is not None
        number, data = self._zygote.stdout.fileno(), bytearray()
        while len(data) < size:
            if not select.select([number], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise EOFError("it does not answer")
            chunk = os.read(number, min(size - len(data), 1 << 20))
            if not chunk:
                raise EOFError("it has ended")
            data += chunk
        return bytes(data)

    def _stop(self) -> None:
        """End the zygote, and with it everything that it started."""
        zygote, self._zygote = self._zygote, None
        if zygote is None:
            return
        for pipe in (zygote.stdin, zygote.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
        try:
            zygote.wait(0.5)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(zygote.pid, signal.SIGKILL)
            zygote.wait()


class _NotReadyError(Exception):
    """The worker ended before the submission could run."""


def _outcome(header: dict[str, Any], payload: bytes) -> Outcome:
    """The zygote's answer; the worker's part of it is read with suspicion."""
    messages: list[tuple[dict[str, Any], list[wire.Array]]] = []
    broken = ""
    try:
        for fields, arrays in wire.unpack(payload):
            messages.append((_simple(fields), arrays))
    except wire.WireError as error:
        broken = plain(str(error))[:_MAX_TEXT]
    if not messages or messages[0][0].get("kind") != "ready":
        why = messages[0][0].get("error") if messages else f"it ends before it is ready ({header['status']})"
        raise _NotReadyError(f"the worker cannot be protected: {why}")
    return Outcome(
        status=header["status"],
        code=header["code"],
        seconds=header["seconds"],
        output=plain(header["output"]),
        printed=header["printed"],
        violations=[(kind, plain(text)) for kind, text in header["violations"]],
        messages=messages[1:],
        broken=broken,
    )


def _simple(fields: dict[str, Any]) -> dict[str, Any]:
    """A message's fields as short texts and numbers: a submission may send what it likes."""
    found: dict[str, Any] = {}
    for name in ("kind", "case", "out", "is", "type", "class", "step", "message", "where", "error", "text", "after"):
        value = fields.get(name)
        if isinstance(value, str):
            found[name] = plain(value[:_MAX_TEXT])
        elif type(value) is int and abs(value) < 1 << 31:
            found[name] = value
        elif isinstance(value, dict):
            texts = {key: value.get(key) for key in ("type", "message", "where")}
            found[name] = {key: plain(text[:_MAX_TEXT]) for key, text in texts.items() if isinstance(text, str)}
    return found


def _open_to_all(folder: str) -> bool:
    """Whether any user may read a folder, by the modes of it and of all above it."""
    path = Path(folder).resolve()
    if not path.exists():
        return True
    wanted = stat.S_IROTH | stat.S_IXOTH
    return path.stat().st_mode & wanted == wanted and all(p.stat().st_mode & stat.S_IXOTH for p in path.parents)
