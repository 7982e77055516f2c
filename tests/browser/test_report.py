"""The report's page in a real browser: on a phone and a desk, light and dark, by keys, read aloud.

sudo tests/run browser                                  fetches a browser where there is none
sudo tests/run tests/browser --pictures DIRECTORY       keeps what the pages look like
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from netfail_hooks.report.html import page as render
from tests.support.browser import Browser
from tests.support.pages import odd_page, page, well_page, young_page

LONG = ("enx00e04c680001", "wlx00c0cab0cafe")
HOSTILE = ('"><img src=//x onerror=y()>', "</style><script>z()</script>")
PAGES = {
    "usual": render(page()),
    "well": render(well_page()),
    "odd": render(odd_page()),
    "young": render(young_page(300)),
    "long": render(page(*LONG, "no answer from the gateway " * 5)),
    "hostile": render(page(*HOSTILE, "x" * 300)),
}
# Each text on the page with its colour, and that of what is behind it.
_TEXTS = """
(() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, parent = node.parentElement;
    if (!node.data.trim() || !parent.checkVisibility()) continue;
    if (parent.className === "skip") continue;  // shown by the first key
    if (["TITLE", "DESC"].includes(parent.tagName.toUpperCase())) continue;
    const style = getComputedStyle(parent);
    const colour = parent instanceof SVGElement ? style.fill : style.color;
    let behind = parent;
    while (getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)") {
      if (!behind.parentElement) break;
      behind = behind.parentElement;
    }
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    found.push({text: node.data.trim(), colour, size: parseFloat(style.fontSize) * (
      parent.ownerSVGElement ? parent.ownerSVGElement.getScreenCTM().a : 1),
      back: getComputedStyle(behind).backgroundColor, right: box.right + scrollX, left: box.left});
  }
  return found;
})()
"""


@pytest.fixture(params=list(PAGES))
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"{request.param}.html"
    path.write_text(PAGES[request.param], encoding="utf-8")
    return path


@pytest.fixture
def usual(tmp_path: Path) -> Path:
    path = tmp_path / "page.html"
    path.write_text(PAGES["usual"], encoding="utf-8")
    return path


def _contrast(one: str, other: str) -> float:
    """As WCAG 2.2 defines it, of colours as the browser names them."""
    lights = []
    for colour in (one, other):
        parts = [int(part) / 255 for part in colour.partition("(")[2].rstrip(")").split(",")[:3]]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        lights.append(0.2126 * red + 0.7152 * green + 0.0722 * blue)
    return (max(lights) + 0.05) / (min(lights) + 0.05)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_all_can_be_read_at_any_width(
    browser: Browser, file: Path, request: pytest.FixtureRequest, *, width: int, dark: bool
) -> None:
    browser.asked.clear()
    browser.complaints.clear()
    browser.open(file, width=width, dark=dark)
    if pictures := request.config.getoption("--pictures"):
        name = f"{file.stem}-{width}-{'dark' if dark else 'light'}.png"
        browser.picture(Path(pictures) / name)
    assert browser.ask("document.documentElement.scrollWidth") <= width, "it scrolls sideways"
    texts = browser.ask(_TEXTS)
    assert len(texts) > 80
    for text in texts:
        assert _contrast(text["colour"], text["back"]) >= 4.5, text
        assert text["left"] >= 0, text
        assert text["right"] <= width, text
        assert text["size"] >= 9, text
    assert browser.asked == [file.as_uri()], "it fetches something"
    assert browser.complaints == []
    assert browser.ask("document.querySelectorAll('script, img').length") == 0
    wide, narrow = (
        browser.ask(f"document.querySelector('svg.{kind}').checkVisibility()")
        for kind in ("wide", "narrow")
    )
    assert (wide, narrow) == (width > 640, width <= 640)
    grey = browser.ask("getComputedStyle(document.body).backgroundColor")
    assert grey == ("rgb(13, 17, 23)" if dark else "rgb(255, 255, 255)")


def test_bars_are_drawn_with_their_patterns(browser: Browser, usual: Path) -> None:
    for width in (390, 1280):
        browser.open(usual, width=width)
        kind = "narrow" if width < 600 else "wide"
        fills = browser.ask(
            f"[...document.querySelectorAll('svg.{kind} rect')]"
            ".map(one => getComputedStyle(one).fill)"
        )
        assert {fill for fill in fills if fill.startswith("url")} == {
            'url("#down")',
            'url("#recovering")',
        }
        assert "rgb(0, 0, 0)" not in fills


def _focused(browser: Browser) -> str:
    return str(browser.ask("document.activeElement.textContent.trim().slice(0, 20)"))


def test_keys_alone_lead_everywhere(browser: Browser, usual: Path) -> None:
    browser.open(usual, width=1280)
    stops = []
    for _ in range(7):
        browser.press("Tab")
        stops.append(_focused(browser))
        assert browser.ask("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        assert browser.ask("document.activeElement.getBoundingClientRect().left") >= 0
    assert stops == [
        "Skip to the report",
        "Now",
        "Uplinks over time",
        "Outages",
        "Fire drills",
        "What doctor says",
        "All that status says",  # of each uplink
    ]
    assert not browser.ask("document.querySelector('details').open")
    browser.press("Enter")
    assert browser.ask("document.querySelector('details').open")
    inside = browser.ask("document.querySelector('details > ol').checkVisibility()")
    assert inside, "it is not shown"


# Each name in the picture that is seen: its letters' drawn width and height on the screen.
_NAMES = """
[...document.querySelectorAll("svg .name")].filter(one => one.checkVisibility()).map(one => {
  const box = one.getBoundingClientRect();
  return {name: one.textContent, wide: box.width / one.textContent.length, high: box.height};
})
"""


@pytest.mark.parametrize("width", [320, 360, 390, 1280])
def test_a_name_of_15_letters_is_read_in_the_picture(
    browser: Browser, tmp_path: Path, width: int
) -> None:
    """As drawn, not as the style asks: a squeezed letter is as high as ever."""
    path = tmp_path / "page.html"
    for names in (LONG, ("wwwwwwwwwwwwwww", "WWWWWWWWWWWWWWW"), ("iiiiiiiiiiiiiii", "eth0")):
        path.write_text(render(page(*names)), encoding="utf-8")
        browser.open(path, width=width)
        drawn = browser.ask(_NAMES)
        assert [one["name"] for one in drawn] == [*names] * 3
        for one in drawn:
            assert one["wide"] >= (5.5 if width < 360 else 6.5), one
            assert one["high"] >= (10 if width < 360 else 12), one


def test_rows_of_links_are_no_further_apart_than_a_finger_needs(
    browser: Browser, usual: Path
) -> None:
    browser.open(usual, width=360)
    tops = browser.ask(
        "[...document.querySelectorAll('nav a')].map(one => one.getBoundingClientRect().top)"
    )
    rows = sorted(set(tops))
    assert len(rows) > 1
    for one, other in itertools.pairwise(rows):
        assert 24 <= other - one <= 44  # WCAG 2.2, 2.5.8: at least 24


# What is seen on more than one line of a pattern's matches, which belong together.
_BROKEN = r"""
(() => {
  const found = [], unit = String.raw`[ \u202f](?:(?:d|h|min|s|ms|MB)\b|%)`;
  const lesser = String.raw`(?:[ \u202f]\d+[ \u202f](?:h|min|s)\b)?`;
  const moment = String.raw`\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d`;
  const pattern = new RegExp(String.raw`\d[\d.]*${unit}${lesser}|${moment}`, "g");
  document.querySelectorAll("details").forEach(one => { one.open = true; });
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let matches = 0;
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (!node.parentElement.checkVisibility() || node.parentElement.closest("pre, svg")) continue;
    for (const match of node.data.matchAll(pattern)) {
      const range = document.createRange();
      range.setStart(node, match.index);
      range.setEnd(node, match.index + match[0].length);
      const lines = new Set([...range.getClientRects()].map(one => Math.round(one.top)));
      matches += 1;
      if (lines.size > 1) found.push(match[0]);
    }
  }
  return {matches, found};
})()
"""


@pytest.mark.parametrize("width", [320, 344, 360, 375, 390, 412, 1280])
def test_no_line_ends_within_a_number_with_its_unit_or_a_date(
    browser: Browser, tmp_path: Path, width: int
) -> None:
    path = tmp_path / "page.html"
    for name in ("usual", "well", "odd", "long"):
        path.write_text(PAGES[name], encoding="utf-8")
        browser.open(path, width=width)
        seen = browser.ask(_BROKEN)
        assert seen["matches"] > 40
        assert seen["found"] == [], name
        assert browser.ask("document.documentElement.scrollWidth") <= width, "opened, it scrolls"


def test_what_makes_it_unwell_is_seen_without_opening_anything(
    browser: Browser, tmp_path: Path
) -> None:
    path = tmp_path / "page.html"
    path.write_text(PAGES["odd"], encoding="utf-8")
    browser.open(path, width=360)
    seen = browser.ask(
        "[...document.querySelectorAll('dd.bad')].filter(one => one.checkVisibility())"
        ".map(one => one.textContent.slice(0, 20))"
    )
    assert seen[:3] == ["from 192.168.1.51 by", "the last was 50\u202fmin ", "the kernel sends by "]
    assert browser.ask("document.querySelector('h1').textContent").endswith("NOT WELL")


def test_the_first_key_skips_to_the_report(browser: Browser, usual: Path) -> None:
    browser.open(usual, width=390)
    browser.press("Tab")
    browser.press("Enter")
    assert browser.ask("document.activeElement.id") == "main"


def _spoken(browser: Browser) -> list[tuple[str, str]]:
    """Return role and name of all that a screen reader is given."""
    nodes: list[dict[str, Any]] = browser.call("Accessibility.getFullAXTree")["nodes"]
    return [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node["ignored"]
    ]


def test_a_screen_reader_has_its_landmarks_tables_and_pictures(
    browser: Browser, usual: Path
) -> None:
    browser.open(usual, width=390)
    spoken = _spoken(browser)
    roles = [role for role, _ in spoken]
    for role in ("banner", "navigation", "main", "contentinfo"):
        assert roles.count(role) == 1, role
    regions = [name for role, name in spoken if role == "region"]
    assert regions == ["Now", "Uplinks over time", "Outages", "Fire drills", "What doctor says"]
    assert [name for role, name in spoken if role == "heading"][:2] == [
        "Uplinks of pi: NOT WELL",
        "Now",
    ]
    tables = [name for role, name in spoken if role == "table"]
    assert len(tables) == 6
    assert all(tables)
    assert ("rowheader", "eth0") in spoken
    assert ("columnheader", "Available") in spoken
    pictures = [name for role, name in spoken if role in ("image", "img")]
    assert len(pictures) == 3, "once each, whatever its size"
    assert all(name.startswith("Uplinks from ") for name in pictures)
