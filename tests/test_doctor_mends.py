"""What doctor would have a person do, word by word, where one word of it could be missing."""

from __future__ import annotations

import pytest

from netfail_hooks.doctor_facts import Facts, OwnFile, Place, Unit
from netfail_hooks.doctor_rules import diagnose
from netfail_hooks.doctor_rules_setup import AGAIN
from netfail_hooks.units import TIMER
from netfail_hooks.values import replace
from tests.test_doctor_rules import HEALTHY

Case = tuple[dict[str, object], str, tuple[str, ...]]

_DRY_RUN = "netfail-hooks install --dry-run"
_FULL_UPGRADE = "apt full-upgrade  # of a newer release of the distribution"


def _lost(count: int) -> dict[str, object]:
    return {"files": tuple(OwnFile(f"/etc/{one}", "missing") for one in range(count))}


# What differs from a healthy machine, what is told of it, and the commands that mend it.
_SETUP: list[Case] = [
    ({"config": None, "config_wrong": "line 3: no uplinks"}, "line 3: no uplinks",
     ("editor /etc/netfail-hooks/config.toml", AGAIN)),
    ({"config": None}, "/etc/netfail-hooks/config.toml is gone",
     ("netfail-hooks install --primary IF --backup IF",)),
    ({"files": (OwnFile("/etc/a", "new"), OwnFile("/etc/b", "stale"))},
     ("install would make or remove, by /etc/netfail-hooks/config.toml as it is now: "
      "/etc/a, /etc/b"), (_DRY_RUN, "netfail-hooks install")),
    ({"hooks": (Place("/d/hook", None),)}, "no hook at /d/hook", (AGAIN,)),
    ({"hooks": (Place("/d", 0), Place("/d/my hook", 0o4755))},
     "networkd-dispatcher skips /d (mode 0000, owner 0:0), /d/my hook (mode 4755, owner 0:0)",
     ("chmod 0755 /d '/d/my hook'",)),
    ({"hooks": (Place("/d", 0o777), Place("/d/hook", owner=(7, 0)))},
     "networkd-dispatcher skips /d (mode 0777, owner 0:0), /d/hook (mode 0755, owner 7:0)",
     ("chown root:root /d /d/hook", "chmod 0755 /d /d/hook")),
    ({"hook_lacks": "/opt/python"}, "the hooks start /opt/python, which is not there", (AGAIN,)),
    (_lost(1), "missing since install: /etc/0", (AGAIN,)),
    (_lost(3), "missing since install: /etc/0, /etc/1, /etc/2", (AGAIN,)),
    (_lost(4), "missing since install: /etc/0, /etc/1, /etc/2 and 1 more", (AGAIN,)),
    ({"files": (OwnFile("/etc/a", "changed"),)}, "changed since install: /etc/a",
     (_DRY_RUN, AGAIN)),
    ({"timer_interval_kept": False}, "the timer is not the one for check.interval = 5", (AGAIN,)),
    # Of versions 0 alone is unknown, and each option is there from its own on.
    ({"networkd_version": 1},
     "systemd 1 does not know IgnoreCarrierLoss=, KeepConfiguration=, RouteMetric=; 249 does",
     (_FULL_UPGRADE,)),
    ({"networkd_version": 242},
     "systemd 242 does not know KeepConfiguration=, RouteMetric=; 249 does", (_FULL_UPGRADE,)),
    ({"networkd_version": 243}, "systemd 243 does not know RouteMetric=; 249 does",
     (_FULL_UPGRADE,)),
    ({"kernel": (0, 1)}, "Linux 0.1 is older than 5.18", (_FULL_UPGRADE,)),
    ({"kernel": (1, 0)}, "Linux 1.0 is older than 5.18", (_FULL_UPGRADE,)),
    ({"kernel": (5, 4), "programs": ("networkd-dispatcher", "pacman")},
     "Linux 5.4 is older than 5.18", ("pacman -Syu",)),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "what", "mend"), _SETUP)
def test_a_finding_and_how_it_is_mended(
    changes: dict[str, object], what: str, mend: tuple[str, ...]
) -> None:
    (found,) = diagnose(replace(HEALTHY, **changes))
    assert (found.what, found.mend) == (what, mend)


def _with(unit: Unit) -> Facts:
    others = [one for one in HEALTHY.units or () if one.name != unit.name]
    return replace(HEALTHY, units=(*others, unit))


def test_a_stopped_timer_is_read_again_and_started() -> None:
    stopped = Unit(TIMER, active="inactive", enabled="disabled")
    (found,) = diagnose(_with(stopped))
    assert found.mend == ("systemctl daemon-reload", f"systemctl enable --now {TIMER}")
    (found,) = diagnose(_with(replace(stopped, load="masked")))
    assert found.mend[1:] == (f"systemctl unmask {TIMER}", f"systemctl enable --now {TIMER}")
