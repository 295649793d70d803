"""Pages: Markdown from pages/, where calls between << and >> insert what is read or drawn while the site is built."""

import posixpath
import re
import shutil
from html import escape
from pathlib import Path

from jinja2 import Environment, StrictUndefined, TemplateError

from docs import commands, tables
from docs.drawings import DRAWINGS, VARIANTS, save_variants
from docs.markdown import plot
from experiments.errors import FacesError

ROOT = Path(__file__).parents[1]
PAGES = Path(__file__).parent / "pages"
PAGE_OF = {
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "README.md": "index.md",
    "experiments/recipes": "reference/recipes.md",
    "notebooks": "lessons/index.md",
    "results/README.md": "results/index.md",
    "results/conformance/modules.md": "reference/conformance.md",
    "results/conformance/onnx.md": "reference/conformance.md",
    "results/conformance/opinfo.md": "reference/conformance.md",
    "results/conversion/table.md": "reference/conversion.md",
    "results/gradcheck/table.md": "reference/errors.md",
}
"""Files of the project that are shown on a page of the site, for the links between them."""
LINK = re.compile(r"(\]\()([^)#:]+)((?:#[^)]*)?\))")
WIDE = {"containers", "packages", "squeeze"}
"""Drawings of a single wide panel, or of many boxes: on a narrow screen the reader scrolls them sideways."""


class Page:
    """The functions that a page may call between << and >>; each returns Markdown.

    name: the page's path below pages/; out: the folder that the pages are written to.
    """

    def __init__(self, name: str, out: Path):
        self.name, self.out = name, out

    def write(self) -> None:
        """Write the filled-in page under `out`. Raises FacesError that names the page where a call fails."""
        environment = Environment(
            variable_start_string="<<", variable_end_string=">>", undefined=StrictUndefined, autoescape=False,
            keep_trailing_newline=True,
        )  # fmt: skip
        source = (PAGES / self.name).read_text(encoding="utf-8")
        try:
            text = environment.from_string(source).render(
                api=self.api, commands=commands.reference, conformance=tables.conformance_tables, drawing=self.drawing,
                errors=tables.gradient_table,
                grader=commands.grader_reference, include=self.include, recipes=tables.recipe_table,
                result=self.result, settings=tables.every_setting,
            )  # fmt: skip
        except (TemplateError, FacesError, OSError) as error:
            raise FacesError(f"{PAGES / self.name}: {error}") from error
        target = self.out / self.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def api(self, *names: str) -> str:
        """Return the signatures and docstrings of these names."""
        return "\n\n".join(f"::: {name}\n    options:\n      heading_level: 3" for name in names)

    def drawing(self, name: str, alt: str) -> str:
        """Draw the drawing of that name and return its HTML, for both color schemes and for narrow screens.

        alt: what it shows, for readers who cannot see it.
        """
        if name not in DRAWINGS:
            raise FacesError(f"no drawing {name!r}: expected one of {sorted(DRAWINGS)}")
        save_variants(DRAWINGS[name], self.out / f"drawings/{name}.svg")
        source = {variant: self._from_here(f"drawings/{name}-{variant}.svg") for variant in VARIANTS}
        wide = " wide" if name in WIDE else ""
        return "\n".join(
            f'<picture class="drawing only-{scheme}{wide}">'
            f'<source media="(max-width: 45em)" srcset="{source[f"{scheme}-narrow"]}">'
            f'<img src="{source[scheme]}" alt="{escape(alt)}"></picture>'
            for scheme in ("light", "dark")
        )

    def result(self, path: str, alt: str) -> str:
        """Return an image of the project's results as Markdown."""
        return plot(alt, self._from_here(self._copied(path)), ROOT / path)

    def include(self, name: str) -> str:
        """Return a file of the project without its title, with links that lead to pages and files of the site."""
        return self.linked(name).split("\n", 1)[1]

    def linked(self, name: str) -> str:
        """Return a file of the project with links that lead to pages of the site, or to copies of files."""
        text = (ROOT / name).read_text(encoding="utf-8")
        return LINK.sub(lambda link: link[1] + self._from_here(self._target(name, link[2])) + link[3], text)

    def _target(self, name: str, link: str) -> str:
        """Return the path on the site of what `link` in the project's file `name` leads to."""
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), link))
        if path.startswith("docs/pages/") and path.endswith(".md"):
            return path.removeprefix("docs/pages/")
        if path.startswith("notebooks/") and path.endswith(".ipynb"):
            return path.replace("notebooks/", "lessons/").removesuffix(".ipynb") + ".md"
        if path in PAGE_OF:
            return PAGE_OF[path]
        if path.startswith("results/") and (ROOT / path).is_dir():
            return f"results/{path.split('/')[1]}.md"
        if (ROOT / path).is_file():
            return self._copied(path)
        raise FacesError(f"{name} links to {link}, which is neither a page nor a file: see docs/pages.py")

    def _copied(self, path: str) -> str:
        """Copy a file of the project next to the pages, and return its path there."""
        target = self.out / "files" / path.replace("/", "-")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, target)
        return f"files/{target.name}"

    def _from_here(self, path: str) -> str:
        return posixpath.relpath(path, posixpath.dirname(self.name) or ".")


def names() -> list[str]:
    """Return every page by its path below pages/."""
    return sorted(path.relative_to(PAGES).as_posix() for path in PAGES.rglob("*.md"))


def result_names() -> list[str]:
    """Return the page of each folder of results that has a README, by its path below the site's pages."""
    return sorted(f"results/{path.parent.name}.md" for path in (ROOT / "results").glob("*/README.md"))


def write_results(out: Path) -> None:
    """Write the README of each folder of results as a page under `out`."""
    for name in result_names():
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(Page(name, out).linked(f"{name.removesuffix('.md')}/README.md"), encoding="utf-8")
