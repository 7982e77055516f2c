"""Debian on whole machines with real Wi-Fi: nothing is lost for longer than its limit."""

from __future__ import annotations

import pytest

from tests.support import ROOT
from tests.vm.journey import Journey, Stop, refusal


def test_a_whole_machine(way: Journey, stop: Stop, monkeypatch: pytest.MonkeyPatch) -> None:
    if refusal():
        pytest.fail(refusal(), pytrace=False)
    monkeypatch.chdir(ROOT)
    assert way.go(stop) == []
