"""Pages: Markdown as it stands in pages/, with what is read and drawn as the site is built put in between << and >>."""

import posixpath
import re
import shutil
from pathlib import Path

from jinja2 import Environment, StrictUndefined, TemplateError

from docs import commands, tables
from docs.pictures import PICTURES, save
from experiments.errors import FacesError

ROOT = Path(__file__).parents[1]
PAGES = Path(__file__).parent / "pages"
MADE_FROM = {"ARCHITECTURE.md": "architecture.md", "CONTRIBUTING.md": "contributing.md", "README.md": "index.md"}
"""Files of the project that have a page here, for the links between them."""
LINK = re.compile(r"(\]\()([^)#:]+)((?:#[^)]*)?\))")


class Page:
    """What a page may ask for. Its methods are what stands between << and >>; each gives Markdown.

    name: the page's path below pages/; out: the folder that the pages are written to.
    """

    def __init__(self, name: str, out: Path):
        self.name, self.out = name, out

    def write(self) -> None:
        """The page, filled in, under `out`. Raises FacesError, naming the page, where it asks for what is not there."""
        environment = Environment(
            variable_start_string="<<", variable_end_string=">>", undefined=StrictUndefined, autoescape=False,
            keep_trailing_newline=True,
        )  # fmt: skip
        source = (PAGES / self.name).read_text(encoding="utf-8")
        try:
            text = environment.from_string(source).render(
                api=self.api, commands=commands.reference, errors=tables.gradient_table, figure=self.figure,
                grader=commands.grader_reference, include=self.include, picture=self.picture,
                recipes=tables.recipe_table,
            )  # fmt: skip
        except (TemplateError, FacesError, OSError) as error:
            raise FacesError(f"{PAGES / self.name}: {error}") from error
        target = self.out / self.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def api(self, *names: str) -> str:
        """What these are called with and do, from their docstrings."""
        return "\n\n".join(f"::: {name}\n    options:\n      heading_level: 3" for name in names)

    def picture(self, name: str, says: str) -> str:
        """The picture of that name, drawn now; `says` is for whoever cannot see it."""
        if name not in PICTURES:
            raise FacesError(f"no picture {name!r}: expected one of {sorted(PICTURES)}")
        path = f"pictures/{name}.svg"
        save(PICTURES[name], self.out / path)
        return f"![{says}]({self._from_here(path)}){{ .drawn }}"

    def figure(self, path: str, says: str) -> str:
        """A picture among the project's results."""
        target = self.out / "pictures" / path.removeprefix("results/").replace("/", "-")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, target)
        return f"![{says}]({self._from_here('pictures/' + target.name)}){{ .drawn }}"

    def include(self, name: str) -> str:
        """A file of the project, less its title; its links lead to the pages made of files, or are only named."""
        text = (ROOT / name).read_text(encoding="utf-8").split("\n", 1)[1]
        return LINK.sub(lambda link: link[1] + self._from_here(self._made_from(name, link[2])) + link[3], text)

    def _made_from(self, name: str, target: str) -> str:
        if target not in MADE_FROM:
            raise FacesError(f"{name} links to {target}, which has no page here: add it to MADE_FROM in pages.py")
        return MADE_FROM[target]

    def _from_here(self, path: str) -> str:
        return posixpath.relpath(path, posixpath.dirname(self.name) or ".")


def names() -> list[str]:
    """Every page, by its path below pages/."""
    return sorted(path.relative_to(PAGES).as_posix() for path in PAGES.rglob("*.md"))
