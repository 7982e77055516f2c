"""Files drawn at random: all that is no metric is in effect after install as it was before."""

from __future__ import annotations

from random import Random

import pytest

from tests.conftest import Tried
from tests.lab.filesets import SIZE, MakeLab, Member, await_late, start
from tests.lab.views import differences, unranked, views
from tests.support.drawn_files import draw


def test_all_that_is_no_metric_is_in_effect_as_before(
    make_lab: MakeLab, pytestconfig: pytest.Config, tried: Tried
) -> None:
    seed = pytestconfig.getoption("--file-seed")
    for turn in range(pytestconfig.getoption("--file-rounds")):
        random = Random(f"{seed}.{turn}")  # noqa: S311 - no secret
        members = [Member(draw(random), rank) for rank in range(SIZE)]
        wrong = _lost(make_lab, members)
        tried("drawn .network files", SIZE)
        assert not wrong, "\n".join([f"round {turn} of seed {seed}", *wrong])


def _lost(make_lab: MakeLab, members: list[Member]) -> list[str]:
    """Return what is not in effect after install as before, or not after uninstall."""
    nics = [member.nic for member in members]
    lab = start(make_lab, members)
    before, wrong = views(lab, nics), []
    words = [word for nic in nics for word in ("--uplink", nic)]
    done = lab.netfail("install", *words, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    await_late(lab, members)
    for nic, now in views(lab, nics).items():
        wrong += differences(f"{nic} after install", unranked(before[nic]), unranked(now))
    done = lab.netfail("uninstall", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    await_late(lab, members)
    for nic, now in views(lab, nics).items():
        wrong += differences(f"{nic} after uninstall", before[nic], now)
    shown = {nic for nic in nics if any(line.startswith(f"{nic} ") for line in wrong)}
    lab.close()
    texts = (str(one.own(str(one.set.files))) for one in members if one.nic in shown)
    return [*wrong, *texts] if wrong else []
