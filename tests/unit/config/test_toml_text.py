"""Where comments and tables stand in TOML: strings may hold what looks like either."""

from __future__ import annotations

import tomllib

import pytest

from netfail_hooks.config.toml_text import layout, split


@pytest.mark.parametrize(
    "value",
    [
        '"# no"',
        "'# no'",
        r'"\"# no"',
        r'"\\"',
        r"'\'",
        '""',
        '"""\n# no\n[no]\n" ""\n"""',
        "'''\n# no\n[no]\n' ''\n'''",
        r'"""\""" # no"""',
        r"'''\'''",
        '"""no"""""',
        "'''no''''",
        "[\n[1],\n[2]]",
        "[\n  '[no]', # yes\n[]]",
        "{b = '# no'}",
    ],
)
def test_strings_and_arrays_are_looked_through(value: str) -> None:
    above = f"a = {value}# yes\n"
    text = f"{above}[t]\n"
    tomllib.loads(text)
    assert set(layout(text).comments) == {"# yes"}
    assert split(text) == [above, "[t]\n"]


@pytest.mark.parametrize(
    "parts",
    [
        [""],
        ["# a"],
        ["", "[b]\n"],
        ["\n", "[b]\n"],
        ["a=1\n", "  [b]\n", "\t[c]\n", "[[d]]"],
        ["a=1\r\n", " \t[b]\r\n", "[c]\r\n"],
        ["\n", "# c\n[b]\n"],
        ["# a\n\n", "[b]\n", "# c\n  # d\n[c]\n"],
        ["a=1 # a\n", "[b]\n"],
        ["", "# c\n[b]\n"],
    ],
)
def test_a_comment_goes_with_the_table_below_it(parts: list[str]) -> None:
    assert split("".join(parts)) == parts
