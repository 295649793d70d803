"""YAML without surprises: what looks like a number, a date or a key means what it looks like, or is refused.

PyYAML reads YAML 1.1: of two equal keys the last silently counts, `010` is 8, `1:30` is 90, `1e-4` is text, the key
`on` is True, and a date that does not exist ends in a ValueError. Here numbers are those of YAML 1.2, keys and dates
are text, and equal keys and leading zeros are errors.
"""

import re
from typing import Any, ClassVar

import yaml
from yaml.constructor import ConstructorError
from yaml.nodes import MappingNode, Node, ScalarNode

NULL, BOOL, MERGE = "tag:yaml.org,2002:null", "tag:yaml.org,2002:bool", "tag:yaml.org,2002:merge"
INT, FLOAT, LEADING_ZERO = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:mytorch,2026:leading_zero"
MAX_DIGITS = 40
"""Longer whole numbers are refused. No setting has as many digits, and Python takes its time with very long ones."""


_Resolvers = dict[str, list[tuple[str, re.Pattern[str]]]]


class _StrictDumper(yaml.SafeDumper):
    """SafeDumper that quotes whatever YAML 1.1 or this file's reader would take for something other than text."""

    yaml_implicit_resolvers: ClassVar[_Resolvers] = {  # type: ignore[misc]
        first: list(found) for first, found in yaml.SafeDumper.yaml_implicit_resolvers.items()
    }


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader with the rules above."""

    yaml_implicit_resolvers: ClassVar[_Resolvers] = {}  # type: ignore[misc]

    def construct_mapping(self, node: Node, deep: bool = False) -> dict[Any, Any]:
        """Keys as text. Raises ConstructorError where one occurs twice."""
        if not isinstance(node, MappingNode):
            raise ConstructorError(None, None, "expected key: value", node.start_mark)
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, ScalarNode):
                raise ConstructorError(None, None, "a key must be a single word", key.start_mark)
            if key.tag == MERGE:
                continue
            if key.value in seen:
                raise ConstructorError(
                    None, None, f"the key {key.value!r} occurs twice: remove one of them", key.start_mark
                )
            seen.add(key.value)
            key.tag = self.DEFAULT_SCALAR_TAG
        return super().construct_mapping(node, deep)

    def construct_number(self, node: Node) -> int | float:
        """A decimal number; infinities and not-a-numbers as YAML writes them."""
        text = str(self.construct_scalar(node))  # type: ignore[arg-type]
        if node.tag == INT:
            if len(text) > MAX_DIGITS:
                raise ConstructorError(None, None, f"a number of {len(text)} digits is too long", node.start_mark)
            return int(text)
        return float(re.sub(r"\.(inf|nan)$", r"\1", text.lower()))

    def refuse_leading_zero(self, node: Node) -> None:
        """Raise ConstructorError: some readers take 010 for 8, others for 10."""
        text = str(self.construct_scalar(node))  # type: ignore[arg-type]
        plain = text.lstrip("+-0") or "0"
        raise ConstructorError(
            None, None, f"{text}: a number with a leading zero; write {plain}, or '{text}' for text", node.start_mark
        )


for tag, pattern, first in (
    (NULL, r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    (BOOL, r"(?i:yes|no|true|false|on|off)", list("yYnNtTfFoO")),
    (MERGE, r"<<", ["<"]),
    (INT, r"[-+]?(0|[1-9][0-9]*)", list("-+0123456789")),
    (LEADING_ZERO, r"[-+]?0[0-9_]+", list("-+0")),
    (FLOAT, r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
    (FLOAT, r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", list("-+.")),
):  # fmt: skip
    for kind in (_StrictLoader, _StrictDumper):
        kind.add_implicit_resolver(tag, re.compile(rf"(?:{pattern})\Z"), first)
_StrictLoader.add_constructor(INT, _StrictLoader.construct_number)
_StrictLoader.add_constructor(FLOAT, _StrictLoader.construct_number)
_StrictLoader.add_constructor(LEADING_ZERO, _StrictLoader.refuse_leading_zero)


def parse_yaml(text: str) -> Any:
    """Read one YAML document, running nothing in it. Raises yaml.YAMLError for all that breaks the rules above."""
    try:
        return yaml.load(text, _StrictLoader)
    except RecursionError as error:
        raise yaml.YAMLError("nested too deeply") from error
    except (ValueError, KeyError) as error:  # explicit tags, such as !!int x or !!timestamp 2024-02-30
        raise yaml.YAMLError(f"a value is not of its tag's type ({error})") from error


def dump_yaml(value: Any) -> str:
    """Return YAML that `parse_yaml` reads back, keys in their order."""
    return yaml.dump(value, Dumper=_StrictDumper, sort_keys=False)


def describe_yaml_error(error: yaml.YAMLError) -> str:
    """Return what is wrong and where, in one line."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{where}{problem}".replace("\n", " ")
