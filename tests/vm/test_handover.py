"""A machine that NetworkManager runs is taken over by SSH, fails over, and is given back."""

from __future__ import annotations

import pytest

from tests.support import ROOT
from tests.vm.handover import Handover
from tests.vm.journey import Stop, refusal


def test_a_machine_as_it_comes(
    handing: Handover, stop: Stop, monkeypatch: pytest.MonkeyPatch
) -> None:
    if refusal():
        pytest.fail(refusal(), pytrace=False)
    monkeypatch.chdir(ROOT)
    assert handing.go(stop) == []
