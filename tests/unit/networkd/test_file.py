"""A ``.network`` file as sections and assignments: what systemd.syntax(7) makes of it."""

from __future__ import annotations

import pytest

from netfail_hooks.networkd import file as networkfile
from netfail_hooks.networkd.file import (
    Section,
    ended,
    last,
    listed,
    parse,
    render,
    section,
    settings,
)


def _seen(text: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return each section's name and its assignments."""
    return [
        (one.name, [(item.key, item.setting) for item in one.items if item.key])
        for one in parse(text)
    ]


@pytest.mark.parametrize(
    ("text", "observed"),
    [
        ("", [("", [])]),
        ("a=1\n[X]\nb = 2 \n", [("", [("a", "1")]), ("X", [("b", "2")])]),
        ("  [X]  \nb=2=3\n", [("", []), ("X", [("b", "2=3")])]),
        ("[X]\n#a=1\n;b=2\n\nc\nd=\n", [("", []), ("X", [("d", "")])]),
        ("[X\nX]\na=1\n", [("", [("a", "1")])]),
        ("[X]\na=1 \\\n 2\nb=3\n", [("", []), ("X", [("a", "1   2"), ("b", "3")])]),
        ("[X]\na=1 \\\n# no\n;no\n 2\nb=3\n", [("", []), ("X", [("a", "1   2"), ("b", "3")])]),
        ("[X]\n# c \\\na=1\n", [("", []), ("X", [("a", "1")])]),
        ("[X]\na=1 \\\r\n2\r\nb=3\r\n", [("", []), ("X", [("a", "1  2"), ("b", "3")])]),
        ("[X]\na=1 \\", [("", []), ("X", [("a", "1")])]),
        ("[X]\na=1\u00a0\nb=\u00fc\n", [("", []), ("X", [("a", "1\u00a0"), ("b", "\u00fc")])]),
        ("[X]\na=1 \\\n# \udcfc\n2\n", [("", []), ("X", [("a", "1  2")])]),
    ],
)
def test_sections_assignments_comments_and_lines_that_go_on(
    text: str, observed: list[tuple[str, list[tuple[str, str]]]]
) -> None:
    assert _seen(text) == observed
    assert render(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("", ""),
        ("a=1\n", "a=1\n"),
        ("a=1", "a=1\n"),
        ("a=1 \\\n", "a=1 \\\n\n"),
        ("a=1 \\", "a=1 \\\n\n"),
        ("a=1 \\\n# c\n", "a=1 \\\n# c\n\n"),
        ("# c \\\n", "# c \\\n"),
    ],
)
def test_what_is_added_to_a_text_begins_a_line(text: str, whole: str) -> None:
    assert ended(text) == whole


@pytest.mark.parametrize(
    ("texts", "whole"),
    [
        (("a=1", "[X]\n"), "a=1\n[X]\n"),
        (("a=1\n", "[X]\n"), "a=1\n[X]\n"),
        (("a=1", "b=2"), "a=1\nb=2"),
        (("a=1", ""), "a=1"),
    ],
)
def test_sections_of_several_texts_are_put_together(texts: tuple[str, ...], whole: str) -> None:
    assert render(one for text in texts for one in parse(text)) == whole


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("[X]\n", "[X]\nk=v\n"),
        ("[X]\na=1", "[X]\na=1\nk=v\n"),
        ("[X]\na=1\n\n \n", "[X]\na=1\nk=v\n\n \n"),
        ("[X]\n\n", "[X]\nk=v\n\n"),
        ("[X]\nk=1\na=1\n", "[X]\nk=v\na=1\n"),
        ("[X]\nk=1\na=1\nk=2\nb=1\nk=3\n", "[X]\nk=v\na=1\nb=1\n"),
    ],
)
def test_a_key_is_set_in_its_place_or_last_and_once(text: str, result: str) -> None:
    _, one = parse(text)
    assert render([one.set("k", "v")]) == result


def test_the_last_assignment_to_a_key_counts_and_some_can_be_left_out() -> None:
    _, one = parse("[X]\nk=1\nk=2\nl=3\n# c\nm=4\n")
    assert (one.get("k"), one.get("l"), one.get("x")) == ("2", "3", "")
    assert render([one.without("k", "m")]) == "[X]\nl=3\n# c\n"


def test_a_new_section_stands_apart() -> None:
    new = section("X", ("a", "1"), ("b", "2"))
    assert render([Section("", "h\n"), new]) == "h\n\n[X]\na=1\nb=2\n"
    assert (new.get("a"), new.get("b")) == ("1", "2")


def test_a_list_is_of_all_sections_of_a_name_until_an_empty_one_resets_it() -> None:
    sections = parse("[N]\nA=1\nA=2\nB=x\n[M]\nA=3\n[N]\nA=4\n")
    assert settings(sections, "N", "A") == ["1", "2", "4"]
    assert settings((*sections, *parse("[N]\nA=\nA=5\n")), "N", "A") == ["5"]


def test_what_is_a_section_each_is_not_reset() -> None:
    sections = parse("[Network]\nA=1\nA=\nA=2\nB=3\n[X]\nA=4\n[Network]\nA=5\n")
    assert listed(sections, "A") == ["1", "2", "5"]


def test_the_last_of_network_sections_counts_and_no_other() -> None:
    sections = parse("[Network]\nA=1\nB=3\n[Network]\nA=2\nB=\n[Link]\nA=4\n")
    assert (last(sections, "A"), last(sections, "B"), last(sections, "C")) == ("2", "3", "")


@pytest.mark.parametrize(
    ("word", "yes", "no"),
    [
        *((word, True, False) for word in ("yes", "Y", "true", "T", "ON", "1")),
        *((word, False, True) for word in ("no", "N", "false", "F", "OFF", "0")),
        ("", False, False),
        ("ipv4", False, False),
    ],
)
def test_words_for_yes_and_no(word: str, *, yes: bool, no: bool) -> None:
    assert (networkfile.is_yes(word), networkfile.is_no(word)) == (yes, no)


@pytest.mark.parametrize(
    ("word", "asks"),
    [
        *((word, True) for word in ("yes", "y", "True", "t", "on", "1", "IPv4", "both", "v4")),
        *((word, False) for word in ("", "no", "ipv6", "v6", "none")),
    ],
)
def test_words_for_dhcp_over_ipv4(word: str, *, asks: bool) -> None:
    assert networkfile.asks_dhcp4(parse(f"[Network]\nDHCP={word}\n")) is asks


@pytest.mark.parametrize(
    ("destination", "everywhere"),
    [
        ("", True),
        ("Default", True),
        ("0.0.0.0/0", True),
        ("::/0", True),
        ("10.0.0.0/8", False),
    ],
)
def test_which_route_leads_everywhere(destination: str, *, everywhere: bool) -> None:
    assert section("Route", ("Destination", destination)).leads_everywhere() is everywhere


@pytest.mark.parametrize(
    ("table", "main"),
    [
        ("", True),
        ("main", True),
        ("Main", True),
        ("254", True),
        ("100", False),
        ("local", False),
    ],
)
def test_which_table_is_the_main_one(table: str, *, main: bool) -> None:
    assert section("Route", ("Table", table)).in_main_table() is main


@pytest.mark.parametrize("slashes", range(5))
def test_a_backslash_that_another_one_escapes_continues_nothing(slashes: int) -> None:
    """``config_parse()`` in systemd's shared/conf-parser.c: every second one stands for itself."""
    text = "[Network]\nDescription=a" + "\\" * slashes + "\nDNS=x\n"
    rest = "\\" * (slashes - slashes % 2)
    joined = [("Description", f"a{rest} DNS=x")]
    apart = [("Description", f"a{rest}"), ("DNS", "x")]
    assert _seen(text) == [("", []), ("Network", joined if slashes % 2 else apart)]
    assert render(parse(text)) == text
