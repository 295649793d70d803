"""The rubric: which tests there are, what they are worth, and how strict they are. It is a YAML file."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from autograder.checks import FAMILIES
from autograder.checks.case import Dialect
from autograder.text import expected_words

Visibility = Literal["visible", "hidden", "after_due_date", "after_published"]
Points = Annotated[float, Field(ge=0, le=1000)]

FORBIDDEN = (
    "torch", "torchvision", "tensorflow", "keras", "jax", "flax", "theano", "mxnet", "cupy", "numba", "autograd",
    "sklearn", "skimage", "cv2", "scipy.signal", "scipy.ndimage", "autograder", "mytorch_faces",
)  # fmt: skip

LIBRARIES = ("numpy", "scipy", "matplotlib", "tqdm")


class RubricError(ValueError):
    """A rubric that cannot be used; the message names the file and every mistake in it."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tolerance(_Strict):
    """A value is right if it differs from the expected value by at most `absolute` + `relative` · |expected|."""

    absolute: float = Field(default=1e-12, ge=0, le=1)
    relative: float = Field(default=1e-12, ge=0, le=1)


class Test(_Strict):
    """One test: one class of the contract, run in its own process."""

    name: str = Field(min_length=1, max_length=80)
    check: str = Field(description="the class of the contract")
    parts: dict[str, Points] = Field(min_length=1, description="part: points")
    tolerance: Tolerance = Tolerance()
    seconds: float = Field(20.0, gt=0, le=600)
    memory: int = Field(1024, ge=256, le=65536, description="MiB of address space")
    visibility: Visibility = "visible"
    hints: bool = True

    @property
    def points(self) -> float:
        """The points of all its parts."""
        return sum(self.parts.values())

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.check not in FAMILIES:
            raise ValueError(f"there are no checks called {self.check!r}; there are {', '.join(sorted(FAMILIES))}")
        known = FAMILIES[self.check].parts
        unknown = [part for part in self.parts if part not in known]
        if unknown:
            raise ValueError(f"{self.check} has no part {unknown[0]!r}; it has {', '.join(known)}")
        return self


class Section(_Strict):
    """Tests under one heading."""

    name: str = Field(min_length=1, max_length=80)
    extra: bool = Field(False, description="extra credit, added to the full mark")
    tests: list[Test] = Field(min_length=1)


class Rubric(_Strict):
    """A whole rubric."""

    title: str
    description: str = ""
    seed: int | None = Field(None, ge=0, le=2**32 - 1, description="of the tests' numbers; random by default")
    dialect: Dialect = Field("contract", description="which published form of the contract the checks follow")
    forbidden: list[str] = list(FORBIDDEN)
    libraries: list[str] = Field(list(LIBRARIES), description="installed libraries that may be imported")
    forbidden_import_cost: float = Field(
        0.0, ge=0, le=1, description="the fraction of a test that a forbidden import costs, if the class works"
    )
    float32: Literal["values", "dtype"] = Field(
        "values", description="for float32 input: accept right values in any float type, or in float32 only"
    )
    leaderboard: float = Field(0.0, ge=0, le=300, description="seconds of training for a leaderboard; 0: none")
    sections: list[Section] = Field(min_length=1)

    @field_validator("sections")
    @classmethod
    def _once(cls, sections: list[Section]) -> list[Section]:
        names = [test.name for section in sections for test in section.tests]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"more than one test is called {twice[0]!r}")
        return sections

    @property
    def tests(self) -> list[tuple[Section, Test]]:
        """All tests with their sections, in order."""
        return [(section, test) for section in self.sections for test in section.tests]

    @property
    def full(self) -> float:
        """The full mark, without extra credit."""
        return sum(test.points for section, test in self.tests if not section.extra)


def load(name: str | Path) -> Rubric:
    """A rubric by the name of one of ours (see `names`) or by the path of a YAML file.

    A file with `extends: NAME` takes every field that it does not set itself from that rubric.
    Raises RubricError, which names the file and every mistake.
    """
    try:
        return Rubric.model_validate(_values(name))
    except OSError as error:
        known = ", ".join(names())
        raise RubricError(f"{name}: {error.strerror}; give one of {known}, or the path of a YAML file") from error
    except UnicodeDecodeError as error:
        raise RubricError(f"{name}: not a text in UTF-8") from error
    except yaml.YAMLError as error:
        raise RubricError(f"{name}: not YAML: {error}") from error
    except ValidationError as error:
        lines = [
            f"  {'.'.join(map(str, item['loc'])) or 'rubric'}: {expected_words(item['msg'])}" for item in error.errors()
        ]
        raise RubricError("\n".join([f"{name}:", *lines])) from error


def _values(name: str | Path, below: tuple[str, ...] = ()) -> dict[str, object]:
    """The fields of a rubric, with those of the rubric that it extends."""
    if str(name) in names():
        text = (resources.files("autograder") / "rubrics" / f"{name}.yaml").read_text(encoding="utf-8")
    else:
        text = Path(name).read_text(encoding="utf-8")
    values = yaml.safe_load(text)
    if not isinstance(values, Mapping):
        raise RubricError(f"{name}: a rubric is a mapping, with `title` and `sections`")
    own = dict(values)
    base = own.pop("extends", None)
    if base is None:
        return own
    if not isinstance(base, str) or base not in names() or base in below:
        raise RubricError(f"{name}: extends is {base!r}, expected one of {', '.join(names())}")
    return {**_values(base, (*below, base)), **own}


def names() -> list[str]:
    """The names of the rubrics that come with the grader."""
    folder = resources.files("autograder") / "rubrics"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))
