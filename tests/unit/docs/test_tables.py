"""Each table of the documents is whole: a row that is cut off swallows what follows it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support import ROOT

_CODE = re.compile(r"`[^`]*`|\\\|")  # where a bar divides nothing
_DOCUMENTS = sorted(
    {*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")}
)


def _cells(row: str) -> int:
    return len(_CODE.sub("", row).strip("|").split("|"))


@pytest.mark.parametrize("document", _DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_row_has_the_cells_of_its_head(document: Path) -> None:
    head = 0
    for number, line in enumerate(document.read_text(encoding="utf-8").splitlines(), 1):
        if not line.startswith("|"):
            head = 0
            continue
        head = head or _cells(line)
        assert line.endswith("|"), f"line {number} is cut off"
        assert _cells(line) == head, f"line {number} has other cells than the head of its table"
