"""`python -m docs`: build the site without a network; warnings are errors. `--serve` shows it on this machine."""

import argparse
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from docs.site import BUILD, build
from experiments.errors import FacesError


def main() -> None:
    """Build the site and print where it is. An error is one line on standard error, with exit status 2."""
    parser = argparse.ArgumentParser(prog="python -m docs", description="Build the documentation site.")
    parser.add_argument("--serve", action="store_true", help="then serve it on this machine, until Ctrl-C")
    parser.add_argument("--port", type=int, default=8000, help="the port of --serve (default: 8000)")
    options = parser.parse_args()
    try:
        site = build(BUILD)
    except FacesError as error:
        print(f"docs: {error}", file=sys.stderr)
        sys.exit(2)
    if options.serve:
        serve(site, options.port)
    else:
        print(f"open {site / 'index.html'}, or serve it: python -m docs --serve")


def serve(site: Path, port: int) -> None:
    """Serve a built site on the loopback address until Ctrl-C."""
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), partial(SimpleHTTPRequestHandler, directory=str(site)))
    except OSError as error:
        print(f"docs: port {port} cannot be used ({error.strerror}): choose another --port", file=sys.stderr)
        sys.exit(2)
    print(f"serving http://127.0.0.1:{server.server_port}/index.html; Ctrl-C stops it", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()


if __name__ == "__main__":
    main()
