"""README, which is short, and its translation: what they say is so, and said in both."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET

import pytest

from bench.contenders import CONTENDERS, OURS
from bench.demo_picture import UPLINKS, film, picture
from bench.faults import DEAD
from bench.results import load
from netfail_hooks.config import Config
from tests.support import ROOT

NAMES = ("README.md", "README.id.md")
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in NAMES}
DEMO = json.loads((ROOT / "docs/how/demo.json").read_text(encoding="utf-8"))
IN_WORDS = {"README.md": ("seven", "about a second"), "README.id.md": ("tujuh", "satu detik")}
MOST_WORDS = {"README.md": 720, "README.id.md": 740}  # which says in prose what the code's # say


@pytest.mark.parametrize("name", NAMES)
def test_it_is_read_in_two_minutes(name: str) -> None:
    lines = TEXTS[name].splitlines()
    assert len(lines) < 110
    assert len(TEXTS[name].split()) <= MOST_WORDS[name]
    assert [line for line in lines if len(line) > 120] == []


@pytest.mark.parametrize("name", NAMES)
def test_what_an_uplink_is_stands_where_the_word_does_first(name: str) -> None:
    first = re.search(r"(\S*)\buplinks?\b", TEXTS[name])
    assert first
    assert first[1] == "(*", "in brackets, behind what it means"


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_has_what_measured_it_beside_it(name: str) -> None:
    """All but what a machine needs, and what is a setting."""
    text = " ".join(TEXTS[name].split())
    beside = {
        r"2 (?:of|dari) 2000[^]]*": "tests/lab/test_failover.py",
        IN_WORDS[name][1]: "docs/how/costs.md",
        r"(?:measured|terukur)": "docs/use/handover.md",
        r"(?:how long|berapa lama)": "docs/use/start.md",
    }
    for said, where in beside.items():
        assert re.search(rf"\[[^]]*{said}\]\({re.escape(where)}[#)]", text), said


def _handover_seconds() -> tuple[str, ...]:
    """Return how long traffic waited, and for how long Wi-Fi was away."""
    shown = (ROOT / "docs/use/handover.md").read_text(encoding="utf-8").partition("Shown by")[2]
    waited = re.search(r"waited (\S+) s at most, Wi-Fi was out for (\S+) s", shown)
    assert waited
    return waited.groups()


def test_both_have_the_same_code_links_tables_and_sections() -> None:
    for pattern in (
        r"(?s)^```\w.*?^```$",
        r"\]\(([^)]*)\)",
        r"^(#+) ",
        r"^(\|)",
        r"^(- )",
        r"^(\*\*)",
    ):
        english, indonesian = (re.findall(pattern, TEXTS[name], re.MULTILINE) for name in NAMES)
        # Each names the other at its top.
        assert [one for one in english if one != NAMES[1]] == [
            one for one in indonesian if one != NAMES[0]
        ], pattern
        assert english


def test_ci_runs_the_command_that_is_told_to_run_everything() -> None:
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    command = re.search(r'^exec "\$\(dirname "\$0"\)/\.\./(.*)"$', script, re.MULTILINE)
    assert command, "with no argument: everything"
    assert script.rstrip().endswith(command[0])
    for text in TEXTS.values():
        told = re.search(r"`sudo (tests/run)`", text)
        assert told
        assert told[1] == command[1]


@pytest.mark.parametrize("name", NAMES)
def test_its_figures_are_measured_ones(name: str) -> None:
    text = " ".join(TEXTS[name].split())
    ways, dead = IN_WORDS[name]
    assert len(CONTENDERS) - len(OURS) == 7
    assert ways in text
    row = load((ROOT / "docs/how/bench.json").read_text(encoding="utf-8")).row("ours", DEAD)
    assert row is not None
    assert round(row.outage.ms / 1000) == 1
    assert dead in text
    for seconds in _handover_seconds():
        figure = seconds.replace(".", ",") if name == "README.id.md" else seconds
        assert re.search(rf"\b{figure} (s|detik)\b", text)
    assert re.search(rf"\b{Config(()).hold_down} (s|detik)\b", text)


def test_the_picture_is_of_a_run_in_which_all_went_well() -> None:
    """After a change of its drawing: docs/picture.py; of what it shows: docs/picture.py --run."""
    drawn = (ROOT / "docs/how/demo.svg").read_text(encoding="utf-8")
    assert picture(DEMO) == drawn
    assert DEMO["real"] is True
    for chapter in DEMO["chapters"]:
        for act in chapter["acts"]:
            assert act["alive"] == act["connections"] == 2
            assert act["moved_ms"] >= 0


def test_the_picture_shows_what_the_run_measured() -> None:
    shown, drawn = film(DEMO), picture(DEMO)
    assert [moment.at for moment in shown.moments] == sorted(m.at for m in shown.moments)
    assert shown.moments[-1].at < shown.seconds
    assert set(shown.active) == set(UPLINKS)
    for spans in shown.active.values():
        assert len(spans) == len(shown.losses) == len(shown.edges) - 1
    assert f"{shown.seconds:.2f}s step-end" in drawn
    for moment in shown.moments:
        assert f">{moment.outcome['lost']} of {moment.outcome['sent']} lost<" in drawn


def test_the_picture_stands_still_for_who_wants_that_and_fetches_nothing() -> None:
    drawn = picture(DEMO)
    still = drawn.index("prefers-reduced-motion: reduce")
    assert "animation: none !important" in drawn[still:]
    assert "@keyframes" not in drawn[still:]  # nothing after it moves again
    assert "prefers-color-scheme: dark" in drawn
    assert re.findall(r"<script|<image|href=|@import|url\(", drawn) == []
    assert re.findall(r"https?://[^\"]+", drawn) == ["http://www.w3.org/2000/svg"]
    assert ET.fromstring(drawn).tag.endswith("}svg")  # noqa: S314 - of our own


# Each place that says in a line what this is: packages, their indexes, the command itself.
IN_A_LINE = {
    "packaging/debian/control": r"^Description: (.+)$",
    "packaging/arch/PKGBUILD": r"^pkgdesc='(.+)'$",
    "pyproject.toml": r'^description = "(.+)"$',
    "examples/ansible/roles/netfail_hooks/meta/main.yml": r'^  description: "(.+)"$',
    "man/netfail-hooks.8": r"^netfail-hooks \\- (.+)$",
    "netfail_hooks/__init__.py": r'^"""(.+)\.$',
    "netfail_hooks/cli/__init__.py": r'^    "(Wired/Wi-Fi failover: .+?)\. ',
}


@pytest.mark.parametrize("name", IN_A_LINE)
def test_what_it_is_is_told_in_one_sentence_everywhere(name: str) -> None:
    found = re.findall(IN_A_LINE[name], (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
    assert [line.lower() for line in found] == [
        "wired/wi-fi failover: pull the cable and everything goes on by wi-fi"
    ]
    first = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split("\n\n")[2].split())
    assert "pull the cable" in first.lower()
