"""Kill (-9) a process that changes a gallery at random moments: python results/gallery/kill.py LOCATION [TIMES [SEED]].

After each kill the gallery must open, everybody acknowledged must be there with all photos, nobody removed may be back,
and SQLite's own check must find nothing. Prints one line of JSON; ends with status 1 where something is wrong.
"""

import json
import random
import sqlite3
import sys
import time

from workers import DIMENSION, NETWORK, check, enrolled_by, start

from experiments.evaluation.embedding import EmbedOptions
from experiments.evaluation.gallery.store import GalleryStore


def main(location: str, times: int = 20, seed: int = 0) -> int:
    """Kill a process so many times, each at another moment of its first second of work."""
    draw = random.Random(seed)
    GalleryStore.create(location, NETWORK, DIMENSION, EmbedOptions()).close()
    lines: list[str] = []
    wrong: list[str] = []
    for number in range(times):
        process = start(location, f"k{number}", 60)
        assert process.stdout is not None
        first = process.stdout.readline()  # it works: the moments are not spent on imports
        time.sleep(draw.random())
        process.kill()
        lines += [first, *process.communicate()[0].splitlines()]
        found = check(location, *enrolled_by(lines), exactly=False)
        if "://" not in location:
            connection = sqlite3.connect(location)
            (said,) = connection.execute("PRAGMA integrity_check").fetchone()
            connection.close()
            found += [] if said == "ok" else [f"integrity_check: {said}"]
        wrong += [f"kill {number}: {one}" for one in found]
    _, gone = enrolled_by(lines)
    report = {
        "database": "postgresql" if "://" in location else "sqlite",
        "kills": times,
        "seed": seed,
        "acknowledged": {"enrolled": sum(line.startswith("enrolled") for line in lines), "removed": len(gone)},
        "wrong": wrong[:10],
    }
    print(json.dumps(report))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *(int(word) for word in sys.argv[2:])))
