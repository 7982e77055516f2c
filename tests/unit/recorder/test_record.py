"""The flight recorder: whole lines, bounded size, nothing while all is well."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from time import gmtime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks import cli, recorder
from netfail_hooks.cli import log
from netfail_hooks.paths import Paths
from netfail_hooks.policy.changes import AddAddress, SetSysctl
from netfail_hooks.policy.choose import next_state
from netfail_hooks.policy.facts import Address, Sysctl
from netfail_hooks.policy.state import KnownAddress, State
from netfail_hooks.recorder import Run, events
from netfail_hooks.recorder.recording import parse, run_of
from netfail_hooks.recorder.repeat import is_repeat
from netfail_hooks.replay import decisions
from netfail_hooks.values import replace
from tests.support.runs import look
from tests.support.world import World, config_of


def _run(world: World, *, quiet: bool = False) -> Run:
    before = world.state
    if not quiet:
        world.event("eth0", "no-carrier")
    observed = world.look()
    changes = world.reconcile()
    return Run("eth0 no-carrier", world.config, observed, before, world.state, changes, (), 12)


@pytest.fixture
def world() -> World:
    world = World(config_of("eth0", "wlan0"))
    world.reconcile()
    return world


def test_a_healthy_run_is_no_transition(world: World) -> None:
    assert not recorder.is_transition(_run(world, quiet=True))
    assert recorder.is_transition(_run(world))


def test_forgetting_neighbours_is_no_transition(world: World) -> None:
    world.resolved = {"wlan0"}
    run = _run(world, quiet=True)
    assert run.changes
    assert not recorder.is_transition(run)


def test_what_a_router_advertises_again_and_again_is_no_transition(world: World) -> None:
    run = _run(world, quiet=True)
    for name in ("base_reachable_time_ms", "retrans_time_ms"):
        six = SetSysctl(Sysctl(f"ipv6/neigh/eth0/{name}", "600"))
        four = SetSysctl(Sysctl(f"ipv4/neigh/eth0/{name}", "600"))
        assert not recorder.is_transition(replace(run, changes=(six,)))
        assert recorder.is_transition(replace(run, changes=(six, four)))
    other = SetSysctl(Sysctl("ipv6/neigh/eth0/ucast_solicit", "2"))
    assert recorder.is_transition(replace(run, changes=(other,)))


def test_the_summary_tells_cause_and_carrier(world: World) -> None:
    assert recorder.summary(_run(world)) == (
        "eth0 IPv4 and IPv6 down (no carrier); IPv4 and IPv6 now by wlan0"
    )


@given(
    families=st.sampled_from([(4,), (6,), (4, 6)]),
    losses=st.integers(1, 4),
    hold=st.integers(1, 90),
    longest=st.integers(1, 120),
)
def test_the_summary_tells_each_thing_once_and_why_it_waits(
    families: tuple[int, ...], losses: int, hold: int, longest: int
) -> None:
    """Once for both families; of one that is back how long it must stay well, and why longer."""
    config = replace(config_of("eth0", "wlan0"), hold_down=hold, hold_down_max=longest)
    world = World(config, families=families)
    world.reconcile()
    which = " and ".join(f"IPv{family}" for family in families)
    for _ in range(losses):
        lost = recorder.summary(look(world, "eth0", "no-carrier"))
        back = recorder.summary(look(world, "eth0", "routable"))
        assert lost.startswith(f"eth0 {which} down (no carrier)")
        held = max(one.hold for one in world.state.uplinks if one.interface == "eth0")
        again = ", longer since it was lost more than once" if held > hold else ""
        assert back == f"eth0 {which} recovering: must stay well for {held} s first{again}"


def test_a_line_holds_the_whole_input(tmp_path: Path, world: World) -> None:
    run = _run(world)
    recorder.write(str(tmp_path), recorder.line(run), 10_000)
    entry = json.loads((tmp_path / "events.jsonl").read_text())
    assert entry["schema"] == 2
    assert entry["trigger"] == "eth0 no-carrier"
    assert entry["took_ms"] == 12
    assert entry["active"] == {"ipv4": "wlan0", "ipv6": "wlan0"}
    assert len(entry["observed"]["routes"]) == len(run.observed.routes)
    assert [change["change"] for change in entry["changes"]][:2] == ["AddAddress", "SetRoute"]
    assert entry["did"] == [str(change) for change in run.changes]


def _huge(world: World, much: int) -> Run:
    """Return a run with more of everything than a line may hold."""
    run = _run(world)
    changes = tuple(
        AddAddress(Address("wlan0", 6, f"fd77::{n:x}", 128, ours=True)) for n in range(much)
    )
    failed = tuple(f"{change}: Operation not permitted" for change in changes)
    known = tuple(KnownAddress("eth0", 6, f"fd77::{n:x}", 64) for n in range(much))
    return replace(
        run,
        changes=(*run.changes, *changes),
        failed=failed,
        after=replace(run.after, known_addresses=known),
        observed=replace(run.observed, addresses=tuple(change.address for change in changes)),
    )


@pytest.mark.parametrize("much", [600, 20_000])
def test_no_line_pushes_the_history_out_and_one_that_was_cut_says_so(
    tmp_path: Path, world: World, much: int
) -> None:
    run = _huge(world, much)
    line = recorder.line(run)
    assert len(line) < recorder.LONGEST
    with pytest.raises(ValueError, match="only a part was recorded"):
        parse(line)
    (again,) = decisions.again([line])
    assert "only a part was recorded" in again.text
    assert (again.same, again.cut) == (True, True)  # of a whole recording it spoils nothing
    event = events.parse(line)
    assert event.summary == recorder.summary(run)
    assert event.moment == run.observed.now
    # The next run tells of it, as if it were whole, should this one be killed; and only once.
    kept = run_of(line)
    assert recorder.summary(kept) == recorder.summary(run)
    assert recorder.is_move(kept)
    recorder.write(str(tmp_path), line, 1_000_000)
    assert is_repeat(recorder.parts(line), recorder.parts(recorder.line(run)))
    other = replace(run, after=replace(run.after, uplinks=run.before.uplinks))
    assert not is_repeat(recorder.parts(recorder.line(other)), recorder.parts(line))


def test_the_recorder_is_bounded(tmp_path: Path, world: World) -> None:
    run = _run(world)
    for _ in range(20):
        recorder.write(str(tmp_path), recorder.line(run), 10_000)
    sizes = {name: os.path.getsize(tmp_path / name) for name in os.listdir(tmp_path)}
    assert set(sizes) <= {"events.jsonl", "events.jsonl.1"}
    assert max(sizes.values()) < 10_000 + 2 * len(recorder.line(run))


def test_a_full_disk_leaves_whole_lines(tmp_path: Path) -> None:
    program = (
        "import resource, signal, sys\n"
        "from netfail_hooks import recorder\n"
        "from tests.unit.recorder.test_record import _run\n"
        "from tests.support.world import World, config_of\n"
        "world = World(config_of('eth0', 'wlan0'))\n"
        "world.reconcile()\n"
        "run = _run(world)\n"
        "recorder.write(sys.argv[1], recorder.line(run), 10_000)\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "limit = len(recorder.line(run)) + 100\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, (limit, {resource.RLIM_INFINITY}))\n"
        "try:\n    recorder.write(sys.argv[1], recorder.line(run), 10_000)\n"
        "except OSError as error:\n    sys.exit(error.errno)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert done.returncode == 28  # ENOSPC
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    assert [json.loads(one)["schema"] for one in lines] == [2]


def test_a_link_in_the_way_is_refused(tmp_path: Path, world: World) -> None:
    (tmp_path / "events.jsonl").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic links"):
        recorder.write(str(tmp_path), recorder.line(_run(world)), 10_000)
    assert not (tmp_path / "victim").exists()


def test_an_empty_memory_is_recorded_as_the_beginning(world: World) -> None:
    observed = world.look()
    run = Run("check", world.config, observed, State(), world.state, (), (), 0)
    assert recorder.is_transition(run)


def test_where_nothing_is_there_nothing_begins(world: World) -> None:
    for name in ("eth0", "wlan0"):
        world.event(name, "missing")
    after = next_state(world.config, world.look(), State())
    assert after.uplinks
    assert after.active
    assert not recorder.is_transition(
        Run("install", world.config, world.look(), State(), after, (), (), 0)
    )


def test_every_transition_has_something_to_tell(world: World) -> None:
    """An uplink that is none any more; two that changed places are as they were."""
    observed, before = world.look(), world.state
    fewer = replace(world.config, uplinks=world.config.uplinks[:1])
    run = Run("timer", fewer, observed, before, next_state(fewer, observed, before), (), (), 0)
    assert recorder.is_transition(run)
    assert recorder.summary(run) == ("wlan0 IPv4 and IPv6 not looked at any more")
    turned = replace(before, uplinks=before.uplinks[::-1])
    assert not recorder.is_transition(replace(run, after=turned))


def test_a_carrier_that_is_not_well_is_told_so(world: World) -> None:
    world.event("eth0", "no-carrier")
    world.reconcile()
    world.event("wlan0", "no-carrier")
    world.reconcile()
    before = world.state
    world.event("eth0", "routable")
    world.sick.update(("eth0", "wlan0"))
    observed = replace(world.look(), probes=world.results())
    world.reconcile()
    told = recorder.summary(Run("check", world.config, observed, before, world.state, (), (), 0))
    assert "IPv4 and IPv6 now by eth0, though it is not well: none is" in told
    healthy = Run("check", world.config, observed, State(), _with_one_well(), (), (), 0)
    assert "though" not in recorder.summary(healthy)


def _with_one_well() -> State:
    world = World(config_of("eth0", "wlan0"), families=(4,))
    world.event("wlan0", "no-carrier")
    world.reconcile()
    return world.state


@pytest.mark.parametrize(("spare", "rotated"), [(-1, True), (0, False), (1, False)])
def test_a_new_file_begins_past_the_limit(tmp_path: Path, *, spare: int, rotated: bool) -> None:
    line = '{"a":1}\n'
    recorder.write(str(tmp_path), line, 10_000)
    recorder.write(str(tmp_path), line, 2 * len(line) + spare)
    assert (tmp_path / "events.jsonl.1").exists() is rotated
    assert (tmp_path / "events.jsonl").exists() is not rotated


def test_others_may_not_read_the_log(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        recorder.write(str(tmp_path), "{}\n", 10_000)
    finally:
        os.umask(before)
    assert (tmp_path / "events.jsonl").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("left", [b'{"schema":2,"ti', b"\0\0\0\0", b"\xff"])
def test_what_a_killed_write_left_spoils_no_other_line(
    tmp_path: Path, world: World, left: bytes
) -> None:
    path = tmp_path / "events.jsonl"
    recorder.write(str(tmp_path), recorder.line(_run(world)), 1 << 20)
    with path.open("ab") as file:
        file.write(left)
    recorder.write(str(tmp_path), recorder.line(_run(world)), 1 << 20)
    first, torn, last = path.read_bytes().splitlines()
    assert torn == left
    assert json.loads(first)["schema"] == json.loads(last)["schema"] == 2


def test_times_go_back_with_the_clock_and_the_log_is_still_read(
    tmp_path: Path,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As on a machine without a clock of its own, which begins in 1970."""
    paths = Paths(str(tmp_path))
    os.makedirs(paths.log)
    monkeypatch.setattr(log, "Paths", lambda: paths)
    lines = []
    for when in (1_800_000_000, 7, 1_700_000_000, 1_700_000_001):
        with monkeypatch.context() as patch:
            patch.setattr("netfail_hooks.recorder.time.gmtime", lambda when=when: gmtime(when))
            lines.append(recorder.line(_run(world)))
        recorder.write(paths.log, lines[-1], 1 << 20)
    for form in ([], ["--json"], ["--timeline"], ["--svg", "-"], ["--since", "2020-01-01"]):
        assert cli.entry(["log", *form]) == 0
        shown = capsys.readouterr()
        assert not shown.err, form
        if not form:
            assert [line[:4] for line in shown.out.splitlines() if line[0] != " "] == [
                "2027",
                "1970",
                "2023",
                "2023",
            ]
