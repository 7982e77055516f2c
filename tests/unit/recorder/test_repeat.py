"""What was told already is not told again, and nothing else is kept quiet."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks import recorder
from netfail_hooks.paths import Paths
from netfail_hooks.policy.changes import FlushNeighbours, SetSysctl
from netfail_hooks.policy.facts import Sysctl
from netfail_hooks.recorder import Run, repeat
from netfail_hooks.values import replace
from tests.support.runs import runs
from tests.support.world import STATES

REFUSED = SetSysctl(Sysctl("ipv4/conf/eth0/arp_filter", "1"))
ERROR = f"{REFUSED}: Read-only file system"
LOST, BACK = runs(("eth0", "no-carrier"), ("eth0", "routable"))[1:]


def _parts(run: Run) -> dict[str, str]:
    return recorder.parts(recorder.line(run))


def _still(run: Run, *changes: Any, failed: tuple[str, ...] = ()) -> Run:
    """Return a run in which nothing stands otherwise than a run before it had left it."""
    return replace(run, before=run.after, changes=changes, failed=failed)


ALL = _still(LOST, *LOST.changes, REFUSED, failed=(ERROR,))
ONCE = _still(LOST, REFUSED, failed=(ERROR,))


@pytest.mark.parametrize(
    ("last", "now", "told"),
    [
        (ONCE, ONCE, True),
        (ONCE, replace(ONCE, trigger="timer", took=99), True),
        (replace(LOST, changes=ALL.changes, failed=(ERROR,)), ONCE, True),
        (ONCE, _still(LOST, REFUSED, FlushNeighbours("wlan0"), failed=(ERROR,)), True),
        (ALL, replace(ALL, changes=(*LOST.changes[:1], REFUSED)), False),
        (ONCE, ALL, False),
        (ONCE, replace(ONCE, failed=()), False),
        (ONCE, replace(ONCE, failed=(f"{REFUSED}: Permission denied",)), False),
        (ONCE, replace(ONCE, config=replace(ONCE.config, interval=77)), False),
        (LOST, LOST, True),  # it could not be remembered
        (LOST, replace(LOST, changes=LOST.changes[-1:]), True),
        (LOST, replace(LOST, changes=(*LOST.changes, REFUSED)), False),
        (LOST, replace(LOST, before=replace(LOST.before, known_addresses=())), False),  # lost anew
        (LOST, _still(LOST, *LOST.changes[:1]), False),  # somebody took it away
        (LOST, replace(LOST, before=LOST.after, after=LOST.before), False),
        (LOST, BACK, False),
    ],
)
def test_what_is_the_same_again(last: Run, now: Run, *, told: bool) -> None:
    assert repeat.is_repeat(_parts(now), _parts(last)) is told


def test_another_boot_is_another_time() -> None:
    assert not repeat.is_repeat(_parts(LOST), _parts(LOST) | {"boot": '"another"'})


@pytest.mark.parametrize(("kind", "field"), [("uplinks", "state"), ("active", "interface")])
def test_each_verdict_and_each_uplink_in_use_counts(kind: str, field: str) -> None:
    last = _still(LOST, *LOST.changes)
    known = getattr(last.before, kind)
    assert known
    for at, item in enumerate(known):
        other = (*known[:at], replace(item, **{field: "recovering"}), *known[at + 1 :])
        now = replace(last, before=replace(last.before, **{kind: other}))
        assert not repeat.is_repeat(_parts(now), _parts(last))


# What would be taken for something else if a quote within a string counted.
HOSTILE = [
    '","',
    "\\",
    '"',
    '{"change":"',
    ',"since":',
    '{"interface":',
    ',"carriers":{',
    "x{",
    "y,",
]
WORDS = st.lists(st.sampled_from([*HOSTILE, str(REFUSED), ": ", "\n", "é"])).map("".join)


@st.composite
def _drawn(draw: st.DrawFn) -> list[Run]:
    """Draw runs of one machine, in some of which the kernel refuses, or nothing is remembered."""
    events = st.tuples(st.sampled_from(["eth0", "wlan0"]), st.sampled_from(STATES))
    made = runs(*draw(st.lists(events, min_size=1, max_size=4)))
    for at, run in enumerate(made):
        tried = draw(st.permutations([*run.changes, REFUSED, FlushNeighbours("wlan0")]))
        changes = tuple(tried[draw(st.integers(0, len(tried))) :])
        texts = st.sampled_from([f"{change}: {ERROR}" for change in changes]) if changes else WORDS
        failed = tuple(draw(st.lists(texts | WORDS, max_size=3)))
        before = draw(st.sampled_from([run.before, run.after]))
        made[at] = replace(run, trigger=draw(WORDS), changes=changes, failed=failed, before=before)
    return made


@given(_drawn())
def test_a_line_falls_into_the_values_that_it_was_made_of(drawn: list[Run]) -> None:
    for run in drawn:
        line = recorder.line(run)
        assert line == json.dumps(json.loads(line), separators=(",", ":")) + "\n"
        read = {key: json.loads(text) for key, text in recorder.parts(line).items()}
        assert read == json.loads(line)
        assert list(read) == list(json.loads(line)) == list(recorder.KEYS)


WHOLE = recorder.line(LOST)


@pytest.mark.parametrize(
    "line",
    [
        "",
        WHOLE[1:],
        "x" + WHOLE[1:],
        WHOLE[:-1],
        WHOLE[:-2] + "\n",
        WHOLE[:-3] + "\n",
        WHOLE.replace('"schema":2,', ""),
        WHOLE.replace(',"failed":[]', ""),
        WHOLE.replace(',"before":', ',"after":'),
    ],
)
def test_what_is_no_whole_line_falls_into_nothing(line: str) -> None:
    with pytest.raises(ValueError, match=r"^not a whole line$|^no "):
        recorder.parts(line)


@given(_drawn(), st.data())
def test_the_texts_say_what_the_values_would(drawn: list[Run], data: st.DataObject) -> None:
    now, last = (data.draw(st.sampled_from(drawn)) for _ in range(2))
    for given_before in (now.before, last.before):
        one = replace(now, before=given_before)
        assert repeat.is_repeat(_parts(one), _parts(last)) is _says_all(one, last)


def _says_all(now: Run, last: Run) -> bool:
    """Tell of values what repeat.is_repeat tells of lines: the rule itself."""

    def did(run: Run) -> list[str]:
        return [str(change) for change in run.changes if not isinstance(change, FlushNeighbours)]

    stands = recorder._states(now.after)
    if (now.config, now.failed) != (last.config, last.failed):
        return False
    if stands != recorder._states(last.after):
        return False
    if stands != recorder._states(now.before):
        return now.before == last.before and set(did(now)) <= set(did(last))
    return did(now) == did(last) or all(
        any(failure.startswith(f"{change}: ") for failure in now.failed) for change in did(now)
    )


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths(str(tmp_path))
    os.makedirs(paths.run)
    return paths


def test_the_last_line_is_found_wherever_it_is(paths: Paths) -> None:
    line, other = recorder.line(LOST), recorder.line(ONCE)
    assert not repeat.is_told(paths, line)
    recorder.write(paths.log, other, 1 << 20)
    assert repeat.is_told(paths, other)
    recorder.write(paths.log, line, 1 << 20)
    assert repeat.is_told(paths, line)
    assert not repeat.is_told(paths, other)
    os.rename(paths.log + recorder.FILE, paths.log + recorder.FILE + ".1")
    assert repeat.is_told(paths, line)
    repeat.keep(paths, other)
    assert not repeat.is_told(paths, line)
    assert repeat.is_told(paths, other)
    repeat.forget(paths)
    repeat.forget(paths)
    assert repeat.is_told(paths, line)


@pytest.mark.parametrize(
    "end",
    [
        b"{",
        b'{"schema":2,"ti',
        b"[]\n",
        b"{}\n",
        b"\0\0",
        b"\xff\n",
        b'{"boot":1}\n',
        b"[" * 100_000,
        b"3\n",
    ],
)
def test_a_damaged_end_says_nothing(paths: Paths, end: bytes) -> None:
    line = recorder.line(LOST)
    recorder.write(paths.log, line, 1 << 20)
    with open(paths.log + recorder.FILE, "ab") as file:
        file.write(end)
    assert not repeat.is_told(paths, line)


def test_the_end_of_a_long_recording_is_enough(paths: Paths) -> None:
    line = recorder.line(LOST)
    os.makedirs(paths.log)
    with open(paths.log + recorder.FILE, "w", encoding="ascii") as file:
        file.write(recorder.line(ONCE) * (2 * repeat._END // len(line)) + line)
    assert repeat.is_told(paths, line)


def test_no_link_is_followed_and_no_pipe_waited_for(paths: Paths) -> None:
    line = recorder.line(LOST)
    recorder.write(paths.log, line, 1 << 20)
    os.rename(paths.log + recorder.FILE, paths.log + "/victim")
    os.symlink("victim", paths.log + recorder.FILE)
    assert not repeat.is_told(paths, line)
    os.unlink(paths.log + recorder.FILE)
    os.mkfifo(paths.log + recorder.FILE)
    assert not repeat.is_told(paths, line)
