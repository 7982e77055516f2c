"""Links of the documents, and whether they lead somewhere: to a file, and to a heading in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def dead_links(document: Path) -> list[str]:
    """Return the links of a document that lead nowhere."""
    return [link for link in _links(document) if not _leads(document, link)]


def _links(document: Path) -> Iterator[str]:
    for link in _LINK.findall(_text(document)):
        if not link.startswith("https://"):
            yield link


def _leads(document: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    place = document.parent / path if path else document
    return place.exists() and (not anchor or anchor in _anchors(place))


def _anchors(document: Path) -> set[str]:
    """Return what a document's headings are called by, as GitHub makes it of them."""
    found: dict[str, int] = {}
    for heading in re.findall(r"^#+ (.*)$", _text(document), re.MULTILINE):
        shown = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", shown.strip().lower()).replace(" ", "-")
        found[name] = found.get(name, -1) + 1
        if found[name]:
            found[f"{name}-{found[name]}"] = 0
    return set(found)


def _text(document: Path) -> str:
    return _CODE.sub("", document.read_text(encoding="utf-8"))
