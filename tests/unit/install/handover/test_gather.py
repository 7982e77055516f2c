"""A manager that is slow to answer is no reason to do without it; one that is not there is."""

from __future__ import annotations

from subprocess import CompletedProcess

import pytest
from pytest_mock import MockerFixture

from netfail_hooks.errors import Problem
from netfail_hooks.install.handover import gather
from netfail_hooks.install.manifest import Handed
from netfail_hooks.managers.detect import NETWORKMANAGER
from netfail_hooks.managers.nm import nmcli
from netfail_hooks.process import TooSlow

_HANDED = (Handed("eth0", NETWORKMANAGER),)


@pytest.mark.parametrize(
    ("said", "status", "answers"),
    [
        ("running\n", 0, True),
        ("not running\n", 0, False),
        ("", 8, False),  # nmcli(1), EXIT STATUS: it is not running
        ("", 1, True),  # nmcli gave up after 25 s
        (TooSlow("no answer within 10 s"), 0, True),
    ],
)
def test_who_is_to_have_an_uplink_back_runs(
    mocker: MockerFixture, said: str | Problem, status: int, *, answers: bool
) -> None:
    mocker.patch("shutil.which", return_value="/usr/bin/nmcli")
    done = said if isinstance(said, Problem) else CompletedProcess((), status, said, "")
    mocker.patch.object(nmcli, "run", side_effect=[done])
    assert gather.answers(_HANDED) == answers


def test_nobody_is_there_without_its_program(mocker: MockerFixture) -> None:
    mocker.patch("shutil.which", return_value=None)
    assert not gather.answers(_HANDED)
