"""A round that acted on nothing: each reason is told by itself, with the next step."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from netfail_hooks.errors import Problem
from netfail_hooks.paths import Paths
from netfail_hooks.reconcile import _nothing
from netfail_hooks.reconcile.idle import refuse_idle
from tests.support.world import config_of

_CONDITION = "[Unit]\nConditionPathExists=/etc/deciding\n"


def _write(path: str, text: str = "") -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Path(path).write_text(text)


@pytest.mark.parametrize(
    ("there", "told", "step"),
    [
        ((), "nothing is installed", "sudo netfail-hooks install"),
        (("check", "uninstalling"), "an uninstall is at work, or was killed", "uninstall' goes on"),
        (("check", "condition"), "another manager has the uplinks", "install' takes them over"),
        (("check", "condition", "deciding"), "was at work meanwhile", "try again"),
        (("check",), "was at work meanwhile", "try again"),
    ],
)
def test_why_nothing_was_done_is_told(
    tmp_path: Path, there: tuple[str, ...], told: str, step: str
) -> None:
    paths = Paths(str(tmp_path))
    files = {
        "check": (paths.starters()[1], ""),
        "uninstalling": (paths.uninstalling, ""),
        "condition": (paths.condition, _CONDITION),
        "deciding": (paths.at("/etc/deciding"), ""),
    }
    for name in there:
        _write(*files[name])
    with pytest.raises(Problem, match=told) as raised:
        refuse_idle(_nothing("check", config_of("eth0", "wlan0")), paths)
    assert step in raised.value.hint
