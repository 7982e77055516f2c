"""Pictures of the documents in a real browser: they can be read, and README's moves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.browser import Browser

PICTURES = sorted((ROOT / "docs").rglob("*.svg"))
_LEAST = 11  # pixels of a letter's size that can be read
# Texts that reach out of their picture, and those that are drawn over one another.
_AMISS = """
(() => {
  const all = document.documentElement.getBoundingClientRect();
  const boxes = [...document.querySelectorAll("text")].map(
    one => ({text: one.textContent, box: one.getBoundingClientRect()}));
  const out = boxes.filter(({box}) => box.left < all.left || box.right > all.right
    || box.top < all.top || box.bottom > all.bottom).map(one => one.text);
  const over = boxes.flatMap((one, place) => boxes.slice(place + 1).filter(({box}) =>
    Math.min(box.right, one.box.right) - Math.max(box.left, one.box.left) > 1
    && Math.min(box.bottom, one.box.bottom) - Math.max(box.top, one.box.top) > box.height / 2
  ).map(two => one.text + " / " + two.text));
  return {out, over};
})()
"""


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: str(path.stem))
def test_all_of_it_is_in_the_picture_and_nothing_over_another(path: Path, browser: Browser) -> None:
    browser.open(path, width=1000)
    assert browser.ask("document.querySelectorAll('text').length") > 10
    assert browser.ask(_AMISS) == {"out": [], "over": []}


def test_the_picture_of_readme_can_be_read_on_a_phone(browser: Browser, tmp_path: Path) -> None:
    picture = (ROOT / "docs/how/demo.svg").read_text(encoding="utf-8")
    page = tmp_path / "page.html"
    page.write_text(  # as GitHub has it on a screen of 360
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<style>body > svg {{ max-width: 328px; height: auto }}</style>{picture}",
        encoding="utf-8",
    )
    browser.open(page, width=360)
    size = (
        "Math.min(...[...document.querySelectorAll('text')].map(one =>"
        " parseFloat(getComputedStyle(one).fontSize) * one.getScreenCTM().a))"
    )
    assert browser.ask("document.querySelector('svg').getBoundingClientRect().width") == 328
    assert browser.ask(size) >= _LEAST


def test_the_picture_of_readme_moves_and_stands_still_for_who_wants_that(
    browser: Browser,
) -> None:
    picture = ROOT / "docs/how/demo.svg"
    running = "document.getAnimations().filter(one => one.playState === 'running').length"
    browser.open(picture, width=840)
    assert browser.ask(running) > 5
    still = {"name": "prefers-reduced-motion", "value": "reduce"}
    browser.call("Emulation.setEmulatedMedia", features=[still])
    assert browser.ask(running) == 0
    shown = browser.ask(
        "[...document.querySelectorAll('.cut')].filter(one => getComputedStyle(one).opacity > 0)"
        ".map(one => one.getAttribute('class'))"
    )
    assert shown == ["cut cut-eth0"]
