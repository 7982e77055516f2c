"""The kernel refuses, or the interface is another one by the time we act: no traceback, no outage.

Every story begins with a pulled cable. What befalls the machine comes between the hook's look
and its first change: strace holds that up for a second. Then all is mended, and checks find back.
The kernel passes a dead link over by itself, so where the traffic goes tells nothing of the hook:
the routes of ours do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from subprocess import CompletedProcess

import pytest

from netfail_hooks.lab import Lab
from tests.conftest import Tried
from tests.lab import kills
from tests.lab.suite import install, wait, wait_operational

pytestmark = pytest.mark.faults
_HOOK = "/etc/networkd-dispatcher/no-carrier.d/50-netfail-hooks"
_EVENT = {"IFACE": "eth0"}
_OURS = "ip route show proto 157; ip -details address | grep 'proto 157'"
_LOOKED = "/proc/sys/net/ipv6/conf/usb0/"  # the last that a look reads
_LATE = "sendmsg:delay_enter=1000000:when=1"
_LAN, _DEFAULT = "192.168.1.0/24", "default"  # in the order in which the hook sets them
_NO_DEFAULT = "the kernel refused to set default via 192.168.1.1 dev wlan0 metric 50: "
Act = Callable[[Lab], object]


def _ours(lab: Lab) -> dict[str, str]:
    """Return the interface that each route of ours leads to, by destination."""
    lines = lab.run("ip", "route", "show", "proto", "157").stdout.splitlines()
    return {words[0]: words[words.index("dev") + 1] for words in (line.split() for line in lines)}


def _led(interface: str) -> dict[str, str]:
    return {_DEFAULT: interface, _LAN: interface}


def _shell(script: str) -> Act:
    return lambda lab: lab.run("sh", "-ec", script).check_returncode()


def _reconfigure(lab: Lab) -> None:
    lab.run("networkctl", "reconfigure", "wlan0").check_returncode()


# What comes over wlan0, which the hook is about to use, and its mending; what the hook then has
# to tell of it, and where the next one leads.
MEANWHILE: dict[str, tuple[Act, Act, str, str]] = {
    "gone": (lambda lab: lab.remove("wlan0"), lambda lab: lab.insert("wlan0"), "", "usb0"),
    "renamed": (
        _shell("ip link set wlan0 down; ip link set wlan0 name other; ip link set other up"),
        _shell("ip link set other down; ip link set other name wlan0; ip link set wlan0 up"),
        "",
        "usb0",
    ),
    "in another namespace": (
        _shell("ip link set wlan0 netns station"),
        _shell("ip -n station link set wlan0 netns 1"),
        "",
        "usb0",
    ),
    "down": (
        lambda lab: lab.link_down("wlan0"),
        lambda lab: lab.link_up("wlan0"),
        _NO_DEFAULT,
        "usb0",
    ),
    "without an address": (_shell("ip address flush dev wlan0"), _reconfigure, "", "usb0"),
    "already led there": (
        _shell("ip route add default via 192.168.1.1 dev wlan0 metric 50 proto 157"),
        _shell("true"),
        "",
        "wlan0",
    ),
}


@pytest.fixture(scope="module")
def installed() -> Iterator[Lab]:
    with Lab(("eth0", "wlan0", "usb0")) as lab:
        lab.write_files(lab.howto_files())
        lab.start()
        install(lab, hold_down=0, more="successes = 1\n")
        assert lab.networkd is not None
        lab.networkd.stop_dispatcher()
        yield lab


def _pull(lab: Lab) -> None:
    lab.cable_out("eth0")
    wait_operational(lab, "eth0", "down")


def _late(lab: Lab, argv: Sequence[str], befall: Act) -> CompletedProcess[str]:
    """Run a command; let something happen between its look and its first change."""
    lab.run("rm", "-f", "/run/lab/strace")
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(kills.fail, lab, argv, _LATE, _EVENT)
        # A check looks twice: first for its probes, which need no lock.
        wait(lambda: _LOOKED in kills.read(lab).partition("netfail-hooks/lock")[2], "a look")
        befall(lab)
        done = late.result()
    _refuse_traces(done)
    return done


def _refuse_traces(done: CompletedProcess[str]) -> None:
    assert "Traceback" not in done.stderr, done.stderr
    assert "bug" not in done.stderr, done.stderr


def _heal(lab: Lab) -> None:
    """Mend the cable; checks must bring back what was there before all of it."""
    lab.cable_in("eth0")

    def healed() -> bool:
        done = lab.tick()
        _refuse_traces(done)
        ours = lab.run("sh", "-c", _OURS)
        healthy = json.loads(lab.netfail("check", "--json").stdout)["uplinks"]
        up = [one["interface"] for one in healthy if (one["family"], one["state"]) == (4, "up")]
        return not ours.stdout and lab.used_uplink() == "eth0" and up == list(lab.ports)

    wait(healed, "all as before", seconds=20)


@pytest.mark.parametrize("what", MEANWHILE)
def test_an_uplink_that_changes_between_look_and_act(
    installed: Lab, what: str, tried: Tried
) -> None:
    tried("changes between look and act", 1)
    befall, fix, told, way = MEANWHILE[what]
    _pull(installed)
    done = _late(installed, [_HOOK], befall)
    assert (done.returncode, told in done.stderr) == (1 if told else 0, True), done.stderr
    assert _ours(installed) == (_led(way) if way == "wlan0" else {})
    assert installed.used_uplink() == way
    again = installed.run(_HOOK, environment=_EVENT)
    _refuse_traces(again)
    assert again.returncode == 0, again.stderr
    assert _ours(installed) == _led(way)
    assert installed.used_uplink() == way
    fix(installed)
    _heal(installed)


def test_an_adapter_that_is_plugged_in_again_between_look_and_act(
    installed: Lab, tried: Tried
) -> None:
    """It has another number then; what is made for the old one is no failure, and made again."""
    tried("changes between look and act", 1)

    def befall(lab: Lab) -> None:
        lab.remove("wlan0")
        lab.insert("wlan0")
        lab.wait_routable("wlan0")

    _pull(installed)
    done = _late(installed, [_HOOK], befall)
    assert done.returncode == 0, done.stderr
    assert _ours(installed) == _led("wlan0"), "looked at again, and so made good"
    again = installed.run(_HOOK, environment=_EVENT)
    assert again.returncode == 0, again.stderr
    assert _ours(installed) == _led(installed.used_uplink())
    _heal(installed)


@pytest.mark.parametrize(
    ("error", "when", "left"),
    [
        ("ENOBUFS", 1, [_DEFAULT]),
        ("ENETUNREACH", 1, [_DEFAULT]),
        ("EPERM", 2, [_LAN]),
        # What is no failure is looked at again, and so made good; and the 4th is an announcement.
        ("ENODEV", 2, [_DEFAULT, _LAN]),
        ("ESRCH", 1, [_DEFAULT, _LAN]),
        ("EEXIST", 2, [_DEFAULT, _LAN]),
        ("ENOMEM", 4, [_DEFAULT, _LAN]),
    ],
)
def test_a_change_that_the_kernel_refuses(
    installed: Lab, error: str, when: int, left: list[str], tried: Tried
) -> None:
    tried("errors of the kernel", 1)
    _pull(installed)
    done = kills.fail(installed, [_HOOK], f"sendmsg:error={error}:when={when}", _EVENT)
    _refuse_traces(done)
    harmless = error in ("ENODEV", "ESRCH", "EEXIST")
    assert done.returncode == (0 if harmless else 1), done.stderr
    assert ("the kernel refused to" in done.stderr) is not harmless, done.stderr
    assert _ours(installed) == dict.fromkeys(left, "wlan0")
    again = installed.run(_HOOK, environment=_EVENT)
    assert again.returncode == 0, again.stderr
    assert _ours(installed) == _led("wlan0")
    assert installed.used_uplink() == "wlan0"
    _heal(installed)


# The first answers are of one link each, and such a question is asked once; what follows is a
# dump, and those are asked again.
@pytest.mark.parametrize(("when", "status"), [(1, 1), (3, 1), (8, 0), ("1+", 1)])
def test_answers_that_do_not_fit_the_buffer(
    installed: Lab, when: int | str, status: int, tried: Tried
) -> None:
    tried("errors of the kernel", 1)
    _pull(installed)
    done = kills.fail(installed, [_HOOK], f"recvfrom:error=ENOBUFS:when={when}", _EVENT)
    _refuse_traces(done)
    assert done.returncode == status, done.stderr
    assert ("cannot look at the kernel: " in done.stderr) is bool(status), done.stderr
    assert _ours(installed) == ({} if status else _led("wlan0"))
    assert installed.run(_HOOK, environment=_EVENT).returncode == 0
    assert _ours(installed) == _led("wlan0")
    assert installed.used_uplink() == "wlan0"
    _heal(installed)


def test_a_hook_without_the_right_to_change_anything(installed: Lab, tried: Tried) -> None:
    """The kernel's own refusal of a route, in its answer: strace's come from the system call."""
    tried("errors of the kernel", 1)
    _pull(installed)
    done = installed.run(
        "setpriv", "--inh-caps=-net_admin", "--bounding-set=-net_admin", _HOOK, environment=_EVENT
    )
    _refuse_traces(done)
    assert done.returncode == 1, done.stderr
    assert f"{_NO_DEFAULT}Operation not permitted\n" in done.stderr, done.stderr
    assert _ours(installed) == {}
    assert installed.run(_HOOK, environment=_EVENT).returncode == 0
    assert _ours(installed) == _led("wlan0")
    assert installed.used_uplink() == "wlan0"
    _heal(installed)


def test_what_is_ours_taken_away_before_the_next_look(installed: Lab, tried: Tried) -> None:
    tried("changes between look and act", 1)
    _pull(installed)
    assert installed.run(_HOOK, environment=_EVENT).returncode == 0
    installed.run("ip", "route", "flush", "proto", "157").check_returncode()
    assert _ours(installed) == {}
    assert installed.run(_HOOK, environment=_EVENT).returncode == 0
    assert _ours(installed) == _led("wlan0")
    assert installed.used_uplink() == "wlan0"
    _heal(installed)


def test_what_is_ours_taken_away_while_we_take_it_away(installed: Lab, tried: Tried) -> None:
    tried("changes between look and act", 1)
    _pull(installed)
    assert installed.run(_HOOK, environment=_EVENT).returncode == 0
    assert _ours(installed) == _led("wlan0")
    installed.cable_in("eth0")
    wait_operational(installed, "eth0", "up")
    done = _late(installed, kills.check(installed), _shell("ip route flush proto 157"))
    answers = [line for line in kills.read(installed).splitlines() if "RTM_DELROUTE" in line]
    assert ["error=-ESRCH" in line for line in answers] == [True, True], answers
    assert done.returncode == 0, done.stderr
    assert "refused" not in done.stderr
    assert (_ours(installed), installed.used_uplink()) == ({}, "eth0")
    _heal(installed)
