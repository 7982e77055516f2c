"""What doctor would have a person do, word by word, where one word of it could be missing."""

from __future__ import annotations

from netfail_hooks.doctor_facts import Facts, Unit
from netfail_hooks.doctor_rules import diagnose
from netfail_hooks.units import TIMER
from netfail_hooks.values import replace
from tests.test_doctor_rules import HEALTHY


def _with(unit: Unit) -> Facts:
    others = [one for one in HEALTHY.units or () if one.name != unit.name]
    return replace(HEALTHY, units=(*others, unit))


def test_a_stopped_timer_is_read_again_and_started() -> None:
    stopped = Unit(TIMER, active="inactive", enabled="disabled")
    (found,) = diagnose(_with(stopped))
    assert found.mend == ("systemctl daemon-reload", f"systemctl enable --now {TIMER}")
    (found,) = diagnose(_with(replace(stopped, load="masked")))
    assert found.mend[1:] == (f"systemctl unmask {TIMER}", f"systemctl enable --now {TIMER}")
