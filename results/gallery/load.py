"""Processes that enroll, remove and identify at once: python results/gallery/load.py LOCATION [PROCESSES [SECONDS]].

Afterwards nobody may be lost or left over, no search may have named another person, and no process may have failed.
Prints one line of JSON; ends with status 1 where something is wrong.
"""

import json
import sys

import numpy as np
from workers import DIMENSION, NETWORK, check, enrolled_by, start

from experiments.evaluation.embedding import EmbedOptions
from experiments.evaluation.gallery.store import GalleryStore


def main(location: str, processes: int = 8, seconds: float = 60.0) -> int:
    """Run the processes on a new gallery, and check it."""
    GalleryStore.create(location, NETWORK, DIMENSION, EmbedOptions()).close()
    running = [start(location, f"w{number}", seconds) for number in range(processes)]
    outputs = [process.communicate()[0].splitlines() for process in running]
    failed = sum(process.returncode != 0 for process in running)
    there, gone = enrolled_by([line for lines in outputs for line in lines])
    times: dict[str, list[float]] = {"enroll": [], "remove": [], "identify": []}
    wrong_names = 0
    for lines in outputs:
        for line in lines[-1:]:
            if line.startswith("times "):
                found = json.loads(line.removeprefix("times "))
                wrong_names += found["wrong"]
                for what in times:
                    times[what] += found[what]
    wrong = check(location, there, gone, exactly=True)
    with GalleryStore.open(location) as store:
        shared = store.person("shared").photos
        if shared != len(there | gone):
            wrong.append(f"shared has {shared} photos, acknowledged were {len(there | gone)}")
    report = {
        "database": "postgresql" if "://" in location else "sqlite",
        "processes": processes,
        "seconds": seconds,
        "enrolled": len(there | gone),
        "removed": len(gone),
        "failed_processes": failed,
        "wrong_names": wrong_names,
        "wrong": wrong[:10],
        "milliseconds": {
            what: {
                name: round(1000 * float(np.quantile(values, q)), 1)
                for name, q in (("p50", 0.5), ("p95", 0.95), ("max", 1))
            }
            for what, values in times.items()
            if values
        },
        "requests": {what: len(values) for what, values in times.items()},
    }
    print(json.dumps(report))
    return int(bool(failed or wrong_names or wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *(int(word) for word in sys.argv[2:])))
