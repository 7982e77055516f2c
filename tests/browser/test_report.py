"""The report's page in a real browser: on a phone and a desk, light and dark, by keys, read aloud.

sudo tests/run browser                                  fetches a browser where there is none
sudo tests/run tests/browser --pictures DIRECTORY       keeps what the pages look like
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from netfail_hooks.report.html import page as render
from tests.support.browser import Browser
from tests.support.pages import page

LONG = ("enx00e04c680001", "wlx00c0cab0cafe")
HOSTILE = ('"><img src=//x onerror=y()>', "</style><script>z()</script>")
PAGES = {
    "usual": render(page()),
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
    assert len(texts) > 100
    for text in texts:
        assert _contrast(text["colour"], text["back"]) >= 4.5, text
        assert text["left"] >= 0, text
        assert text["right"] <= width, text
        assert text["size"] >= 8, text
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
        "All that status says",
    ]
    assert not browser.ask("document.querySelector('details').open")
    browser.press("Enter")
    assert browser.ask("document.querySelector('details').open")
    assert browser.ask("document.querySelector('details pre').textContent").startswith("1. eth0")


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
    assert len(pictures) == 3, "one of the two sizes"
    assert all(name.startswith("Uplinks from ") for name in pictures)
