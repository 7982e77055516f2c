"""A machine as it comes, run by another manager: taken over by SSH, broken, and given back.

Whoever is logged in from the router's side must stay so, by the same address; what the manager has
beside the uplinks stays with it; and uninstall gives all of it back.
"""

from __future__ import annotations

import json
import random
import re
import shlex
from collections.abc import Callable, Iterable, Mapping

from tests.vm.bench import Bench, Row, allowed, held_up, said
from tests.vm.image import NETPLAN, NETWORK_MANAGER, RELEASED
from tests.vm.installing import differences
from tests.vm.journey import Journey, Stop
from tests.vm.managers import KNOWN, Manager
from tests.vm.payload import SECRETS
from tests.vm.scenarios import (
    cable,
    dead_gateway_eth0,
    dead_gateway_wlan0,
    reboot_cable_out,
    reboot_wifi_off,
)

# Raspberry Pi OS of either release: keyfiles, or netplan that makes them.
MANAGERS = {"bookworm": NETWORK_MANAGER, "trixie": NETPLAN}
# Who may have any of them instead.
CHOSEN = tuple(one for one in KNOWN if one not in MANAGERS.values())
_OPTIONS = "--wheels /opt/vm/wheels --primary eth0 --backup wlan0 --yes"
_INSTALL = f"cd /opt/vm/checkout && sh install.sh {_OPTIONS} 2>&1"
_UNINSTALL = "cd /opt/vm/checkout && sh install.sh --uninstall --yes 2>&1"
_LIVES = "the session lives"
_SSH = (
    "ip netns exec lan ssh -i /opt/vm/key -o BatchMode=yes -o StrictHostKeyChecking=no "
    "-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ConnectTimeout=10 "
    "-o ServerAliveInterval=15 -o ServerAliveCountMax=8"  # one that is dead ends
)
_PREPARE = """
test -e /opt/vm/key || ssh-keygen -q -t ed25519 -N '' -f /opt/vm/key
install -D -m 600 /opt/vm/key.pub /root/.ssh/authorized_keys
"""
# NetworkManager numbers radios in the order in which they come up, beginning with 600: whether the
# hotspot's or the uplink's is first another boot decides anew. The cable's 100 stays before both.
# But for packages, which stay: what they brought, what was enabled with them, and what apt and dpkg
# keep of all that is installed.
_SHAPE = r"""
find /etc /usr/local -printf '%p %y %m %u %l\n' 2>/dev/null | sort |
    grep -v networkd-dispatcher
find /etc /usr/local -type f -exec sha256sum {} + | sort -k2 |
    grep -v -e networkd-dispatcher -e /etc/ld.so.cache -e /etc/resolv.conf
systemctl list-unit-files --no-legend --state=enabled,masked | sed 's/ \+/ /g' | sort |
    grep -v networkd-dispatcher
systemctl is-active $units systemd-networkd systemd-networkd.socket wpa_supplicant@wlan0
for name in lo $names; do
    ip -o address show dev $name | sed 's/^[0-9]*: //; s/valid_lft.*//; s/ \+/ /g' | sort
done
(ip -4 route; ip -6 route | sed 's/ expires [0-9]*sec//') | sed 's/ metric 60[0-9]/ metric 60N/' |
    sort
sed 's/ from .*//' /etc/resolv.conf | sort # routers come in any order, and so do uplinks
sysctl -a 2>/dev/null | grep -E '^net.ipv[46].conf.(eth0|wlan0)' | grep -v stable_secret
ls -A /var/lib/netfail-hooks /var/log/netfail-hooks /run/netfail-hooks /etc/systemd/network 2>&1
ls -A /run/systemd/network 2>/dev/null # empty where systemd-network-generator ran, until it boots
"""
# network-online.target is NetworkManager's, too, which waits for its hotspot.
_ONLINE = "systemd-networkd-wait-online.service"
_LIMIT = 5000.0
# Seconds between datagrams while apt, pip and systemd have the processor busy for minutes anyway.
_PACE = 0.05
# Debian 13's managers ask for seconds who has an address before they take it back.
_LOOKED_FOR = 25000.0
_ALONE = 20000.0  # where the cable changes hands, and there is no Wi-Fi to have its traffic
# Once install.sh has put the program in place.
_AGAIN = "netfail-hooks install --primary eth0 --backup wlan0 --yes 2>&1"
_BACK = "netfail-hooks uninstall --yes 2>&1"
_WHILE = 600.0  # seconds for either; some 60 to 140 on this slow a processor

INSTALL, UNINSTALL, REBOOT = "install-over-ssh", "uninstall", "reboot-after-uninstall"
WRONG_KEY, NO_ROUTER, POWER_CUTS = "wrong-key", "no-router", "power-cuts"
_FAULTS: dict[str, Callable[[Bench], None]] = {
    "cable": cable,
    "dead-gateway-eth0": dead_gateway_eth0,
    "dead-gateway-wlan0": dead_gateway_wlan0,
    "reboot-cable-out": reboot_cable_out,
    "reboot-wifi-off": reboot_wifi_off,
}
STOPS = (INSTALL, *_FAULTS, UNINSTALL, REBOOT, WRONG_KEY, NO_ROUTER, POWER_CUTS)


def stops(suites: Iterable[str], names: Iterable[str]) -> list[Stop]:
    """Return what is done to each suite's machine; of ``names``, with what those take, if any."""
    asked = set(names)
    if REBOOT in asked:
        asked |= {UNINSTALL}
    if asked & {*_FAULTS, UNINSTALL}:
        asked |= {INSTALL}
    if asked & {WRONG_KEY, NO_ROUTER, POWER_CUTS} and INSTALL in asked:
        asked |= {UNINSTALL}
    return [
        Stop(suite, "routes", name)
        for suite in suites
        for name in STOPS
        if not asked or name in asked
    ]


def managers(chosen: str | None) -> Mapping[str, str]:
    """Return who runs each suite's machine."""
    return dict.fromkeys(RELEASED, chosen) if chosen else MANAGERS


class Handover(Journey):
    """A machine of another manager's that is up."""

    def __init__(self, managers: Mapping[str, str], *, power_cuts: int = 2, seed: int = 0) -> None:
        super().__init__()
        self.managers = managers
        self._cuts = power_cuts
        self._seed = seed
        self._address: dict[str, str] = {}
        self._address6: dict[str, list[str]] = {}
        self._by_address = ""  # whoever comes in by SSH does so

    def shape(self, bench: Bench) -> str:
        """Return the machine as it comes."""
        bench.online = _ONLINE
        bench.machine.sh(_PREPARE)
        before = self._shape(bench)
        self._address = {name: _address_of(bench, name) for name in ("eth0", "wlan0")}
        bench.address = self._address["eth0"]
        self._address6 = {name: _addresses6_of(bench, name) for name in self._address}
        ways = [bench.address, *self._address6["eth0"]]
        drawn = random.Random(f"{self._seed} {bench.suite}")  # noqa: S311 - no secret
        self._by_address = drawn.choice(ways)
        said(f"{bench.suite}: as it comes: {self._address} {self._address6}")
        said(f"{bench.suite}: by SSH to {self._by_address}")
        bench.machine.sh("sync")
        return before

    def ways(self) -> dict[str, Callable[[Bench], None]]:
        """Return what each stop does."""
        return {
            **_FAULTS,
            INSTALL: self._install,
            UNINSTALL: self._uninstall,
            REBOOT: self._reboot,
            WRONG_KEY: self._wrong_key,
            NO_ROUTER: self._no_router,
            POWER_CUTS: self._power_cuts,
        }

    def _install(self, bench: Bench) -> None:
        """Take the uplinks over by SSH, under traffic."""
        machine = bench.machine
        by = self._by(bench)
        others = machine.sh(by.others)
        told, row = self._by_ssh(bench, INSTALL, _INSTALL)
        if f"{_LIVES} 0" not in told:
            raise AssertionError("; ".join(row.faults))
        bench.settled(120)
        row.faults += _faults(
            [
                ("not by networkd", lambda: machine.until(by.leaves, "uplinks by networkd")),
                ("names", lambda: machine.until("getent hosts far.test", "names")),
                ("secrets", lambda: _no_secrets(bench, told)),
            ]
        )
        row.faults += self._other_addresses(bench)
        row.faults += differences(f"install, {by.title}'s own", others, machine.sh(by.others))
        bench.row(row)

    def _uninstall(self, bench: Bench) -> None:
        limit = _LIMIT if bench.suite == "bookworm" else _LOOKED_FOR
        _, row = self._by_ssh(bench, UNINSTALL, _UNINSTALL, limit=limit)
        row.faults += differences(UNINSTALL, self.before, self._shape(bench))
        bench.row(row)

    def _reboot(self, bench: Bench) -> None:
        said(f"{bench.suite}: {REBOOT}")
        bench.machine.reboot()
        faults = differences(REBOOT, self.before, self._shape(bench))
        bench.row(_row(bench, REBOOT, 0.0, faults, "all as it came"))

    def _wrong_key(self, bench: Bench) -> None:
        """The access point has a new key: Wi-Fi is of no use before, meanwhile and after."""
        machine, conf = bench.machine, "/opt/vm/hostapd.conf"
        machine.sh(f"cp {conf} {conf}.right; sed -i 's/^wpa_passphrase=.*/&x/' {conf}")
        machine.sh("systemctl restart vm-ap")
        try:
            self._attempt(bench, WRONG_KEY, limit=_ALONE)
        finally:
            machine.sh(f"mv {conf}.right {conf}; systemctl restart vm-ap")
        self._as_it_came(bench, WRONG_KEY)

    def _no_router(self, bench: Bench) -> None:
        """Nobody gives addresses any more when it begins."""
        bench.machine.sh("systemctl stop vm-router")
        try:
            self._attempt(bench, NO_ROUTER)
        finally:
            bench.machine.sh("systemctl start vm-router")
        self._as_it_came(bench, NO_ROUTER)

    def _power_cuts(self, bench: Bench) -> None:
        """Of installs and uninstalls by turns, the power goes at moments drawn at random."""
        machine = bench.machine
        machine.sh(_INSTALL, seconds=900)
        whole = _took(bench, _BACK)
        said(f"{bench.suite}: an uninstall takes {whole:.0f} s")
        before = self._shape(bench)
        machine.sh("sync")
        drawn = random.Random(self._seed)  # noqa: S311 - moments
        for number in range(1, self._cuts + 1):
            moment = drawn.uniform(0, whole)  # an install takes as long, and some more
            # What the install before an uninstall is was cut off and made up for.
            installs = number % 2 == 1
            of = "install" if installs else "uninstall"
            name = f"power cut {number}, {moment:.1f} s into an {of}"
            self._cut(bench, name, _AGAIN if installs else _BACK, moment)
            if installs:
                self._again(bench, f"{name}: again")
            if not installs or number == self._cuts:
                machine.sh(f"{_BACK} || true", seconds=_WHILE)
                faults = differences(name, before, self._shape(bench))
                bench.row(_row(bench, f"{name}: given back", 0.0, faults, "all as before"))
            machine.sh("sync")
        self._as_it_came(bench, POWER_CUTS)

    def _cut(self, bench: Bench, name: str, command: str, moment: float) -> None:
        """Begin with a command, cut the power so many seconds later; we must be reachable."""
        machine = bench.machine
        said(f"{bench.suite}: {name}")
        _begin(bench, command)
        machine.sh(f"sleep {moment}", seconds=moment + 60)
        at_work = machine.sh("systemctl is-active vm-change || true").strip() == "active"
        machine.cut_power()
        faults = self._reachable(bench, 180) + self._both_back(bench) + _drifted(bench)
        over = "" if at_work else "; it was over by then"
        bench.row(_row(bench, name, 0.0, faults, f"reachable, by {self._whose(bench)}{over}"))
        said(machine.sh("systemctl --failed --no-legend"))

    def _again(self, bench: Bench, name: str) -> None:
        """An install that was cut off is made up for by the next."""
        told = bench.machine.sh(f"{_AGAIN}; echo {_LIVES} $?", seconds=_WHILE)
        faults = [] if f"{_LIVES} 0" in told else [told[-2000:]]
        faults += self._reachable(bench, 30) + self._both_back(bench) + _drifted(bench)
        bench.row(_row(bench, name, 0.0, faults, f"reachable, by {self._whose(bench)}"))

    def _attempt(self, bench: Bench, name: str, *, limit: float = _LIMIT) -> None:
        """Try to install where something is wrong; whether done or refused, we stay reachable."""
        told, row = self._by_ssh(bench, name, _INSTALL, limit=limit, may_fail=True)
        row.faults += self._reachable(bench, 30) + self._other_addresses(bench)
        row.note = told.strip().splitlines()[-2][:160] if "\n" in told.strip() else ""
        bench.row(row)

    def _as_it_came(self, bench: Bench, name: str) -> None:
        """Uninstall whatever there is; all must be as it came."""
        machine = bench.machine
        machine.sh(f"{_UNINSTALL} || true", seconds=_WHILE)
        faults = differences(name, self.before, self._shape(bench))
        bench.row(_row(bench, f"{name}, given back", 0.0, faults, "all as it came"))
        machine.sh("sync")

    def _by_ssh(
        self,
        bench: Bench,
        name: str,
        command: str,
        *,
        limit: float = _LIMIT,
        may_fail: bool = False,
    ) -> tuple[str, Row]:
        """Run a command by SSH under traffic; return what it said, and its row."""
        machine = bench.machine
        said(f"{bench.suite}: {name}")
        goes_on = self._by(bench).goes_on or "true"
        before = machine.sh(goes_on, check=False)
        _ping(bench, self._address["wlan0"])
        began = machine.ask("pulse", seconds=60, address=bench.address, interval=_PACE)["now"]
        remote = shlex.quote(f"{command}; echo {_LIVES} $?")
        told = machine.sh(f"{_SSH} root@{self._by_address} {remote} 2>&1", seconds=900, check=False)
        result = machine.ask("measure", windows=[[began, 0.0]], seconds=120)["results"][0]
        outages = {flow["name"]: flow["outage_ms"] for flow in result["flows"]}
        outages["wlan0"] = _pinged(bench)
        faults = differences(f"{name}, who joins Wi-Fi", before, machine.sh(goes_on, check=False))
        if f"{_LIVES} 0" not in told:
            why = "failed" if _LIVES in told else "the session died"
            faults += [] if may_fail and why == "failed" else [f"{why}: {told[-2000:]}"]
        worst = max(outage for flow, outage in outages.items() if flow != "wlan0")
        lost = {flow["name"]: flow["lost"] for flow in result["flows"]}
        held = float(result["held_ms"])
        if worst > allowed(limit, lost, held):
            faults.append(f"outage {worst:.0f} ms, more than {allowed(limit, lost, held):.0f}")
        row = _row(bench, name, worst, faults, f"SSH lives, wlan0 out {outages['wlan0']:.0f} ms")
        row.limit_ms, row.outages, row.lost, row.note = limit, outages, lost, held_up(held)
        for line in told.splitlines():
            said(f"  | {line}")
        return told, row

    def _reachable(self, bench: Bench, seconds: float) -> list[str]:
        """Return why a new session by the same address isn't to be had, if so."""
        return _faults(
            [
                (
                    "not reachable",
                    lambda: bench.machine.until(
                        f"{_SSH} root@{self._by_address} true", "SSH", seconds=seconds
                    ),
                )
            ]
        )

    def _both_back(self, bench: Bench) -> list[str]:
        """Return which uplink doesn't come back by the address that it had."""
        first = self._not_back(bench)
        if not first:
            return []
        self._join_again(bench)  # as in ``_shape``
        return self._not_back(bench)

    def _not_back(self, bench: Bench) -> list[str]:
        return _faults(
            [
                (
                    f"{name} not back",
                    lambda name=name, address=address: bench.machine.until(  # type: ignore[misc]
                        f"ip -4 -o address show dev {name} | grep -qF ' {address}/'",
                        address,
                        seconds=120,
                    ),
                )
                for name, address in self._address.items()
            ]
        )

    def _other_addresses(self, bench: Bench) -> list[str]:
        """Return which uplink has another address than it came with; none is no other."""
        now = {name: _address_of(bench, name) for name in self._address}
        now6 = {name: _addresses6_of(bench, name) for name in self._address}
        found = [
            f"{name} had {address}, and has {now[name] or 'none'}"
            for name, address in self._address.items()
            if now[name] not in (address, "")
        ]
        return found + [
            f"{name} had {addresses}, and has {now6[name]}"
            for name, addresses in self._address6.items()
            if now6[name] and now6[name] != addresses
        ]

    def _by(self, bench: Bench) -> Manager:
        return KNOWN[self.managers[bench.suite]]

    def _whose(self, bench: Bench) -> str:
        """Return who has the uplinks."""
        by = self._by(bench)
        shown = bench.machine.sh(f"{by.has} >/dev/null && echo its", check=False)
        return by.title if "its" in shown else "networkd"

    def _shape(self, bench: Bench) -> str:
        """Return all that uninstall is to give back, once its manager has all its own up.

        NetworkManager takes 25 s to associate for a wrong key, and waits minutes
        (``link_timeout_cb()`` in its nm-device-wifi.c): a processor that is emulated beside much
        other work may need more.
        """
        by = self._by(bench)
        what = f"{by.title} with all its own"
        try:
            bench.machine.until(by.ready, what, seconds=120)
        except AssertionError:
            self._join_again(bench)
            bench.machine.until(by.ready, what, seconds=120)
        own = f"units='{by.units}' names='{by.names}'"
        blur = f" | sed -E '{by.passing}'" if by.passing else ""
        return bench.machine.sh(f"{own}; ({_SHAPE}{by.shown}){blur}", check=False)

    def _join_again(self, bench: Bench) -> None:
        """Have the manager join Wi-Fi once more, if it is its own."""
        again = self._by(bench).again
        if again:
            said(f"{bench.suite}: once more: Wi-Fi")
            bench.machine.sh(again, seconds=90, check=False)


def _address_of(bench: Bench, name: str) -> str:
    shown = bench.machine.sh(f"ip -4 -o address show dev {name} primary")
    found = re.search(r"inet ([\d.]+)/", shown)
    return found[1] if found else ""


def _addresses6_of(bench: Bench, name: str) -> list[str]:
    """Return an uplink's own IPv6 addresses; one of another's by a failover has no prefix."""
    asked = f"ip -6 -o address show dev {name} scope global -temporary -tentative"
    return sorted(re.findall(r"inet6 ([\da-f:]+)/64 ", bench.machine.sh(asked)))


def _begin(bench: Bench, command: str) -> None:
    bench.machine.sh(f"systemd-run --quiet --collect --unit vm-change sh -c {shlex.quote(command)}")


def _took(bench: Bench, command: str) -> float:
    began = bench.machine.now()
    bench.machine.sh(command, seconds=_WHILE)
    return bench.machine.now() - began


def _drifted(bench: Bench) -> list[str]:
    """Return what is said to have changed of that which our files were made of: nothing did."""
    told = bench.machine.sh("test ! -e /etc/netfail-hooks || netfail-hooks status --json || true")
    return list(json.loads(told)["drifted"]) if told else []


def _ping(bench: Bench, address: str) -> None:
    """Ask an address from the router's side ten times a second."""
    where = "--property=StandardOutput=truncate:/run/vm-ping"
    ping = f"ip netns exec station ping -n -q -i 0.1 {address}"
    bench.machine.sh(f"systemd-run --quiet --collect --unit vm-ping {where} {ping}")


def _pinged(bench: Bench) -> float:
    """Return for how many ms there was no answer, all in all."""
    bench.machine.sh("systemctl kill -s INT vm-ping; sleep 0.5")
    said_ = bench.machine.sh("cat /run/vm-ping")
    sent, got = map(int, re.findall(r"(\d+) (?:packets transmitted|received)", said_))
    return 100.0 * (sent - got)


def _no_secrets(bench: Bench, told: str) -> None:
    """Raise AssertionError where a key stands that others may read."""
    script = (
        "netfail-hooks log --bundle /run/vm-bundle >/dev/null; netfail-hooks doctor; "
        f"cd /opt/vm/checkout && sh install.sh {_OPTIONS} --dry-run 2>&1; "
        "cat /run/vm-bundle; journalctl -b --no-pager; cat /var/log/netfail-hooks/*; "
        "find / -xdev -type f -perm /044 -newer /opt/vm/key -not -path '/opt/vm/*' "
        "-not -path '/var/log/journal/*' -exec cat {} + 2>/dev/null"
    )
    quoted = " ".join(f"-e {shlex.quote(secret)}" for secret in SECRETS)
    found = bench.machine.sh(f"({script}) | grep -aF {quoted} || true", seconds=300)
    assert not found, f"a secret is shown: {found[:300]}"
    assert not any(secret in told for secret in SECRETS), "a secret was printed by install.sh"


def _faults(checks: list[tuple[str, Callable[[], object]]]) -> list[str]:
    found = []
    for name, check in checks:
        try:
            check()
        except AssertionError as error:
            found.append(f"{name}: {error}")
    return found


def _row(bench: Bench, name: str, outage: float, faults: list[str], note: str = "") -> Row:
    return Row(bench.suite, bench.mode, name, outage, _LIMIT, connections=note, faults=faults)
