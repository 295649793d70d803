"""Time a gallery's search, exact and approximate: python results/gallery/search.py LOCATION PEOPLE [PROBES].

Made-up people with random templates of length 128; each probe is somebody's template with noise, at a similarity of
about 0.7. Recall: how often the approximate search finds whom the exact one finds first. Prints one line of JSON.
"""

import json
import sys
import time
import uuid
from datetime import UTC, datetime

import numpy as np
from sqlalchemy import insert
from workers import DIMENSION, NETWORK

from experiments.evaluation.embedding import EmbedOptions
from experiments.evaluation.gallery.store import GalleryStore
from experiments.evaluation.gallery.tables import PERSON

CHUNK = 5000


def main(location: str, people: int, probes: int = 200) -> None:
    """Fill a new gallery with templates alone, past the embeddings of photos, and time searches one by one."""
    rng = np.random.default_rng(0)
    with GalleryStore.create(location, NETWORK, DIMENSION, EmbedOptions()) as store:
        now = datetime.now(UTC)
        asked = []
        for start in range(0, people, CHUNK):
            rows = rng.standard_normal((min(CHUNK, people - start), DIMENSION))
            rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
            asked.append(rows[: -(-probes * len(rows) // people)])
            values = [
                {"id": uuid.uuid4().hex, "name": f"p{start + n}", "folded": f"p{start + n}", "created": now,
                 "changed": now, "photos": 1, "template": row}
                for n, row in enumerate(rows)
            ]  # fmt: skip
            with store._write() as connection:
                connection.execute(insert(PERSON), values)
        drawn = np.concatenate(asked)[:probes]
        drawn = drawn + rng.standard_normal(drawn.shape) / np.sqrt(DIMENSION)
        drawn = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
        report: dict[str, object] = {
            "database": "postgresql" if "://" in location else "sqlite",
            "people": people,
            "probes": len(drawn),
        }
        best: dict[bool, list[str]] = {}
        for approximate in (False, True):
            began = time.perf_counter()
            store.search(drawn[:1], 1, approximate)
            first = time.perf_counter() - began
            times, best[approximate] = [], []
            for probe in drawn:
                began = time.perf_counter()
                ((match, *_),) = store.search(probe[None], 1, approximate)
                times.append(time.perf_counter() - began)
                best[approximate].append(match.id)
            report["approximate" if approximate else "exact"] = {
                "first_search_seconds": round(first, 2),
                "milliseconds_p50": round(1000 * float(np.quantile(times, 0.5)), 2),
                "milliseconds_p99": round(1000 * float(np.quantile(times, 0.99)), 2),
            }
        report["recall"] = float(np.mean([one == other for one, other in zip(best[False], best[True], strict=True)]))
        began = time.perf_counter()
        store.rename("p0", "renamed", "test")
        report["seconds_to_rename_and_overwrite"] = round(time.perf_counter() - began, 2)
    print(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1], *(int(word) for word in sys.argv[2:]))
