"""Settings of the service: where it listens, and what it refuses."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from experiments.errors import FacesError
from experiments.inference.networks import DEFAULT

LOOPBACK = ("127.0.0.1", "localhost", "::1")
CONSENT = "Enroll only people who agreed to it. Embeddings of faces are biometric data, and they can be deleted below."
MEGABYTE = 1_000_000
ANY_ADDRESS = ("0.0.0.0", "::")


@dataclass(frozen=True)
class ServeSettings:
    """network: a run, a known network or an exported embedding. gallery: a file or URL; without one nothing is stored.

    host, port: where the server listens. api_key_file: the hashes of the API keys, without which only loopback is
    served. hosts: names in the Host header that are accepted besides the address itself. max_bytes: of a request's
    body; max_pixels: of a photo; max_photos: of a request. queue: requests that wait for the network. rate: requests a
    minute and client, 0 for no limit. thumbnails: whether a small image of each enrolled face is stored. consent: what
    the page says where people are enrolled. body_seconds: in which a body must arrive; decode_seconds: the same for
    decoding.
    """

    network: str = DEFAULT
    gallery: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    api_key_file: Path | None = None
    hosts: tuple[str, ...] = ()
    max_bytes: int = 24 * MEGABYTE
    max_pixels: int = 40_000_000
    max_photos: int = 16
    queue: int = 16
    rate: int = 600
    thumbnails: bool = True
    consent: str = CONSENT
    body_seconds: float = 30.0
    decode_seconds: float = 10.0

    @property
    def accepted_hosts(self) -> frozenset[str]:
        """The values of the Host header that are accepted, without a port: others are DNS rebinding or a mistake."""
        own = LOOPBACK if is_loopback(self.host) else () if self.host in ANY_ADDRESS else (self.host,)
        return frozenset(name.lower().strip("[]") for name in (*own, *self.hosts))


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_settings(settings: ServeSettings) -> None:
    """Raise FacesError where a stranger could reach the server without a key, or no request could ever be accepted."""
    if not is_loopback(settings.host) and settings.api_key_file is None:
        raise FacesError(
            f"--host {settings.host}: other machines can reach it, so it needs API keys: give --api-key-file FILE "
            "(`faces serve --api-key-file FILE --new-key NAME` makes a key), or leave out --host"
        )
    if not settings.accepted_hosts:
        raise FacesError(
            f"--host {settings.host} listens on every address: name the hosts that clients type, with "
            "--allow-host NAME for each"
        )
