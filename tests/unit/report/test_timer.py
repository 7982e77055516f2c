"""The units of examples/systemd: systemd takes them, and the page tells how to use them.

That they write a page is shown in tests/lab/test_booted.py.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from tests.support import ROOT

_PLACE = ROOT / "examples/systemd"
_TOLD = (ROOT / "docs/use/report.md").read_text(encoding="utf-8")


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """As they are on a machine, where a timer without its service is nothing."""
    units = [shutil.copy(unit, tmp_path) for unit in sorted(_PLACE.iterdir())]
    assert [Path(unit).suffix for unit in units] == [".service", ".timer"]
    done = subprocess.run(
        ["systemd-analyze", "--man=no", "verify", *units],
        capture_output=True,
        check=False,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_page_is_where_the_document_says() -> None:
    text = (_PLACE / "netfail-report.service").read_text(encoding="utf-8")
    place = re.search(r"--html (/run/(\S+)/index\.html)$", text, re.MULTILINE)
    assert place
    assert f"RuntimeDirectory={place[2]}\n" in text
    assert f"cat {place[1]} >page.html" in _TOLD
    for unit in _PLACE.iterdir():
        assert unit.stem in _TOLD
