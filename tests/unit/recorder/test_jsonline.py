"""The recorder's own JSON is json's, byte for byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks.recorder.jsonline import dumps
from netfail_hooks.values import plain, replace, value
from tests.support.runs import runs


@value
class Pair:
    left: Any
    right: Any = ""


# Any code point, lone surrogates too, and those that have to be escaped more often than by chance.
TEXTS = st.text(
    st.characters()
    | st.characters(categories=["Cs", "Cc"])
    | st.sampled_from('"\\/\x7f\x00\u2028\ufffe\U0001f600 ~')
)
VALUES = st.recursive(
    TEXTS | st.integers() | st.booleans() | st.none(),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.builds(Pair, inner, inner)
        | st.dictionaries(TEXTS, inner)
    ),
)


def _json(item: object) -> str:
    if isinstance(item, dict):  # plain() looks into no dict: ours have nothing to be made plain
        inside = (f"{json.dumps(key)}:{_json(each)}" for key, each in item.items())
        return "{" + ",".join(inside) + "}"
    if isinstance(item, (list, tuple)):
        return "[" + ",".join(_json(each) for each in item) + "]"
    if isinstance(item, Pair):
        return _json(vars(item))
    return json.dumps(item, separators=(",", ":"))


@given(VALUES)
def test_every_value_is_written_as_json_would(item: Any) -> None:
    assert dumps(item) == _json(item)
    assert dumps(item).isascii()


@given(TEXTS)
def test_every_text_is_written_as_json_would(text: str) -> None:
    assert dumps(text) == json.dumps(text)


def test_each_character_is_written_as_json_would() -> None:
    for code in (*range(0x500), *range(0xD7F0, 0xE010), *range(0xFFF0, 0x10010), 0x10FFFF):
        assert dumps(chr(code)) == json.dumps(chr(code))


def test_values_are_written_in_the_order_of_their_fields_whatever_was_given_first() -> None:
    assert dumps(Pair(right=1, left=2)) == dumps(replace(Pair(7, 1), left=2))
    assert dumps(Pair(right=1, left=2)) == '{"left":2,"right":1}'


@pytest.mark.parametrize("name", ["config", "observed", "before", "after"])
def test_what_a_run_is_made_of_is_written_as_json_would(name: str) -> None:
    for run in runs(("eth0", "no-carrier"), ("eth0", "missing"), ("eth0", "routable")):
        part = getattr(run, name)
        assert dumps(part) == json.dumps(plain(part), separators=(",", ":"))


@pytest.mark.parametrize("item", [1.5, {1, 2}, b"bytes", object(), [(1, 2.0)]])
def test_what_is_not_plain_is_refused(item: object) -> None:
    with pytest.raises(TypeError, match="is no plain value"):
        dumps(item)
