"""The process in which a submission runs: it imports the classes of a test and carries out its cases."""

from collections.abc import Callable
from typing import Any

import numpy as np

from autograder import wire
from autograder.sandbox import given
from autograder.sandbox.loading import Loader
from autograder.sandbox.steps import Case, Send, describe


def run(request: dict[str, Any], arrays: list[wire.Array], send: Send, loaded: Callable[[], None]) -> None:
    """Import the submission's classes, then run every case, sending a message for each value that the script reads.

    request: {"root": ..., "folders": [[folder, aside], ...], "classes": {name: [file, attribute] or None},
    "cases": [{"number", "steps"}]}; a class of None is one that the grader provides (`given`). The first class is the
    one under test. `loaded` is called once the imports are done.
    """
    np.seterr(all="ignore")
    loader = Loader(request["root"], request["folders"])
    classes: dict[str, Any] = {}
    for name, source in request["classes"].items():
        if source is None:
            classes[name] = given.CLASSES[name]
            continue
        try:
            classes[name] = loader.load(*source)
        except BaseException as error:
            if classes and name in given.CLASSES:
                classes[name] = given.CLASSES[name]
                continue
            _send_notes(loader, send)
            send({"kind": "import", "class": name, "error": describe(error, request["root"])}, [])
            return
    _send_notes(loader, send)
    loaded()
    for case in request["cases"]:
        send({"kind": "begin", "case": case["number"]}, [])
        Case(case["number"], classes, arrays, send, request["root"]).run(case["steps"])
    send({"kind": "end"}, [])


def _send_notes(loader: Loader, send: Send) -> None:
    for note in dict.fromkeys(loader.notes[:50]):
        send({"kind": "note", "text": note}, [])
