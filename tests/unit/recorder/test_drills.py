"""The drill that is on, and how the last one went, as files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netfail_hooks.kernel.observe import now
from netfail_hooks.paths import Paths
from netfail_hooks.recorder import drills
from netfail_hooks.recorder.drills import Drill, Family, Flow, Outcome
from netfail_hooks.values import plain, replace

DRILL = Drill("abc", "gateway", "silence", "eth0", now() + 3_600_000, 2)
OUTCOME = Outcome(
    1_800_000_000,
    "passed",
    "gateway",
    "silence",
    "eth0",
    20,
    True,  # noqa: FBT003 - awaited
    (Family(4, "wlan0", 700, 12_000),),
    (Flow("echo", "9.9.9.9", 400, 14, 720),),
    ("none",),
)


def _late() -> str:
    return json.dumps({**plain(OUTCOME), "time": 10**30})


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(str(tmp_path))


def test_both_read_as_they_were_written(paths: Paths) -> None:
    assert drills.noted_now(paths) is None
    assert drills.kept(paths) is None
    drills.note(paths, DRILL)
    drills.keep(paths, OUTCOME)
    assert drills.noted_now(paths) == DRILL
    assert drills.kept(paths) == OUTCOME


def test_the_last_ones_are_kept_the_newest_first(paths: Paths) -> None:
    assert drills.history(paths) == ()
    outcomes = [replace(OUTCOME, time=at) for at in range(drills.MOST + 3)]
    for outcome in outcomes:
        drills.keep(paths, outcome)
    assert drills.history(paths) == tuple(outcomes[:2:-1])
    lines = Path(paths.drills).read_text().splitlines()
    for spoilt in ("x", "{}", "[]", json.dumps({**plain(OUTCOME), "verdict": "so so"}), _late()):
        Path(paths.drills).write_text("\n".join([lines[0], spoilt, lines[1]]))
        assert drills.history(paths) == tuple(outcomes[:-3:-1])
    Path(paths.drills).unlink()
    assert drills.history(paths) == (outcomes[-1],), "as an earlier version kept it"


def test_only_its_own_end_ends_a_drill(paths: Paths) -> None:
    drills.note(paths, DRILL)
    drills.forget(paths, "another")
    assert drills.noted_now(paths) == DRILL
    drills.forget(paths, DRILL.token)
    drills.forget(paths, DRILL.token)
    assert drills.noted_now(paths) is None


def test_one_that_nobody_ended_is_not_on_once_its_time_is_over(paths: Paths) -> None:
    for seconds, on in ((1, True), (0, True), (-drills.MARGIN, True), (-drills.MARGIN - 2, False)):
        drill = replace(DRILL, until=now() + seconds * 1000)
        drills.note(paths, drill)
        assert drills.noted_now(paths) == (drill if on else None)
    drills.forget(paths, "another")
    assert Path(paths.drill).exists(), "it is for its own end to take away"
    drills.forget(paths, DRILL.token)
    assert not Path(paths.drill).exists()


def test_what_is_left_of_one_is_never_less_than_nothing() -> None:
    assert drills.left(replace(DRILL, until=0)) == 0
    assert 9 <= drills.left(replace(DRILL, until=now() + 10_000)) <= 10


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(plain(OUTCOME))), _JSON)
def test_a_damaged_file_is_as_good_as_none(paths: Paths, key: str, item: object) -> None:
    drills.keep(paths, OUTCOME)
    tree = {**plain(OUTCOME), key: item}
    Path(paths.drilled).write_text(json.dumps(tree))
    found = drills.kept(paths)
    assert found is None or plain(found) == tree
