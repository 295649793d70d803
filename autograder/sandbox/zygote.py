"""The trusted process that forks a fresh worker for each test, so that NumPy is loaded once and not for each.

It speaks `autograder.wire` over its standard input and output: first its settings, then a request for each test.
"""

import contextlib
import gc
import json
import os
import signal
import struct
import sys
from typing import Any, BinaryIO

import numpy as np  # loaded here so that no worker has to
import numpy.lib.stride_tricks
import numpy.random

from autograder import wire
from autograder.sandbox import guard, jail, keeper, landlock, limits, linux, seccomp, worker
from autograder.sandbox.loading import importing_line

_ = np, numpy


def main() -> None:
    """Serve requests until the grader closes the pipe."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(nothing, number)
    settings, _ = receive(requests)
    try:
        protections = protect(settings)
        sys.path[:] = settings["search"]
        gc.freeze()  # also takes everything so far out of gc's lists, where a submission would find it
        if settings["rehearse"]:
            rehearse(settings)
    except OSError as error:
        send(answers, {"failed": str(error)})
        return
    send(answers, {"protections": protections})
    while True:
        try:
            request, arrays = receive(requests)
        except EOFError:
            return
        keeper_id = os.fork()
        if not keeper_id:
            requests.close()
            status = 1
            try:
                report, results = serve(request, arrays, settings)
                send(answers, report, results)
                status = 0
            finally:
                os._exit(status)
        if os.waitpid(keeper_id, 0)[1]:
            return  # the grader sees the pipe close


def protect(settings: dict[str, Any]) -> list[str]:
    """Enter the jail if wanted; returns the names of the protections that hold. OSError if the system refuses."""
    held = []
    if settings["jail"]:
        jail.enter(settings["root"], settings["submission"], settings["libraries"], settings["hidden"])
        held.append("jail")
    if settings["uid"] is not None:
        held.append("user")
    if settings["seccomp"] and seccomp.supported():
        held.append("seccomp")
    if settings["jail"] or settings["landlock"]:
        held.append("files")
    return held


def rehearse(settings: dict[str, Any]) -> None:
    """Run a worker that does nothing: where the system refuses a protection, that is found before any submission runs.

    Raises OSError, which says what was refused.
    """
    bounds = limits.Limits(seconds=30.0).to_json()
    request = {"limits": bounds, "root": settings["scratch"], "scratch": settings["scratch"]}
    read_end, write_end = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(read_end)
            with os.fdopen(write_end, "wb") as stream:
                stream.write(serve({**request, "folders": [], "classes": {}, "cases": []}, [], settings)[1])
        finally:
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as stream:
        answer = stream.read()
    os.waitpid(child, 0)
    kinds = {}
    for header, _ in wire.unpack(answer):
        kinds[header.get("kind")] = header.get("error")
    if "end" not in kinds:
        raise OSError(kinds.get("unprotected") or "a worker ends before it is ready")


def serve(request: dict[str, Any], arrays: list[wire.Array], settings: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """One test, in the process that will be its keeper."""
    if linux.AVAILABLE:
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    bounds = limits.Limits(**request["limits"])
    uid: int | None = settings["uid"]
    if settings["jail"]:
        jail.fresh_scratch(bounds.scratch, uid)

    def work(results: int, violations: int) -> None:
        loading = [True]

        def report(kind: str, text: str) -> None:
            if kind == "import":
                line, is_statement = importing_line(request["root"])
                kind, text = "load" if loading and is_statement else kind, f"{text} ({line})" if line else text
            os.write(violations, json.dumps([kind, text]).encode() + b"\n")

        def answer(header: dict[str, Any], payload: list[Any]) -> None:
            data = memoryview(wire.pack(header, payload))
            while data:
                data = data[os.write(results, data) :]

        try:
            np.random.seed()  # students use the global generator: each worker draws its own numbers
            confine(request, bounds, uid, settings)
            modules, sites, closed = settings["modules"], settings["site"], settings["closed"]
            readable = None if settings["jail"] else settings["libraries"]
            guard.arm(settings["forbidden"], modules, sites, readable, closed, report)
        except BaseException as error:
            answer({"kind": "unprotected", "error": f"{type(error).__name__}: {error}"}, [])
            os._exit(1)
        answer({"kind": "ready"}, [])  # the grader believes this one, since no submission has run yet
        try:
            worker.run(request, arrays, answer, loading.clear)
        finally:
            with contextlib.suppress(BaseException):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(0)

    return keeper.keep(bounds, bool(settings["jail"]), work)


def confine(request: dict[str, Any], bounds: limits.Limits, uid: int | None, settings: dict[str, Any]) -> None:
    """Everything that protects the machine from this process."""
    os.chdir(jail.SCRATCH if settings["jail"] else request["scratch"])
    if settings["landlock"]:
        linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
        libraries, hidden, listed = settings["libraries"], settings["hidden"], settings["search"]
        landlock.restrict(libraries, hidden, listed, request["root"], request["scratch"])
    surrender(bounds, uid, settings)
    os.environ.clear()
    os.environ.update(HOME=os.getcwd(), TMPDIR=os.getcwd(), LC_ALL="C.UTF-8", OMP_NUM_THREADS="1")


def surrender(bounds: limits.Limits, uid: int | None, settings: dict[str, Any]) -> None:
    """Give up this process's user, privileges and capabilities, and set its limits."""
    limits.apply(bounds, own_user=uid is not None)
    os.umask(0o077)
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    if linux.AVAILABLE:
        linux.prctl(linux.PR_SET_DUMPABLE, 0)
        linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
        linux.drop_capabilities()
    if settings["seccomp"] and seccomp.supported():
        seccomp.install()


def receive(stream: BinaryIO) -> tuple[dict[str, Any], list[wire.Array]]:
    """One message, preceded by its length; EOFError at the end."""
    head = stream.read(8)
    if len(head) < 8:
        raise EOFError
    (length,) = struct.unpack(">Q", head)
    for message in wire.unpack(stream.read(length)):
        return message
    raise EOFError


def send(stream: BinaryIO, header: dict[str, Any], payload: bytes = b"") -> None:
    """One message, preceded by its length, and whatever the worker sent behind it."""
    message = wire.pack(header)
    stream.write(struct.pack(">QQ", len(message), len(payload)) + message + payload)
    stream.flush()
