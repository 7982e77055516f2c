"""What is told of addresses and traffic before they change, with the addresses that there are."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netfail_hooks.cli import prompts
from netfail_hooks.config import Bond, Config, default_metrics
from netfail_hooks.errors import Problem
from netfail_hooks.install.nodes import FILE, Node
from netfail_hooks.install.plan import FileChange
from netfail_hooks.install.told import uplinks
from netfail_hooks.install.told.uplinks import Now, fixed, of_bond, of_uplinks
from netfail_hooks.networkd.file import parse
from tests.support.machine import HOWTO, Machine

PAIR = ("--primary", "eth0", "--backup", "wlan0")
_HOSTS = st.lists(st.integers(2, 254), min_size=2, max_size=2, unique=True)
_KNOWN = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=6)
_NETWORK = "/etc/systemd/network/10-netfail-{}.network"


def _file(name: str, *addresses: str, dhcp: bool = False) -> FileChange:
    lines = [f"[Match]\nName={name}\n[Network]\n", "DHCP=yes\n" if dhcp else ""]
    lines += [f"Address={one}/24\n" for one in addresses]
    return FileChange(_NETWORK.format(name), None, Node(FILE, "".join(lines).encode()))


_DEVICE = FileChange("/etc/systemd/network/10-netfail-bond0.netdev", None, Node(FILE, b""))
_CONFIG = Config(uplinks=default_metrics(("eth0", "wlan0")), mode="bond", bond=Bond())


@_KNOWN
@given(hosts=_HOSTS, before=st.booleans(), asked=st.booleans(), dry=st.booleans())
def test_a_bond_is_told_by_the_address_that_goes(  # noqa: PLR0913 - drawn
    *,
    hosts: list[int],
    before: bool,
    asked: bool,
    dry: bool,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A machine in mode "routes", or none of ours yet; before the question, and in a dry run."""
    machine = Machine(tmp_path_factory.mktemp("machine"))
    for name, host in zip(("eth0", "wlan0"), hosts, strict=True):
        machine.write(f"/etc/systemd/network/20-{name}.network", HOWTO.format(name=name, host=host))
    if before:
        machine.install(*PAIR, "--yes")
    stays, goes = (f"192.168.1.{host}" for host in hosts)
    more = ["--address", f"{goes}/24", "--gateway", "192.168.1.1"] if asked else []
    if asked:  # the second one is named, and so it stays
        stays, goes = goes, stays
    capsys.readouterr()
    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Problem):
        patch.setattr(prompts, "_somebody_looks", lambda: True)
        patch.setattr("builtins.input", lambda _: "n")
        machine.install(*PAIR, "--mode", "bond", *more, *(["--dry-run"] if dry else []))
    said = capsys.readouterr().out.partition("In short:")[2 if dry else 0]
    assert re.search(rf"(?<![\d.]){re.escape(stays)} \(of \w+\) stays", said), said
    assert re.search(rf"(?<![\d.]){re.escape(goes)} \(of \w+\) goes", said), said
    assert "bond0" in said
    assert machine.install(*PAIR, "--mode", "bond", *more, "--dry-run", "--json") == 0
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert any(f"{goes} (of " in note for note in notes)


@given(hosts=_HOSTS, session=st.sampled_from(["", "first", "second"]), dhcp=..., advertised=...)
def test_who_came_in_by_an_address_is_told_whether_it_stays(
    *, hosts: list[int], session: str, dhcp: bool, advertised: bool
) -> None:
    first, second = (f"10.0.0.{host}" for host in hosts)
    addresses = {"eth0": (first,), "wlan0": (second,), "bond0": ()}
    server = {"first": first, "second": second}.get(session, "")
    now = Now(addresses, ("eth0", "wlan0"), advertised, server, running=True)
    bond = _file("bond0", *([] if dhcp else [first]), dhcp=dhcp)
    lines = of_bond(_CONFIG, (bond, _DEVICE), now)
    text = " ".join(lines)
    assert "off the network meanwhile, for a second or two" in text
    assert "A way back is armed first" in text
    assert f"{second} (of wlan0) go" in text or f"{second} (of wlan0) goes" in text
    assert ("DHCP" in text) == dhcp
    assert ("IPv6" in text) == advertised
    assert ("You came in by" in text) == bool(session)
    if session:
        stays = session == "first" and not dhcp
        assert f"You came in by {server}, which {'stays' if stays else 'may go'}" in text


def test_out_of_a_bond_each_uplink_has_its_own_again() -> None:
    gone = FileChange(_DEVICE.path, Node(FILE, b""), None)
    now = Now({"eth0": (), "wlan0": (), "bond0": ("10.0.0.9",)}, running=True)
    changes = (_file("wlan0", dhcp=True), _file("eth0", "10.0.0.2"), gone)
    first, *rest = of_bond(_CONFIG, changes, now)
    assert first == (
        "bond0 goes; afterwards there are eth0 10.0.0.2 and wlan0 with what its router gives; "
        "10.0.0.9 goes."
    )
    assert any("off the network" in line for line in rest)


@given(
    st.booleans(), st.booleans(), st.sampled_from([(), ("eth0",), ("eth0", "wlan0")]), st.booleans()
)
def test_uplinks_of_networkd_are_told_what_stays_and_that_no_timer_is_armed(
    kept: bool,  # noqa: FBT001 - drawn
    leased: bool,  # noqa: FBT001
    ways: tuple[str, ...],
    changed: bool,  # noqa: FBT001
) -> None:
    now = Now({"eth0": ("10.0.0.2",), "wlan0": ("10.0.0.3",)}, ways, running=True)
    changes = (_file("eth0", *(["10.0.0.2"] if kept else []), dhcp=leased),) if changed else ()
    text = " ".join(of_uplinks(changes, now))
    assert "SSH sessions" in text
    assert ("10.0.0.2 (of eth0)" in text) == (changed and not kept and not leased)
    assert ("no timer does" in text) == changed
    assert "way back" not in text
    if changed:
        assert ("another one carries" in text) == ("wlan0" in ways)


def test_another_uplinks_address_is_none_of_its_own() -> None:
    text = "[Network]\nAddress=10.0.0.2/24\n[Address]\nAddress=10.0.0.3/32\nLabel=netfail\n"
    assert fixed(parse(text)) == ("10.0.0.2",)
    assert uplinks.of_return(()) == []


def test_a_return_from_a_bond_is_told_to_have_no_way_back(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert machine.has("/etc/systemd/network/20-eth0.network")
    gone = FileChange(_DEVICE.path, Node(FILE, b""), None)
    text = " ".join(uplinks.of_return((gone,)))
    assert "off the network" in text
    assert "No way back is armed" in text
