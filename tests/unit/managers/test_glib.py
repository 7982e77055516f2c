"""The grammar of keyfiles: what GLib makes of what is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks.managers.nm import glib


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("plain", "plain"),
        ("  leading and trailing  ", "leading and trailing  "),
        (r"\sa\tb\nc\rd\\e", " a\tb\nc\rd\\e"),
        (r"unknown \x stays", r"unknown \x stays"),
        ("at its end \\", "at its end "),
        ("#no comment", "#no comment"),
        ("a=b", "a=b"),
    ],
)
def test_strings(written: str, text: str) -> None:
    assert glib.read(f"[g]\nk={written}\n").text("g", "k") == text


@pytest.mark.parametrize(
    ("written", "items"),
    [
        ("", ()),
        ("a", ("a",)),
        ("a;", ("a",)),
        ("a;b;", ("a", "b")),
        (r"a\;b;c", ("a;b", "c")),
        (r"a\\;b", ("a\\", "b")),
        ("a;;b", ("a", "", "b")),
    ],
)
def test_lists(written: str, items: tuple[str, ...]) -> None:
    assert glib.read(f"[g]\nk={written}\n").items("g", "k") == items


@pytest.mark.parametrize(
    ("written", "data"),
    [
        ("49;50;", b"12"),
        ("49;50", b"49;50"),
        ("256;", b"256;"),
        ("255;0;", b"\xff\0"),
        (r"a\\;b", b"a;b"),
        ("\u00fc", b"\xc3\xbc"),
    ],
)
def test_bytes(written: str, data: bytes) -> None:
    assert glib.read(f"[g]\nk={written}\n").data("g", "k") == data


def test_groups_comments_and_what_is_in_none() -> None:
    file = glib.read("k=1\n# [g]\n[g]\nk = 2\r\nj\n;k=3\n[odd\nk=4\n[h]\nk=5\n[g]\nk=6\n")
    assert file.groups == (("g", {"k": "6", ";k": "3"}), ("h", {"k": "5"}))


def test_numbers_and_booleans() -> None:
    file = glib.read("[g]\na=7 \nb=-1\nc=x\nd=true\ne=0\nf=yes\n")
    assert [file.number("g", key, 9) for key in "abcz"] == [7, -1, 9, 9]
    assert [file.flag("g", key, default=True) for key in "defz"] == [True, False, True, True]


def test_what_a_short_name_says_counts() -> None:
    file = glib.read("[802-3-ethernet]\nmtu=1\nport=tp\n[ethernet]\nmtu=2\n")
    assert file.group("802-3-ethernet") == {"mtu": "2", "port": "tp"}
    assert file.names() == ("802-3-ethernet",)


@given(st.text(max_size=80))
def test_anything_can_be_read(text: str) -> None:
    for name, group in glib.read(text).groups:
        for key in group:
            file = glib.read(text)
            assert isinstance(file.text(name, key), str)
            assert isinstance(file.items(name, key), tuple)
            assert isinstance(file.data(name, key), bytes)


def test_its_repr_has_no_secret() -> None:
    assert "Xyzzy17" not in repr(glib.read("[g]\npsk=Xyzzy17\n"))
