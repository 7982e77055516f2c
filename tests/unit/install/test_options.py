"""What install is asked for, and what of that makes no sense."""

from __future__ import annotations

import argparse
import contextlib

import pytest

from netfail_hooks.errors import Misuse
from netfail_hooks.install.options import (
    InstallOptions,
    add_arguments,
    parse,
    refuse_others,
)
from netfail_hooks.networkd.takeover import AddressConfig

TWO = "--primary eth0 --backup wlan0"
BOND = f"--mode bond {TWO}"
STATIC = f"{TWO} --address eth0=192.168.1.2/24"
PAIR = ("eth0", "wlan0")


def _ask(words: str, *present: str) -> InstallOptions:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parse(parser.parse_args(words.split()), present)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (
            "--dhcp usb0",
            "to add it: sudo netfail-hooks install --primary a --backup b --backup usb0",
        ),
        ("--address usb0=10.0.0.2/8 --gateway 10.0.0.1", "--address usb0=10.0.0.2/8 --gateway"),
        ("--uplink a --uplink c --dhcp b", "name it with --primary or --backup"),
    ],
)
def test_a_new_uplink_beside_those_that_there_are(words: str, hint: str) -> None:
    with pytest.raises(Misuse, match=r"(usb0|b) is no uplink") as wrong:
        _ask(words, "a", "b")
    assert hint in wrong.value.hint


def test_options_are_for_the_uplinks_that_there_are() -> None:
    assert list(_ask("--dhcp b", "a", "b").address_configs) == ["b"]
    assert list(_ask("--dhcp", "a", "b").address_configs) == ["a", "b"]


@pytest.mark.parametrize(
    ("words", "uplinks", "interval"),
    [
        ("", (), None),
        (TWO, PAIR, None),
        ("--primary a --backup b --backup c", ("a", "b", "c"), None),
        ("--uplink b --uplink a", ("b", "a"), None),
        ("--interval 0", (), 0),
        ("--interval 3600", (), 3600),
    ],
)
def test_uplinks_are_in_rank_order(
    words: str, uplinks: tuple[str, ...], interval: int | None
) -> None:
    assert _ask(words) == InstallOptions(uplinks, {}, interval)


@pytest.mark.parametrize(
    ("words", "setups"),
    [
        (STATIC, {"eth0": AddressConfig(("192.168.1.2/24",))}),
        (
            f"{STATIC} --gateway 192.168.1.1 --dns 9.9.9.9",
            {"eth0": AddressConfig(("192.168.1.2/24",), ("192.168.1.1",), ("9.9.9.9",))},
        ),
        (
            f"{STATIC} --address eth0=fd00::2/64 --gateway 192.168.1.1 --gateway fd00::1",
            {"eth0": AddressConfig(("192.168.1.2/24", "fd00::2/64"), ("192.168.1.1", "fd00::1"))},
        ),
        (
            f"{STATIC} --address wlan0=10.0.0.2/8 --gateway 10.0.0.1",
            {
                "eth0": AddressConfig(("192.168.1.2/24",)),
                "wlan0": AddressConfig(("10.0.0.2/8",), ("10.0.0.1",)),
            },
        ),
        (
            f"{STATIC} --address wlan0=10.0.0.2/8 --gateway eth0=10.0.0.1 --dns wlan0=9.9.9.9",
            {
                "eth0": AddressConfig(("192.168.1.2/24",), ("10.0.0.1",)),
                "wlan0": AddressConfig(("10.0.0.2/8",), (), ("9.9.9.9",)),
            },
        ),
        (
            f"{STATIC} --dhcp",
            {"eth0": AddressConfig(("192.168.1.2/24",)), "wlan0": AddressConfig(dhcp=True)},
        ),
        (f"{TWO} --dhcp", {"eth0": AddressConfig(dhcp=True), "wlan0": AddressConfig(dhcp=True)}),
        (f"{TWO} --dhcp wlan0", {"wlan0": AddressConfig(dhcp=True)}),
        (
            f"{TWO} --dhcp wlan0 --dns 9.9.9.9",
            {"wlan0": AddressConfig(dns=("9.9.9.9",), dhcp=True)},
        ),
    ],
)
def test_a_new_setup_is_each_uplinks_own(words: str, setups: dict[str, AddressConfig]) -> None:
    assert _ask(words) == InstallOptions(PAIR, setups, None)


@pytest.mark.parametrize(
    ("words", "setup"),
    [
        (BOND, None),
        (f"{BOND} --dhcp", AddressConfig(dhcp=True)),
        (f"{BOND} --dhcp --dns 9.9.9.9", AddressConfig(dns=("9.9.9.9",), dhcp=True)),
        (
            f"{BOND} --address bond0=192.168.1.2/24 --gateway 192.168.1.1",
            AddressConfig(("192.168.1.2/24",), ("192.168.1.1",)),
        ),
    ],
)
def test_a_bond_has_one_setup(words: str, setup: AddressConfig | None) -> None:
    asked = _ask(words)
    assert asked == InstallOptions(PAIR, {}, None, "bond", setup, asked.named)


@pytest.mark.parametrize(
    ("words", "bond", "told"),
    [
        ("--address 10.0.0.2/8 --gateway 10.0.0.1 --dns 10.0.0.1", "bond0", ""),
        ("--address lan0=10.0.0.2/8 --gateway lan0=10.0.0.1 --dns lan0=10.0.0.1", "lan0", ""),
        ("--address bond0=10.0.0.2/8", "lan0", "in a bond bond0 has no address of its own"),
        ("--address eth0=10.0.0.2/8", "bond0", "own: leave the name out, or say bond0="),
        ("--address 10.0.0.2/8 --gateway etho=10.0.0.1", "bond0", "in a bond etho has no address"),
        ("--address 10.0.0.2/8 --dns etho=10.0.0.1", "bond0", "in a bond etho has no address"),
    ],
)
def test_only_the_bond_itself_can_be_named_as_who_has_an_address(
    words: str, bond: str, told: str
) -> None:
    names = _ask(f"{BOND} {words}").named
    with pytest.raises(Misuse, match=told) if told else contextlib.nullcontext():
        refuse_others(names, bond)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--uplink a --uplink b --primary c", "--uplink and --primary exclude each other"),
        ("--uplink a --uplink b --backup c", "--uplink and --primary exclude each other"),
        ("--backup b", "--backup without --primary"),
        ("--primary a/b --backup c", "not an interface name: 'a/b'"),
        ("--primary a --backup a", "the same uplink twice"),
        ("--primary a", "a alone has nothing to fail over to"),
        ("--uplink a", "a alone has nothing to fail over to"),
        ("--interval -1", "--interval -1: must be 0 to 3600"),
        ("--interval 3601", "--interval 3601: must be 0 to 3600"),
        (f"{TWO} --address 192.168.1.2/24", "must be IF=CIDR"),
        (f"{TWO} --address a/b=192.168.1.2/24", "must be IF=CIDR"),
        (f"{TWO} --address eth0", "must be IF=CIDR"),
        (f"{TWO} --address eth0=192.168.1.2", "no length: such as 192.168.1.2/24"),
        (f"{TWO} --address eth0=192.168.1/24", "--address 192.168.1/24: "),
        (f"{STATIC} --gateway x", "--gateway x: not an address: such as"),
        (f"{STATIC} --dns eth0=x", "--dns x: not an address: such as"),
        (f"{STATIC} --dns =9.9.9.9", "must be IF=IP or IP"),
        (f"{STATIC} --dhcp eth0", "eth0: --address and --dhcp exclude each other"),
        (f"{STATIC} --gateway wlan0=10.0.0.1", "wlan0 has neither --address nor --dhcp"),
        (f"{STATIC} --dns wlan0=10.0.0.1", "wlan0 has neither --address nor --dhcp"),
        (f"{TWO} --gateway 10.0.0.1", "--gateway or --dns without --address"),
        (f"{TWO} --dns 10.0.0.1", "--gateway or --dns without --address"),
        (f"{TWO} --address usb0=10.0.0.1/8", "usb0 is no uplink"),
        (f"{TWO} --dhcp usb0", "usb0 is no uplink"),
        (f"{BOND} --gateway 10.0.0.1", "--gateway or --dns without --address"),
        (f"{BOND} --dns 10.0.0.1", "--gateway or --dns without --address"),
        (f"{BOND} --dhcp --address 10.0.0.2/8", "exclude each other: a bond has one set-up"),
        (f"{BOND} --address 10.0.0.2", "no length: such as 10.0.0.2/24"),
        (f"{BOND} --address =10.0.0.2/8", "no name before the =: --address 10.0.0.2/8"),
        (f"{BOND} --dns x", "--dns x: not an address: such as"),
    ],
)
def test_what_makes_no_sense_is_told(words: str, told: str) -> None:
    with pytest.raises(Misuse) as wrong:
        _ask(words)
    assert told in str(wrong.value)
