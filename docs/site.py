"""Building the site: Python writes pages and drawings, Zensical turns them into HTML, and every link is followed."""

import json
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
from docs.search import write_index
from experiments.errors import FacesError

HERE = Path(__file__).parent
ROOT = HERE.parent
BUILD = HERE / "build"
NEEDED = ("zensical", "mkdocstrings", "latex2mathml")
ASSETS = ("style.css", "search.js")
COMPLAINT = re.compile(r"^\W*(warning|error)\b", re.IGNORECASE | re.MULTILINE)
TERMINAL_COLOR = re.compile(r"\x1b\[[\d;]*m")


def build(out: Path) -> Path:
    """Build the site in `out`/site, which is returned. Removes an earlier site; downloads nothing.

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
    printed = TERMINAL_COLOR.sub("", run.stdout)
    if run.returncode or COMPLAINT.search(printed):
        raise FacesError(f"the site does not build without a warning:\n{printed.partition('Traceback')[0].strip()}")
    (out / "site" / "404.html").unlink(missing_ok=True)  # its links work at the root of a server only
    write_index(out / "site")
    if problems := dead(out / "site"):
        raise FacesError("links that lead nowhere:\n  " + "\n  ".join(problems))
    return out / "site"


def write_pages(out: Path) -> None:
    """Write what Zensical reads to `out`: settings, pages with their drawings and tables, style and script."""
    from docs import lessons, pages

    for folder in ("pages", "site", ".cache"):
        shutil.rmtree(out / folder, ignore_errors=True)
    (out / "pages").mkdir(parents=True)
    in_menu, written = set(menu(settings()["nav"])), {*pages.names(), *lessons.lesson_names(), *pages.result_names()}
    if in_menu != written:
        raise FacesError(
            f"{HERE / 'zensical.toml'}: nav names {sorted(in_menu - written)}, which do not exist, and "
            f"leaves out {sorted(written - in_menu)}"
        )
    for name in pages.names():
        pages.Page(name, out / "pages").write()
    lessons.write_lessons(out / "pages")
    pages.write_results(out / "pages")
    for asset in ASSETS:
        shutil.copy(pages.PAGES / asset, out / "pages")
    for image in pages.PAGES.rglob("*.png"):
        shutil.copy(image, out / "pages" / image.relative_to(pages.PAGES))
    text = (HERE / "zensical.toml").read_text(encoding="utf-8")
    if address := repository():
        text = text.replace("[project]\n", f"[project]\nrepo_url = {json.dumps(address)}\n", 1)
    (out / "zensical.toml").write_text(text, encoding="utf-8")


def repository() -> str | None:
    """Return the address of the project's repository from pyproject.toml, or None where it names none."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project.get("urls", {}).get("Repository")


def settings() -> dict[str, Any]:
    """Return the table [project] of zensical.toml."""
    return tomllib.loads((HERE / "zensical.toml").read_text(encoding="utf-8"))["project"]


def menu(nav: Any) -> Iterator[str]:
    """Yield the pages that a menu, or a part of it, leads to."""
    if isinstance(nav, str):
        yield nav
    else:
        for part in nav.values() if isinstance(nav, dict) else nav:
            yield from menu(part)
