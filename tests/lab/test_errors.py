"""The kernel refuses, or the interface is another one by the time we act: no traceback, no outage.

Every story begins with a pulled cable. What befalls the machine comes between the hook's look
and its first change: strace holds that up for a second. Then all is mended, and checks find back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from subprocess import CompletedProcess

import pytest

from netfail_hooks.sandbox import Lab
from tests.conftest import Tried
from tests.lab import kills
from tests.lab.suite import install, wait

pytestmark = pytest.mark.faults
_HOOK = "/etc/networkd-dispatcher/no-carrier.d/50-netfail-hooks"
_EVENT = {"IFACE": "eth0"}
_OURS = "ip route show proto 157; ip -details address | grep 'proto 157'"
_LOOKED = "/proc/sys/net/ipv6/conf/usb0/"  # the last that a look reads

Act = Callable[[Lab], object]


def _shell(script: str) -> Act:
    return lambda lab: lab.run("sh", "-ec", script).check_returncode()


def _reconfigure(lab: Lab) -> None:
    lab.run("networkctl", "reconfigure", "wlan0").check_returncode()


# What comes over wlan0, which the hook is about to use, and its mending.
MEANWHILE: dict[str, tuple[Act, Act]] = {
    "gone": (lambda lab: lab.remove("wlan0"), lambda lab: lab.plug("wlan0")),
    "renamed": (
        _shell("ip link set wlan0 down; ip link set wlan0 name other; ip link set other up"),
        _shell("ip link set other down; ip link set other name wlan0; ip link set wlan0 up"),
    ),
    "in another namespace": (
        _shell("ip link set wlan0 netns station"),
        _shell("ip -n station link set wlan0 netns 1"),
    ),
    "down": (lambda lab: lab.link_down("wlan0"), lambda lab: lab.link_up("wlan0")),
    "without an address": (_shell("ip address flush dev wlan0"), _reconfigure),
    "already led there": (
        _shell("ip route add default via 192.168.1.1 dev wlan0 metric 50 proto 157"),
        _shell("true"),
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
    wait(lambda: lab.read("/sys/class/net/eth0/operstate") == "down\n", "a link that is down")


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
        well = json.loads(lab.netfail("check", "--json").stdout)["standings"]
        up = [one["interface"] for one in well if (one["family"], one["verdict"]) == (4, "up")]
        return not ours.stdout and lab.way_out() == "eth0" and up == list(lab.plugs)

    wait(healed, "all as before", seconds=20)


@pytest.mark.parametrize("what", MEANWHILE)
def test_an_uplink_that_changes_between_look_and_act(
    installed: Lab, what: str, tried: Tried
) -> None:
    tried("changes between look and act", 1)
    befall, mend = MEANWHILE[what]
    _pull(installed)
    installed.run("rm", "-f", "/run/lab/strace")
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(
            kills.fail, installed, [_HOOK], "sendmsg:delay_enter=1000000:when=1", _EVENT
        )
        wait(lambda: _LOOKED in kills.read(installed), "a look")
        befall(installed)
        done = late.result()
    _refuse_traces(done)
    assert installed.way_out() in ("wlan0", "usb0"), installed.run("ip", "route").stdout
    _refuse_traces(installed.run(_HOOK, environment=_EVENT))
    assert installed.way_out() in ("wlan0", "usb0"), installed.run("ip", "route").stdout
    routes = installed.run("ip", "route", "show", "proto", "157").stdout
    assert "dev other" not in routes
    mend(installed)
    _heal(installed)


@pytest.mark.parametrize(
    ("error", "when"),
    [("ENOBUFS", 1), ("EPERM", 2), ("ENETUNREACH", 1), ("ENODEV", 2), ("ESRCH", 1), ("EEXIST", 2),
     ("ENOMEM", 4)],
)  # fmt: skip
def test_a_change_that_the_kernel_refuses(
    installed: Lab, error: str, when: int, tried: Tried
) -> None:
    tried("errors of the kernel", 1)
    _pull(installed)
    done = kills.fail(installed, [_HOOK], f"sendmsg:error={error}:when={when}", _EVENT)
    _refuse_traces(done)
    assert installed.way_out() == "wlan0"
    again = installed.run(_HOOK, environment=_EVENT)
    assert again.returncode == 0, again.stderr
    ours = installed.run("ip", "route", "show", "proto", "157").stdout
    assert ours.count("dev wlan0") == 2, ours
    _heal(installed)


@pytest.mark.parametrize("when", [1, 3, 8, "1+"])
def test_answers_that_do_not_fit_the_buffer(
    installed: Lab, when: int | str, tried: Tried
) -> None:
    tried("errors of the kernel", 1)
    _pull(installed)
    done = kills.fail(installed, [_HOOK], f"recvfrom:error=ENOBUFS:when={when}", _EVENT)
    _refuse_traces(done)
    assert done.returncode == (1 if when == "1+" else done.returncode)
    assert installed.way_out() == "wlan0"
    assert installed.run(_HOOK, environment=_EVENT).returncode == 0
    _heal(installed)


def test_a_hook_without_the_right_to_change_anything(installed: Lab, tried: Tried) -> None:
    tried("errors of the kernel", 1)
    _pull(installed)
    done = installed.run("setpriv", "--inh-caps=-net_admin", "--bounding-set=-net_admin", _HOOK,
                         environment=_EVENT)  # fmt: skip
    _refuse_traces(done)
    assert done.returncode in (1, 3), done
    assert "not permitted" in done.stderr.lower(), done.stderr
    assert installed.way_out() == "wlan0"
    _heal(installed)


def test_what_is_ours_taken_away_while_we_take_it_away(installed: Lab, tried: Tried) -> None:
    tried("changes between look and act", 1)
    _pull(installed)
    assert installed.run(_HOOK, environment=_EVENT).returncode == 0
    installed.run("ip", "route", "flush", "proto", "157").check_returncode()
    assert installed.way_out() == "wlan0"
    assert installed.run(_HOOK, environment=_EVENT).returncode == 0
    assert installed.run("ip", "route", "show", "proto", "157").stdout
    _heal(installed)
