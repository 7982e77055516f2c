"""A text fits the terminal, and nothing of it is lost."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks.terminal import BAD, layout, painter
from netfail_hooks.terminal.layout import KEPT, cells, clipped, fit, labelled, message
from tests.support.drawn_values import INTERFACES, PREFIXES

_FACTS = st.lists(INTERFACES | PREFIXES | st.text("ab 漢é", max_size=60), min_size=1).map(", ".join)


def _bare(text: str) -> str:
    return re.sub(rf"[ {KEPT}]|\033\[\d+m", "", text)


@given(text=_FACTS, width=st.integers(20, 120), hang=st.integers(0, 12), colour=st.booleans())
def test_no_line_is_wider_and_nothing_is_lost(
    text: str, width: int, hang: int, *, colour: bool
) -> None:
    painted = painter(colour=colour)(text, BAD)
    lines = fit(painted, width, hang, head="1. eth0  ")
    assert all(cells(line) <= width for line in lines), lines
    assert "".join(map(_bare, lines)) == _bare(f"1. eth0  {painted}")
    assert fit(painted, 0, head="1. eth0  ") == [f"1. eth0  {painted}".rstrip()]


@given(facts=st.lists(st.text("ab ", min_size=1, max_size=15).map(str.strip), min_size=1))
def test_a_fact_that_fits_a_line_stands_on_one(facts: list[str]) -> None:
    lines = fit(", ".join(facts), 20, 2)
    for fact in facts:
        assert any(fact in line for line in lines)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("up for 2 h, carries traffic", ["up for 2 h,", "  carries traffic"]),
        ("up for 2 h, carries the traffic", ["up for 2 h, carries", "  the traffic"]),
        ("to 1.1.1.1 by eth0 from 192.168.1.50", ["to 1.1.1.1 by eth0", "  from 192.168.1.50"]),
        ("via fe80::1234:5678:9ab", ["via", " fe80::1234:5678:9ab"]),  # rather than cut it
        ("at fe80::1234:5678:9abcd", ["at fe80::1234:5678:", "  9abcd"]),
        ("漢字漢字漢字漢字漢字漢字", ["漢字漢字漢字漢字漢字", "  漢字"]),
    ],
)
def test_it_is_cut_where_it_hurts_least(text: str, lines: list[str]) -> None:
    kept = re.sub("(to|by|from) ", f"\\1{KEPT}", text)
    assert fit(kept, 20, 2) == lines


def test_a_label_stands_beside_what_is_told_or_above_it() -> None:
    texts = ["to 1.1.1.1 by eth0", "to 2606::1 by wlan0, which is the backup of the two"]
    assert labelled("traffic", texts) == [f"traffic   {texts[0]}", f"          {texts[1]}"]
    assert labelled("traffic", [], 40) == []
    assert labelled("traffic", texts, 40) == [
        "traffic",
        "  to 1.1.1.1 by eth0",
        "  to 2606::1 by wlan0,",
        "    which is the backup of the two",
    ]


def test_a_pipe_has_no_width_and_a_phone_has_at_least_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for columns, wanted in (("40", 40), ("5", 20)):
        monkeypatch.setenv("COLUMNS", columns)
        assert layout.width() == 0
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)
        assert layout.width() == wanted
        monkeypatch.setattr("sys.stdout.isatty", lambda: False)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_message_breaks_on_a_terminal_alone_and_not_in_what_is_to_be_typed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = "netfail-hooks: only root may do this, so see 'netfail-hooks doctor' or don't"
    assert message(text, io.StringIO()) == [text]
    for columns in range(30, 100):
        monkeypatch.setenv("COLUMNS", str(columns))
        lines = message(text, _Terminal())
        assert all(len(line) <= columns for line in lines)
        assert " ".join(line.strip() for line in lines) == text
        assert any("'netfail-hooks doctor'" in line for line in lines)


_SOME = st.lists(st.text("abc", min_size=1, max_size=8), min_size=4, max_size=9).map(" ".join)


@given(before=_SOME, inside=_SOME, spare=st.integers(4, 12))
def test_what_is_in_brackets_stays_on_a_line_that_has_room(
    before: str, inside: str, spare: int
) -> None:
    columns = max(len(inside) + spare, 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        lines = message(f"{before} [{inside}]", _Terminal())
    assert all(len(line) <= columns for line in lines)
    assert any(f"[{inside}]" in line for line in lines), lines


_WORD = st.text("bcdfgh", min_size=1, max_size=8)
_BRACKETED = st.lists(
    st.tuples(st.lists(_WORD, min_size=1, max_size=6), st.sampled_from(["{}", "({})", "[{}]"])),
    min_size=1,
    max_size=6,
).map(lambda facts: [form.format(" ".join(words)) for words, form in facts])


@given(
    facts=_BRACKETED,
    sign=st.sampled_from([", ", "; ", ": "]),
    head=st.sampled_from(["", "traffic   ", "1. eth0  ok  ", "1. eth0   NOT WELL  "]),
    width=st.integers(24, 120),
    whole=st.booleans(),
    painted=st.booleans(),
)
def test_what_is_clipped_ends_with_a_fact_or_a_word(  # noqa: PLR0913
    *, facts: list[str], sign: str, head: str, width: int, whole: bool, painted: bool
) -> None:
    text = sign.join(facts)
    shown = clipped(f"\033[31m{text}\033[0m" if painted else text, width, head=head, whole=whole)
    assert cells(shown) <= width
    codes = re.findall(r"\033\[\d+m", shown)
    assert not codes or codes[-1] == "\033[0m"
    bare = re.sub(r"\033\[\d+m", "", shown)
    if cells(head + text) <= width:
        assert bare == head + text
        return
    begun = f"{head}{text}"
    assert begun.startswith(bare)
    assert begun[len(bare)] in " ,;:", bare
    assert bare[-1] not in " ,;:(["
    if text[0] not in "([" or bare == head.rstrip():
        assert all(bare.count(left) == bare.count(right) for left, right in ("()", "[]")), bare
    if whole and head:
        rest = begun[len(bare) :]
        assert bare == head.rstrip() or rest.startswith(sign), "no part of a fact"
