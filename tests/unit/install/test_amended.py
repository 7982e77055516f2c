"""A person's config.toml after install: nobody's comment is lost, and nothing else changes."""

from __future__ import annotations

import difflib
import itertools
import os
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.config.file import parse
from netfail_hooks.config.toml_text import layout, split
from netfail_hooks.install.config import choose
from netfail_hooks.install.options import InstallOptions
from netfail_hooks.paths import Paths
from netfail_hooks.values import replace

NAMES = ("eth0", "wlan0", "usb0", "a#b", "ppp0")  # a name may hold what begins a comment
SPACES = ("", " ", "\t ", "  ")


@dataclass
class Writer:
    """Write TOML as people do: with comments anywhere, each another one."""

    draw: st.DrawFn
    made: list[str]
    end: str

    def pick(self, *choices: str) -> str:
        return str(self.draw(st.sampled_from(choices)))

    def comment(self) -> str:
        self.made.append(f"# mine {len(self.made)}: " + self.pick("[a]", "'", '"""', "x = 1", "é"))
        return self.made[-1]

    def line(self, text: str) -> str:
        above = self.pick("", self.end, "#")
        if above == "#":
            above = self.pick(*SPACES) + self.comment() + self.end
        behind = self.pick(*SPACES)
        if self.draw(st.booleans()):
            behind += self.comment()
        return above + text + behind + self.end

    def quoted(self, text: str) -> str:
        return self.pick(f'"{text}"', f"'{text}'")

    def keys(self, table: str, keys: Sequence[str]) -> tuple[str, str]:
        """Return numbers in a table, as lines above all tables and as a table of its own."""
        numbers = [(key, self.pick("20", "0x14")) for key in keys]
        form = self.pick("dotted", "inline", "table")
        if form == "dotted":
            lines = [f"{table}{self.pick(*SPACES)}.{key} = {number}" for key, number in numbers]
            return "".join(self.line(text) for text in lines), ""
        if form == "inline":
            inside = ", ".join(f"{key} = {number}" for key, number in numbers)
            return self.line(f"{table} = {{{inside}}}"), ""
        head = self.line(f"[{self.pick(*SPACES)}{table}]")
        return "", head + "".join(self.line(f"{key}={number}") for key, number in numbers)

    def uplink_table(self, name: str) -> str:
        lines = [f"interface = {self.quoted(name)}"]
        targets = self.pick("", "['icmp:1.1.1.1']", f"[{self.end}'icmp:1.1.1.1',{self.end}]")
        lines += [f"targets = {targets}"] if targets else []
        return self.line("[[uplink]]") + "".join(self.line(text) for text in lines)

    def uplink_array(self, names: Sequence[str]) -> str:
        lines = [self.line("uplink = [")]
        lines += [
            self.line(f"  {{interface = {self.quoted(name)}, failures = 3}},") for name in names
        ]
        return "".join(lines) + self.line("]")


@st.composite
def files(draw: st.DrawFn) -> tuple[str, list[str]]:
    """Draw a config that a person may have written, and its comments."""
    made: list[str] = []
    writer = Writer(draw, made, draw(st.sampled_from(["\n", "\r\n"])))
    above = writer.line(writer.pick("", 'mode = "routes"', "'mode'='routes'"))
    tables = []
    for table, keys in (("check", ("successes", "interval")), ("hold_down", ("seconds", "max"))):
        chosen = draw(st.lists(st.sampled_from(keys), unique=True))
        empty = draw(st.booleans())
        if chosen or empty:
            top, own = writer.keys(table, chosen)
            above += top
            tables += [own] if own else []
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    if draw(st.booleans()):
        above += writer.uplink_array(names)
    else:
        listed = [writer.uplink_table(name) for name in names]
        at = sorted(draw(st.integers(0, len(tables))) for _ in listed)
        for place, text in reversed(list(zip(at, listed, strict=True))):
            tables.insert(place, text)
    text = above + "".join(tables) + writer.line("")
    if draw(st.booleans()):
        text = text.removesuffix(writer.end)
    return text, made


options = st.builds(
    InstallOptions,
    uplinks=st.just(()) | st.lists(st.sampled_from(NAMES), min_size=2, unique=True).map(tuple),
    address_configs=st.just({}),
    interval=st.none() | st.sampled_from([0, 9, 20]),
    mode=st.sampled_from(["", "routes", "bond"]),
)


def _wanted(old: Config, asked: InstallOptions) -> Config:
    new = replace(old, mode=asked.mode or old.mode)
    new = new if asked.interval is None else replace(new, interval=asked.interval)
    if not asked.uplinks or asked.uplinks == old.names():
        return new
    stay = {uplink.interface: uplink for uplink in old.uplinks}
    ranked = default_metrics(asked.uplinks)
    uplinks = (replace(stay.get(one.interface, one), metric=one.metric) for one in ranked)
    return replace(new, uplinks=tuple(uplinks))


def _installed(text: str, asked: InstallOptions) -> tuple[Config, str]:
    with tempfile.TemporaryDirectory() as root:
        paths = Paths(root)
        os.makedirs(os.path.dirname(paths.config))
        Path(paths.config).write_bytes(text.encode())
        return choose(paths, asked, lambda: ())


@given(files(), options)
def test_no_comment_is_lost_and_what_was_asked_for_is_there(
    written: tuple[str, list[str]], asked: InstallOptions
) -> None:
    text, comments = written
    old, wrong = parse(tomllib.loads(text))
    assert old, wrong
    config, amended = _installed(text, asked)
    assert config == _wanted(old, asked)
    assert parse(tomllib.loads(amended)) == (config, [])
    assert [comment for comment in comments if comment not in amended] == []
    if config == old:
        assert amended == text
    if config.uplinks == old.uplinks:
        before, after = (one.splitlines(keepends=True) for one in (text, amended))
        changed = [line for line in difflib.ndiff(before, after) if line[:2] == "- "]
        # The last line gets its end; of what is there, a mode and an interval change at most.
        assert len(changed) <= 3, changed
    assert _installed(amended, asked)[1] == amended, "a second install finds nothing to do"


@given(files())
def test_a_text_is_the_sum_of_its_parts(written: tuple[str, list[str]]) -> None:
    text, comments = written
    parts = split(text)
    assert "".join(parts) == text
    assert sorted(layout(text).comments) == sorted(comments)
    trees = [tomllib.loads(part) for part in parts]  # each is whole
    assert all(len(tree) <= 1 for tree in trees[1:])
    keys = set(itertools.chain.from_iterable(trees))
    assert keys == set(tomllib.loads(text))
