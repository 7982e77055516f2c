"""Debian's lintian finds nothing in the package, pedantry included, and each override is needed."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support import ROOT
from tests.support.release import call
from tests.unit.packaging.test_deb import build


def test_lintian_finds_nothing_and_needs_each_override(tmp_path: Path) -> None:
    words = ["--pedantic", "--display-info", "--show-overrides", "--allow-root"]
    lines = call(["lintian", *words, "--fail-on", "none", str(build(tmp_path))]).splitlines()
    found = [line for line in lines if not line.startswith(("N:", "O:"))]
    assert found == [], "lintian-explain-tags TAG"
    used = {line.split()[2] for line in lines if line.startswith("O:")}
    overrides = (ROOT / "packaging/debian/lintian-overrides").read_text(encoding="utf-8")
    assert used == set(re.findall(r"^netfail-hooks: (\S+)", overrides, re.MULTILINE))


def test_each_override_has_its_reason() -> None:
    lines = (ROOT / "packaging/debian/lintian-overrides").read_text(encoding="utf-8").splitlines()
    for before, line in zip(["", *lines], lines, strict=False):
        assert line.startswith("#") or before.startswith("# "), line
