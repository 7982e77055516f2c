"""A failed install gives back what it took itself, and nothing that an earlier one took."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from netfail_hooks.config import Config
from netfail_hooks.errors import Problem
from netfail_hooks.install import diversion, installer
from netfail_hooks.install.handover import (
    NETWORKD,
    Handover,
    from_dhcpcd,
    from_ifupdown,
    giving_back,
    returning,
    services,
    taking,
    uplink,
)
from netfail_hooks.install.handover import commands as telling
from netfail_hooks.install.handover import from_networkmanager as networkmanagers
from netfail_hooks.install.handover.returning import Outcome
from netfail_hooks.install.manifest import Handed
from netfail_hooks.install.way_back import arming, kept
from netfail_hooks.kernel import snapshot
from netfail_hooks.managers import (
    Profile,
    UnansweredError,
    WirelessNetwork,
    dhcpcd,
    ifupdown,
    release,
)
from netfail_hooks.managers.detect import NETWORKMANAGER
from netfail_hooks.managers.release import Release
from netfail_hooks.names import FAMILIES
from netfail_hooks.networkd import networkctl
from netfail_hooks.paths import Paths
from netfail_hooks.process import TooSlow

NAMES = ("eth0", "wlan0", "eth1")
HANDED = tuple(Handed(name, NETWORKMANAGER) for name in NAMES)
JOINS = "wpa_supplicant@wlan1.service"


@pytest.fixture
def theirs() -> list[str]:
    """Return what NetworkManager has: what it is told to, and does."""
    return []


@pytest.fixture
def commands(mocker: MockerFixture, theirs: list[str]) -> list[str]:
    """Return what is run on a machine whose networkd doesn't answer, word for word."""
    found: list[str] = []

    def run(*argv: str, **_: object) -> None:
        found.append(" ".join(argv))
        if argv[:3] == ("nmcli", "device", "set"):
            name, said = argv[3], argv[-1]
            theirs[:] = [one for one in theirs if one != name] + [name] * (said == "yes")

    def says(*_: object, **__: object) -> tuple[str, ...]:
        return tuple(theirs)

    mocker.patch.object(networkmanagers, "networkmanager_says", says)
    mocker.patch.object(networkctl, "has", return_value=False)
    mocker.patch.object(telling, "run", run)
    mocker.patch.object(services, "run", run)
    mocker.patch.object(uplink, "flush", lambda name: found.append(f"flush {name}"))
    mocker.patch.object(uplink, "has_carrier", return_value=True)
    mocker.patch.object(uplink, "is_there", return_value=True)
    mocker.patch.object(giving_back, "_USEFUL", 0.3)
    mocker.patch.object(giving_back, "networkmanager_probes", return_value=False)
    mocker.patch("netfail_hooks.networkd.networkctl.answers", return_value=False)
    return found


def _handover(*now: str) -> Handover:
    return Handover(
        handed=HANDED, now=now, idle=(NETWORKD, JOINS), release=release.networkmanager(NAMES)
    )


def test_what_an_earlier_install_took_is_not_given_back(commands: list[str]) -> None:
    assert returning.give_all_back(_handover("eth1").begun((NETWORKD,))) == Outcome()
    concerned = [one for one in commands if "eth0" in one or "wlan0" in one]
    assert concerned == []
    assert "nmcli device set eth1 managed yes" in commands
    assert f"systemctl stop {JOINS}" in commands
    assert [one for one in commands if NETWORKD in one] == []


@pytest.mark.parametrize(
    ("order", "back"),
    [
        (("eth1", "eth0"), ["eth1", "eth0", "wlan0"]),
        (("wlan0", "eth1", "eth0"), ["wlan0", "eth1", "eth0"]),
        (("wlan0", "eth1"), ["eth1", "eth0"]),  # an earlier install has taken wlan0
        ((), list(NAMES)),
    ],
)
def test_the_first_default_route_comes_back_first(
    commands: list[str],
    mocker: MockerFixture,
    tmp_path: Path,
    order: tuple[str, ...],
    back: list[str],
) -> None:
    """By the install that fails, and by its way back: ifup of a second one without metric fails."""
    now = [name for name in NAMES if name in back]
    begun = replace(_handover(*now), order=order).begun(())
    assert returning.give_all_back(begun) == Outcome()
    managed = [one.split()[3] for one in commands if one.endswith("managed yes")]
    assert managed == back
    mocker.patch("netfail_hooks.install.systemd.call_later")
    paths = Paths(str(tmp_path))
    Path(paths.run).mkdir(parents=True)
    with arming.armed(paths, (), (), kept.Live(begun, (), {})):
        tree = json.loads(Path(paths.rollback).read_text(encoding="ascii"))
    assert [one[0] for one in tree["handed"]] == back


@pytest.mark.parametrize("messages", [[], ["ifup failed"]])
def test_what_was_set_by_hand_outlives_what_the_managers_are_given(
    mocker: MockerFixture, messages: list[str]
) -> None:
    """ifupdown's NIC gets accept_ra of the default, as a new one, after the undo had set it."""
    now = {"accept_ra": "0"}

    def give(*_: object) -> Outcome:
        now["accept_ra"] = "1"
        return Outcome(tuple(messages), ("eth0",) if messages else ())

    mocker.patch.object(returning, "give_all_back", give)
    mocker.patch("netfail_hooks.install.kernel_state.set_sysctls", now.update)
    raising = pytest.raises(Problem, match="ifup failed") if messages else contextlib.nullcontext()
    way = arming.WayBack(Paths())
    config = Config(uplinks=())
    work = installer.Work(Paths(), config, None, (), (), running=True, handover=_handover(*NAMES))
    with raising:
        installer._give_all_back(work, {"accept_ra": "0"}, way)
    assert now == {"accept_ra": "0"}
    assert way.left == (("eth0",) if messages else ())


def test_a_first_install_gives_all_back(commands: list[str], theirs: list[str]) -> None:
    theirs.append("wlan0")
    assert returning.give_all_back(_handover(*NAMES).begun(())) == Outcome()
    back = [one for one in commands if one.endswith("managed yes")]
    assert back == ["nmcli device set eth0 managed yes", "nmcli device set eth1 managed yes"]
    assert any(one.endswith(NETWORKD) for one in commands)


def test_where_networkmanager_does_not_answer_networkd_keeps_all(
    commands: list[str], mocker: MockerFixture
) -> None:
    silent = UnansweredError("it hangs")
    mocker.patch.object(networkmanagers, "networkmanager_says", side_effect=silent)
    mocker.patch.object(networkctl, "has", return_value=True)
    assert returning.give_all_back(_handover(*NAMES)) == Outcome(("it hangs",), NAMES)
    assert commands == []


def test_no_answer_is_not_taken_for_a_release(commands: list[str], mocker: MockerFixture) -> None:
    mocker.patch.object(networkmanagers, "networkmanager_says", side_effect=Problem("it hangs"))
    mocker.patch.object(taking, "divert", return_value=contextlib.nullcontext())
    with pytest.raises(Problem, match="it hangs"):
        taking.take("eth0", _handover(*NAMES), Config(uplinks=()), Paths(), lambda: None)
    assert commands == ["nmcli device set eth0 managed no"]


UUID = "0d6b0bb5-6e0c-4c43-9f0b-2a4bb8e4d0c1"
UP = f"nmcli --wait 30 connection up uuid {UUID} ifname eth0"


def _alone(commands: list[str], mocker: MockerFixture, begun: str, *, carrier: bool) -> list[str]:
    """Return what is run to give an uplink back, and NetworkManager begins by itself or not."""
    handed = (Handed("eth0", NETWORKMANAGER, UUID),)
    handover = Handover(handed=handed, release=release.networkmanager(("eth0",)))
    mocker.patch.object(uplink, "has_carrier", return_value=carrier)
    mocker.patch.object(networkmanagers, "_BEGINS", 0.1)
    mocker.patch.object(
        networkmanagers, "networkmanager_states", return_value=(("eth0", "connected"),)
    )
    mocker.patch.object(networkmanagers, "active_connections", return_value={"eth0": begun})
    assert returning.give_all_back(handover) == Outcome()
    return [one for one in commands if one.startswith("nmcli")][-2:]


@pytest.mark.parametrize(
    ("begun", "carrier", "told"),
    [
        (UUID, True, False),  # told once more, it would take the address away again
        ("another", True, True),
        ("", True, True),
        ("", False, False),  # it would wait for the carrier
    ],
)
def test_what_networkmanager_does_by_itself_it_is_not_told(
    commands: list[str], mocker: MockerFixture, begun: str, *, carrier: bool, told: bool
) -> None:
    last = _alone(commands, mocker, begun, carrier=carrier)
    assert last[-2 if told else -1] == "nmcli device set eth0 managed yes"
    assert (last[-1] == UP) == told


def test_nobody_has_a_radio_join_that_its_supplicant_does_not_know_yet(
    commands: list[str], mocker: MockerFixture
) -> None:
    """Else nmcli fails at once: "device is not available"."""
    given = "nmcli device set eth0 managed yes"
    states = iter(["unmanaged", "unavailable", "disconnected"])
    ready: list[bool] = []

    def state() -> tuple[tuple[str, str], ...]:
        if UP in commands:
            return (("eth0", "connected"),)
        now = next(states)
        ready.append(now == "disconnected")
        return (("eth0", now),)

    mocker.patch.object(networkmanagers, "_BEGINS", 0.1)
    mocker.patch.object(networkmanagers, "networkmanager_states", state)
    mocker.patch.object(networkmanagers, "active_connections", return_value={})
    handed = (Handed("eth0", NETWORKMANAGER, UUID),)
    handover = Handover(handed=handed, release=release.networkmanager(("eth0",)))
    assert returning.give_all_back(handover) == Outcome()
    assert [one for one in commands if one.startswith("nmcli")][-2:] == [given, UP]
    assert ready == [False, False, True]


def test_who_has_an_uplink_back_finds_the_kernels_settings_of_before(
    commands: list[str], mocker: MockerFixture
) -> None:
    """Else NetworkManager's ipv6.method=ignore leaves the kernel deaf, as networkd has made it."""
    mocker.patch(
        "netfail_hooks.install.kernel_state.set_sysctls",
        lambda settings: commands.append(f"set {settings}"),
    )
    mine = {"ipv6/conf/eth0/accept_ra": "1"}
    others = {"ipv6/conf/wlan0/accept_ra": "2", "ipv4/conf/eth0/arp_ignore": "0"}
    handed = (Handed("eth0", NETWORKMANAGER),)
    how = release.networkmanager(("eth0",))
    handover = Handover(handed=handed, release=how, sysctls=mine | others)
    assert returning.give_all_back(handover) == Outcome()
    last = commands.index("nmcli device set eth0 managed yes")
    assert commands[last - 1] == f"set {mine}"


@pytest.fixture
def detour(mocker: MockerFixture) -> list[str]:
    """Return whose traffic is elsewhere at this moment."""
    away: list[str] = []

    @contextlib.contextmanager
    def divert(
        _: Config,
        interface: str,
        *__: object,
        first: Callable[[], None] | None = None,
        **___: object,
    ) -> Iterator[None]:
        if first:
            first()
        away.append(interface)
        yield
        away.remove(interface)

    for module in (taking, giving_back):
        mocker.patch.object(module, "divert", divert)
    return away


def _one(manager: str) -> Handover:
    uuid = UUID if manager == NETWORKMANAGER else ""
    back = {"eth0": (("give", "it", "back"),)}
    how = Release({}, release={"eth0": ()}, take_back=back)
    return Handover(handed=(Handed("eth0", manager, uuid),), release=how)


@pytest.mark.usefixtures("commands")
@pytest.mark.parametrize("manager", [NETWORKMANAGER, ifupdown.MANAGER])
def test_the_detour_leads_until_the_manager_has_the_uplink_up(
    mocker: MockerFixture, detour: list[str], manager: str
) -> None:
    asked: list[str] = []
    ways = iter([(4, 6), (), (4,), (4, 6)])
    states = iter(["connecting (getting IP configuration)", "connected"])

    def useful(_: str) -> tuple[int, ...]:
        asked.extend(detour or ["too late"])
        return next(ways)

    mocker.patch.object(uplink, "useful_families", useful)
    mocker.patch.object(networkmanagers, "active_connections", return_value={"eth0": UUID})
    mocker.patch.object(
        networkmanagers, "networkmanager_states", side_effect=lambda: (("eth0", next(states)),)
    )
    giving_back.give_back("eth0", _one(manager), Config(uplinks=()), Paths(), lambda: None)
    assert asked == ["eth0"] * 4
    assert len(list(states)) == (0 if manager == NETWORKMANAGER else 2)


@pytest.mark.usefixtures("detour")
@pytest.mark.parametrize("joined_by", ["", "wpa_supplicant@eth0.service", "iwd.service"])
def test_the_users_own_supplicant_is_not_ended(
    commands: list[str], mocker: MockerFixture, joined_by: str
) -> None:
    """Neither where an uplink goes back, nor where an install fails, nor after a kill."""
    mocker.patch.object(uplink, "useful_families", return_value=())
    mocker.patch.object(from_ifupdown, "raised", return_value=())
    (handed,) = _one(ifupdown.MANAGER).handed
    handover = replace(_one(ifupdown.MANAGER), handed=(replace(handed, joined_by=joined_by),))
    giving_back.give_back("eth0", handover, Config(uplinks=()), Paths(), lambda: None)
    returning.give_all_back(handover)
    returning.give_rest_back(handover)
    assert "give it back" in commands
    ended = [one for one in commands if "stop wpa_supplicant@eth0.service" in one]
    assert bool(ended) == (not joined_by)


@pytest.mark.parametrize("hears", [True, False])
@pytest.mark.parametrize("manager", [NETWORKMANAGER, ifupdown.MANAGER])
def test_a_client_that_looks_for_its_address_does_not_find_it_elsewhere(
    commands: list[str], mocker: MockerFixture, detour: list[str], manager: str, *, hears: bool
) -> None:
    """dhcpcd 10.1 and NetworkManager 1.52 take another NIC of ours for another machine.

    So does the kernel with an address of IPv6, whoever sets it.
    """
    withdrawn = []

    def withdraw(families: tuple[int, ...]) -> None:
        withdrawn.append(families)
        commands.extend(["withdraw", *detour])

    mocker.patch.object(uplink, "useful_families", return_value=())
    mocker.patch.object(from_dhcpcd, "hears_other_nics", return_value=hears)
    mocker.patch.object(giving_back, "networkmanager_probes", return_value=hears)
    mocker.patch("netfail_hooks.install.kernel_state.remove_our_addresses", withdraw)
    how = Release(
        {},
        ends={"eth0": (("end", "it"),)},
        release={"eth0": (("let", "go"),)},
        take_back={"eth0": (("give", "it", "back"),)},
    )
    handover = Handover(handed=(Handed("eth0", manager),), release=how)
    giving_back.give_back("eth0", handover, Config(uplinks=()), Paths(), lambda: None)
    at = commands.index("withdraw")
    assert commands[at + 1] == "eth0"  # whose traffic goes on being led elsewhere
    assert at < commands.index("give it back")
    commands.clear()
    returning.give_all_back(handover)
    assert "withdraw" in commands
    assert withdrawn == [FAMILIES if hears else (6,)] * 2


def _of_dhcpcd() -> Handover:
    how = Release({}, ends={"eth0": (("end", "it"),)}, take_back={"eth0": (("begin", "anew"),)})
    return Handover(handed=(Handed("eth0", dhcpcd.MANAGER),), release=how)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_dhcpcd_is_ended_once_while_networkd_has_the_uplink(
    commands: list[str], detour: list[str], mocker: MockerFixture, *, at_once: bool
) -> None:
    """It takes seconds: afterwards the uplink would be without an address for so long."""
    mocker.patch.object(uplink, "useful_families", return_value=())
    mocker.patch.object(from_dhcpcd, "raised", return_value=())
    mocker.patch.object(from_dhcpcd, "hears_other_nics", return_value=False)
    if at_once:
        assert returning.give_all_back(_of_dhcpcd()) == Outcome()
    else:
        giving_back.give_back(
            "eth0", _of_dhcpcd(), Config(uplinks=()), Paths(), lambda: commands.extend(detour)
        )
    told = [one for one in commands if one in ("end it", "eth0", "flush eth0", "begin anew")]
    assert told == ["end it", *["eth0"] * (not at_once), "flush eth0", "begin anew"]


@pytest.mark.parametrize("hangs", [True, False])
def test_where_a_dhcpcd_cannot_be_ended_nothing_is_taken_from_networkd(
    commands: list[str], mocker: MockerFixture, *, hangs: bool
) -> None:
    why = (TooSlow if hangs else Problem)("not ended")
    mocker.patch.object(telling, "run", side_effect=why)
    messages: list[str] = []
    (one,) = _of_dhcpcd().handed
    assert giving_back.give_at_once(one, _of_dhcpcd(), messages) != hangs
    assert (messages, commands) == (["not ended"], [])


@pytest.mark.usefixtures("commands", "detour")
def test_one_that_networkmanager_does_not_connect_is_told(mocker: MockerFixture) -> None:
    mocker.patch.object(uplink, "PATIENCE", 0.1)
    mocker.patch.object(uplink, "useful_families", return_value=(4,))
    mocker.patch.object(networkmanagers, "active_connections", return_value={"eth0": UUID})
    mocker.patch.object(
        networkmanagers, "networkmanager_states", return_value=(("eth0", "connecting"),)
    )
    with pytest.raises(Problem, match="no address of eth0"):
        giving_back.give_back(
            "eth0", _one(NETWORKMANAGER), Config(uplinks=()), Paths(), lambda: None
        )


@pytest.mark.parametrize("manager", [NETWORKMANAGER, ifupdown.MANAGER])
def test_one_that_is_not_plugged_in_is_left_to_whoever_finds_it(
    commands: list[str], mocker: MockerFixture, detour: list[str], manager: str
) -> None:
    mocker.patch.object(uplink, "is_there", return_value=False)
    reload = mocker.patch.object(networkctl, "reload")
    written: list[str] = []
    handover = _one(manager)
    giving_back.give_back(
        "eth0", handover, Config(uplinks=()), Paths(), lambda: written.extend(["file", *detour])
    )
    assert written == ["file"]
    commands.clear()
    reload.assert_called_once_with()
    assert returning.give_all_back(handover) == Outcome()
    assert returning.give_rest_back(handover) == Outcome()
    assert [one for one in commands if one.startswith(("give", "flush"))] == []


HANGS = ("let go", "systemctl restart", "have it back")


@pytest.mark.usefixtures("commands")
@pytest.mark.parametrize("hangs", HANGS)
@pytest.mark.parametrize("answers", [True, False])
def test_a_manager_that_hangs_is_not_taken_for_networkd(
    mocker: MockerFixture, hangs: str, *, answers: bool
) -> None:
    def run(*argv: str, **_: object) -> None:
        if " ".join(argv).startswith(hangs):
            raise TooSlow(f"{hangs}: no answer within 90 s")

    @contextlib.contextmanager
    def divert(*_: object, **__: object) -> Iterator[None]:
        try:
            yield
        except BaseException as reason:
            diversion._put_back(mocker.MagicMock(), mocker.MagicMock(), reason)
            raise

    mocker.patch.object(telling, "run", run)
    for module in (taking, giving_back):
        mocker.patch.object(module, "divert", divert)
    mocker.patch.object(from_ifupdown, "await_left")
    mocker.patch.object(snapshot, "missing", return_value=("an address",))
    mocker.patch.object(networkctl, "answers", return_value=answers)
    mocker.patch.object(networkctl, "reload")
    mocker.patch.object(networkctl, "leaves_alone", return_value=True)
    put_back = mocker.patch.object(snapshot, "put_back")
    how = Release(
        {}, release={"eth0": (("let", "go"),)}, take_back={"eth0": (("have", "it", "back"),)}
    )
    handed = (Handed("eth0", ifupdown.MANAGER),)
    joins = (WirelessNetwork(b"home", "NONE"),)
    profile = Profile(ifupdown.MANAGER, "", "", (), wireless=joins)
    handover = Handover(handed=handed, profiles={"eth0": profile}, release=how)
    act = giving_back.give_back if hangs == HANGS[-1] else taking.take
    with pytest.raises(Problem, match=hangs):
        act("eth0", handover, Config(uplinks=()), Paths(), lambda: None)
    assert put_back.called == (not answers)


def test_all_that_lets_go_has_one_budget_within_that_of_the_way_back(
    commands: list[str], mocker: MockerFixture, detour: list[str]
) -> None:
    clock = [0.0]
    given: list[float] = []

    def run(*_: str, seconds: float = 0) -> None:
        assert detour == ["eth0"]
        given.append(seconds)
        clock[0] += 20

    mocker.patch.object(telling, "run", run)
    mocker.patch.object(time, "monotonic", side_effect=lambda: clock[0])
    mocker.patch.object(from_ifupdown, "await_left")
    mocker.patch.object(networkmanagers, "networkmanager_says", side_effect=Problem("that will do"))
    how = Release({}, release={"eth0": (("let", "go"),) * 4})
    handover = Handover(handed=(Handed("eth0", NETWORKMANAGER),), release=how)
    with pytest.raises(Problem, match="that will do"):
        taking.take("eth0", handover, Config(uplinks=()), Paths(), lambda: None)
    assert given == [45, 25, 5, 1]
    assert commands == []
    assert arming.EACH >= taking.LONGEST >= taking._LETS_GO + uplink.PATIENCE
