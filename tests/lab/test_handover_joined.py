"""The user's own wpa_supplicant joins an uplink of dhcpcd's or ifupdown's: it goes on as it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import ClassVar

import pytest

from netfail_hooks import lab as sandbox
from tests.lab import radio
from tests.lab.denied import Denied
from tests.lab.handed import PAIR, Handed, between_hands
from tests.lab.raised import Raised
from tests.lab.suite import used, wait

# Datagrams, two seconds: here it is asked who joins, how much is lost at best in the tests of each.
_LOST = 400
_GLOBAL = "wpa_supplicant -g/run/wpa-all"
_ADDS = f"wpa_cli -g /run/wpa-all interface_add {radio.RADIO} {radio.CONFIG} wired"


class _OfDhcpcd(Denied):
    units: ClassVar[tuple[str, ...]] = (*Denied.units, radio.UNIT)

    def seen(self) -> list[str]:
        return [*super().seen(), radio.run_of(self)]


class _OfIfupdown(Raised):
    units: ClassVar[tuple[str, ...]] = (*Raised.units, radio.UNIT)

    def seen(self) -> list[str]:
        return [*super().seen(), radio.run_of(self)]


@pytest.fixture(params=[_OfDhcpcd, _OfIfupdown], ids=["dhcpcd", "ifupdown"])
def joined(request: pytest.FixtureRequest) -> Iterator[Handed]:
    why = sandbox.why_not_real()
    if why:
        pytest.fail(f"needs root and the real daemons: {why}", pytrace=False)
    make: Callable[[], _OfDhcpcd | _OfIfupdown] = request.param
    with make() as lab:
        lab.start_dhcp()
        radio.make(lab)
        radio.join(lab)
        if isinstance(lab, Denied):
            lab.write_config()
            lab.start_manager()
        else:
            lab.write_stanzas("dhcp\n")
            lab.raise_all()
        yield lab
        print("\n".join(lab.journal()[-60:]))


@pytest.mark.share(1)
def test_who_joins_an_uplink_goes_on_while_its_addresses_change_hands(joined: Handed) -> None:
    lab = joined
    lab.systemctl("disable", radio.UNIT)
    refused = lab.netfail("install", *PAIR)
    assert refused.returncode == 2, refused.stdout + refused.stderr
    assert f"systemctl enable {radio.UNIT}" in refused.stderr
    lab.systemctl("enable", radio.UNIT)
    before, leases, own = lab.settled(), lab.leases(), radio.run_of(lab)
    would = json.loads(lab.told("install", *PAIR, "--dry-run", "--json"))
    assert radio.UNIT not in str(would["would"])
    assert any(f"{radio.UNIT} still connects it" in note for note in would["notes"]), would
    there = lab.under_traffic("install", *PAIR)
    print("there", there)
    assert used(lab) == "eth0"
    assert "configured" in lab.run("networkctl", "list", radio.RADIO).stdout
    assert radio.run_of(lab) == own
    assert lab.leases() == leases
    again = lab.stays_installed()
    assert radio.run_of(lab) == own
    back = lab.under_traffic("uninstall", "--yes")
    print("back", back)
    lab.expect(before)
    assert lab.leases() == leases
    for result in (there, again, back):
        assert result.all_alive, result
        assert result.lost() <= _LOST, result


@pytest.mark.share(1)
def test_nor_does_a_kill_or_the_way_back_touch_it(joined: Handed) -> None:
    lab = joined
    before = lab.settled()
    calls = lab.install_traced(before)
    lab.kill_and_give_back(between_hands(calls), before)
    lab.begin_way_back(calls)
    armed = ("test", "-e", "/run/netfail-hooks/rollback.json")
    wait(lambda: lab.is_addressed() and lab.run(*armed).returncode != 0, "way back", seconds=60)
    lab.expect(before)


@pytest.mark.parametrize("joined", [_OfDhcpcd], indirect=True, ids=["dhcpcd"])
def test_one_that_no_boot_has_join_is_refused(joined: Handed) -> None:
    lab = joined
    lab.systemctl("disable", "--now", radio.UNIT)
    before = lab.settled()
    own = f"wpa_supplicant -Dwired -i{radio.RADIO} -c{radio.CONFIG}"
    for begin, adds, why in (
        ("systemd-run --scope --unit=by-hand", "", "no unit has started it"),
        ("systemd-run --unit=by-hand", "", "nothing starts it at boot"),
        ("systemd-run --unit=by-hand", _ADDS, "another program told it to"),
    ):
        lab.run("sh", "-c", f"{begin} {_GLOBAL if adds else own} >/dev/null 2>&1 & sleep 1; {adds}")
        wait(lambda: radio.is_associated(lab), "association", seconds=20)
        done = lab.netfail("install", *PAIR)
        assert done.returncode == 2, done.stdout + done.stderr
        assert why in done.stderr
        lab.run("sh", "-c", "systemctl stop by-hand.scope by-hand.service")
        wait(lambda: not radio.is_associated(lab), "end", seconds=20)
    assert lab.netfail("install", *PAIR).returncode == 2  # nobody joins
    assert lab.state() == before
