"""What the server counts for Prometheus, and what it logs: neither photos, nor names, nor keys."""

import logging

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

log = logging.getLogger("faces.serve")

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """Requests by route and status, their seconds, and how many wait."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "faces_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "faces_request_seconds", "Seconds that a request took.", ["route"], buckets=BUCKETS, registry=self.registry
        )
        self.waiting = Gauge("faces_queue_waiting", "Requests that wait for the network.", registry=self.registry)
        self.faces = Counter("faces_detected", "Faces found in photos.", registry=self.registry)

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request, and log it. route: the path's pattern, so that neither holds what a client typed."""
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)
        log.info("%s %s %d %.0f ms", method, route, status, 1000 * seconds)

    def text(self) -> bytes:
        """Return everything in Prometheus's format."""
        return generate_latest(self.registry)
