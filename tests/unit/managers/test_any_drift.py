"""Files change in any way, one change after another: told as long as networkd would read others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.doctor.facts import CHANGED
from netfail_hooks.doctor.own_files import own_files
from netfail_hooks.errors import Problem
from netfail_hooks.managers.drift import drifted
from netfail_hooks.reconcile import touched
from tests.support.machine import HOWTO, Machine

_CONFIG = Config(default_metrics(("eth0", "wlan0")))
_MINE = "/etc/systemd/network/20-eth0.network"
_NETPLAN = "/run/systemd/network/10-netplan-eth0.network"
_CLOUD_INIT = "/etc/systemd/network/10-cloud-init-eth0.network"
# The file that ours is made of, and ours.
_STARTS = {
    _MINE: "/etc/systemd/network/10-netfail-eth0.network",
    _NETPLAN: "/etc/systemd/network/10-netfail-eth0.network",
    _CLOUD_INIT: "/etc/systemd/network/00-netfail-eth0.network",
}
_TEXTS = (
    HOWTO.format(name="eth0", host=252),
    "[Match]\nName=eth0\n[Network]\nDHCP=yes\n",
    "[Match]\nName=eth*\n[Network]\nAddress=192.168.1.77/24\nGateway=192.168.1.1\n",
    "[Match]\nName=usb0\n[Network]\nDHCP=yes\n",
    "[Match]\nName=eth0\n[Network\nDHCP=yes\n",
    "",
)
_PLACES = (
    _MINE,
    "/run/systemd/network/20-eth0.network",
    _NETPLAN,
    _CLOUD_INIT,
    "/run/systemd/network/10-cloud-init-eth0.network",
    "/etc/systemd/network/15-mine.network",
    "/etc/systemd/network/90-all.network",
)
_DROPINS = (
    f"{_MINE}.d/50-a.conf",
    "/run/systemd/network/20-eth0.network.d/40-b.conf",
    "/run/systemd/network/20-eth0.network.d/50-a.conf",
    "/etc/systemd/network/15-mine.network.d/a.conf",
    "/etc/systemd/network/10-netplan-eth0.network.d/a.conf",
    "/run/systemd/network/10-cloud-init-eth0.network.d/a.conf",
)
_PARTS = ("[Network]\nDNS=9.9.9.9\n", "[Network]\nDNS=9.9.9.10\n", "")
_changes = st.one_of(
    st.tuples(st.sampled_from(_PLACES), st.sampled_from(_TEXTS)),
    st.tuples(st.sampled_from(_DROPINS), st.sampled_from(_PARTS)),
    st.tuples(st.sampled_from((*_PLACES, *_DROPINS)), st.none()),  # deleted
    st.tuples(st.sampled_from(_PLACES), st.sampled_from((0o600, 0o640, 0o644))),
    st.tuples(st.sampled_from((_NETPLAN, _CLOUD_INIT)), st.just("made again")),
    st.tuples(st.sampled_from(tuple(_STARTS.values())), st.just("edited")),
)


def _change(machine: Machine, place: str, what: str | int | None) -> None:
    inside = Path(f"{machine.root}{place}")
    if what == "edited":
        if inside.exists():
            inside.write_text(f"{machine.read(place)}# mine\n", encoding="utf-8")
    elif what == "made again":  # of the same YAML: netplan at each boot, cloud-init at some
        if inside.exists():
            text = machine.read(place)
            inside.unlink()
            machine.write(place, text)
            os.chmod(inside, 0o640)
    elif isinstance(what, str):
        machine.write(place, what)
    elif inside.exists():
        if what is None:
            inside.unlink()
        else:
            os.chmod(inside, what)


def _there(machine: Machine, places: tuple[str, ...]) -> dict[str, str]:
    """Return what networkd reads of these, by name: /etc hides /run."""
    found: dict[str, str] = {}
    for directory in ("/etc", "/run"):
        for place in places:
            if place.startswith(directory) and machine.has(place):
                found.setdefault(place.rpartition("network/")[2], machine.read(place))
    return dict(sorted(found.items()))


def _read(machine: Machine) -> tuple[str, ...]:
    """Return the name and the texts of the file that networkd would read for eth0, none for none.

    A reading of its own, by what each of the texts above is.
    """
    dropins = _there(machine, _DROPINS)
    for name, text in _there(machine, _PLACES).items():
        if text in _TEXTS[:3]:
            own = [(n, t) for n, t in dropins.items() if n.startswith(f"{name}.d/")]
            place = next(p for p in _PLACES if p.endswith(f"/{name}") and machine.has(p))
            return (place, text, *(part for pair in own for part in pair))
    return ()


@pytest.fixture(scope="module", params=_STARTS)
def start(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def machine(start: str, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    machine = Machine(tmp_path_factory.mktemp("machine"))
    Path(f"{machine.root}{_MINE}").unlink()
    machine.write(start, _TEXTS[0])
    machine.install("--primary", "eth0", "--backup", "wlan0", "--yes")
    os.makedirs(machine.paths.run, exist_ok=True)
    return machine


def _as_after_install(machine: Machine, start: str, ours: str) -> None:
    for place in (*_PLACES, *_DROPINS):
        Path(f"{machine.root}{place}").unlink(missing_ok=True)
    Path(machine.paths.sources).unlink(missing_ok=True)
    machine.write(start, _TEXTS[0])
    machine.write(_STARTS[start], ours)


@settings(max_examples=40)
@given(st.lists(_changes, max_size=6))
def test_whatever_changes_is_told_while_it_matters(
    machine: Machine, start: str, changes: list[tuple[str, str | int | None]]
) -> None:
    place_of_ours = _STARTS[start]
    ours = machine.read(place_of_ours).replace("# mine\n", "")
    _as_after_install(machine, start, ours)
    before = _read(machine)
    assert before
    assert touched.messages(machine.paths, _CONFIG) == []
    for place, what in changes:
        _change(machine, place, what)
        unknown: list[str] = []
        unjudged: list[Problem] = []
        now = drifted(machine.paths, _CONFIG, unjudged)
        assert bool(now) is (_read(machine) != before)
        assert set(touched.messages(machine.paths, _CONFIG)) <= set(now)
        odd = own_files(machine.paths, _CONFIG, (), unknown)[0]
        edited = "# mine" in machine.read(place_of_ours)
        assert [(one.path, one.state) for one in odd] == (
            [(place_of_ours, CHANGED)] if edited else []
        )
        assert (unknown, unjudged) == ([], [])
