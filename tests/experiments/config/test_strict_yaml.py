"""YAML means what it looks like, or is refused; nothing that is typed ends in another error."""

import math
from contextlib import suppress

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.config.strict_yaml import MAX_DIGITS, describe_yaml_error, dump_yaml, parse_yaml


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12", 12), ("-3", -3), ("+3", 3), ("0", 0), ("1e-4", 1e-4), ("1E3", 1000.0), (".5", 0.5), ("1.", 1.0),
        ("0.10", 0.1), ("-.inf", -math.inf), ("1:30", "1:30"), ("1_000", "1_000"), ("0x10", "0x10"),
        ("2024-02-30", "2024-02-30"), ("2024-02-03", "2024-02-03"), ("yes", True), ("Off", False), ("null", None),
        ("~", None), ("", None), ("'010'", "010"), ("[1, 2]", [1, 2]), ("{on: 3}", {"on": 3}), ("{1: 2}", {"1": 2}),
        ("{~: 1}", {"~": 1}), ("=", "="), ("nobody", "nobody"),
    ],
)  # fmt: skip
def test_what_is_written_is_what_is_read(text, expected):
    value = parse_yaml(text)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize("text", ["010", "064", "-00", "007", "0_1"])
def test_a_leading_zero_is_refused_with_what_to_write(text):
    with pytest.raises(yaml.YAMLError) as error:
        parse_yaml(f"seed: {text}")
    assert f"{text}: a number with a leading zero" in describe_yaml_error(error.value)


@pytest.mark.parametrize("text", ["a: 1\nb: 2\na: 1", "x: {lr: 1, lr: 1}", "- {a: 1, 'a': 2}", "on: 1\n'on': 2"])
def test_a_key_twice_is_refused_with_its_line(text):
    with pytest.raises(yaml.YAMLError) as error:
        parse_yaml(text)
    assert "occurs twice" in describe_yaml_error(error.value)
    assert "line " in describe_yaml_error(error.value)


def test_merged_keys_may_be_overridden():
    assert parse_yaml("a: &base {x: 1, y: 2}\nb: {<<: *base, y: 3}")["b"] == {"x": 1, "y": 3}


@pytest.mark.parametrize(
    "text",
    ["[" * 5000, "9" * 5000, "!!int x", "!!timestamp 2024-02-30", "!!float x", "? [1]\n: 2", "!!python/object:os.x {}",
     "a: b: c", "\x00", "!!bool x", "a: *b", "!!binary x", "--- 1\n--- 2", "<<", "<<: 3"],
)  # fmt: skip
def test_whatever_is_wrong_is_a_yaml_error(text):
    with pytest.raises(yaml.YAMLError) as error:
        parse_yaml(text)
    assert "\n" not in describe_yaml_error(error.value)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from(list("ab01928_.:-+eE[]{}!&*<>'\"#,? \n~xno")), max_size=24))
def test_any_text_is_read_or_refused_as_yaml(text):
    with suppress(yaml.YAMLError):
        parse_yaml(text)


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**70), 2**70)
        | st.floats()
        | st.text(alphabet=st.sampled_from("ab0129:.-+e_ \n\u00e9"), max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=5), inner, max_size=3),
        max_leaves=8,
    )
)
def test_what_is_dumped_is_read_back(value):
    again = parse_yaml(dump_yaml(value))
    assert repr(again) == repr(value)
    assert repr(yaml.safe_load(dump_yaml(value))) == repr(value)  # and other programs read the same


def test_a_number_too_long_to_mean_anything_is_refused_by_its_length():
    assert parse_yaml("9" * MAX_DIGITS) == 10**MAX_DIGITS - 1
    for digits in (MAX_DIGITS + 1, 3000, 20_000):
        with pytest.raises(yaml.YAMLError) as error:
            parse_yaml(f"seed: {'9' * digits}")
        assert f"line 1, column 7: a number of {digits} digits is too long" in describe_yaml_error(error.value)
