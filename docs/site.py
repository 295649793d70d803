"""Building the site: pages and pictures are written, Zensical makes HTML of them, and links are followed."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from docs.links import dead
from experiments.errors import FacesError

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BUILD = HERE / "build"
NEEDED = ("zensical", "mkdocstrings", "latex2mathml")
COMPLAINT = re.compile(r"^\W*(warning|error)\b", re.IGNORECASE | re.MULTILINE)
COLOUR = re.compile(r"\x1b\[[\d;]*m")


def build(out: Path) -> Path:
    """Build the site in `out`/site, which is returned; nothing is fetched. What stood in `out` from before goes.

    Raises FacesError for a warning of any of the tools, a page that is in no menu, or a link that leads nowhere.
    """
    missing = [name for name in NEEDED if not find_spec(name)]
    if missing:
        raise FacesError(f"{', '.join(missing)}: not installed; pip install -e '.[docs]'")
    write_pages(out)
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "-f", str(out / "zensical.toml")]
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    run = subprocess.run(
        command, cwd=out, env={**os.environ, "PYTHONPATH": paths, "NO_COLOR": "1"}, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    said = COLOUR.sub("", run.stdout)
    if run.returncode or COMPLAINT.search(said):
        raise FacesError(f"the site does not build without a warning:\n{said.partition('Traceback')[0].strip()}")
    (out / "site" / "404.html").unlink(missing_ok=True)  # its links hold at the root of a server alone
    if problems := dead(out / "site"):
        raise FacesError("links that lead nowhere:\n  " + "\n  ".join(problems))
    return out / "site"


def write_pages(out: Path) -> None:
    """All that Zensical reads, in `out`: its settings, the pages with pictures and tables in them, the style."""
    from docs.pages import PAGES, Page, names

    for folder in ("pages", "site", ".cache"):
        shutil.rmtree(out / folder, ignore_errors=True)
    (out / "pages").mkdir(parents=True)
    listed, written = set(menu(settings()["nav"])), set(names())
    if listed != written:
        raise FacesError(
            f"{HERE / 'zensical.toml'}: nav names {sorted(listed - written)}, which are not there, and "
            f"leaves out {sorted(written - listed)}"
        )
    for name in sorted(written):
        Page(name, out / "pages").write()
    shutil.copy(PAGES / "style.css", out / "pages")
    shutil.copy(HERE / "zensical.toml", out)


def settings() -> dict[str, Any]:
    """The table [project] of zensical.toml."""
    return tomllib.loads((HERE / "zensical.toml").read_text(encoding="utf-8"))["project"]


def menu(nav: Any) -> Iterator[str]:
    """The pages that a menu, or a part of it, leads to."""
    if isinstance(nav, str):
        yield nav
    else:
        for part in nav.values() if isinstance(nav, dict) else nav:
            yield from menu(part)
