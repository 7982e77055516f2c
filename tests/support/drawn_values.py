"""Any value of a class of ours, drawn by hypothesis from its annotations."""

from __future__ import annotations

import types
import typing
from typing import Any, Union

from hypothesis import strategies as st

from netfail_hooks.values import fields

_NAMES = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=15)
_IPV4 = st.ip_addresses(v=4).map(str)
_IPV6 = st.ip_addresses(v=6).map(lambda one: one.exploded)  # the longest: 39 characters
ADDRESSES = _IPV4 | _IPV6
# The kernel takes all but blanks and slashes; 15 bytes.
INTERFACES = _NAMES | st.sampled_from(
    ["eth0", "wlan0", "enx00e04c680001", "wwx0123456789ab", "ü" * 7]
)
WORDS = st.lists(_NAMES | ADDRESSES, min_size=1, max_size=12).map(" ".join)
PREFIXES = st.tuples(ADDRESSES, st.integers(0, 128)).map(lambda one: f"{one[0]}/{one[1]}")
TEXTS = st.sampled_from(["", "no carrier"]) | WORDS


def values_of(cls: type[Any], **known: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return what draws values of a class.

    ``known`` draws a field, of one class (``Class.field``), or wherever in them it is.
    """
    hints = typing.get_type_hints(cls)
    drawn = {}
    for name in fields(cls):
        here = next((key for key in (f"{cls.__name__}.{name}", name) if key in known), "")
        drawn[name] = known[here] if here else _of(hints[name], known)
    return st.builds(cls, **drawn)


def _of(hint: Any, known: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return st.one_of(*(_of(one, known) for one in arguments))
    if origin is tuple and arguments[1:] == (Ellipsis,):
        return st.lists(_of(arguments[0], known), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*(_of(one, known) for one in arguments))
    if origin is dict:
        return st.dictionaries(_of(arguments[0], known), _of(arguments[1], known), max_size=3)
    plain: dict[Any, st.SearchStrategy[Any]] = {
        str: TEXTS,
        bool: st.booleans(),
        int: st.integers(0, 10**7),
        float: st.floats(0, 10**6, allow_nan=False),
        type(None): st.none(),
    }
    return plain[hint] if hint in plain else values_of(hint, **known)
