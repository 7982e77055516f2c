"""What the command line of ``install --mode bond`` asks for: one set-up, the bond's."""

from __future__ import annotations

import argparse
import ipaddress

from netfail_hooks.errors import Misuse
from netfail_hooks.install.options import Setup


def bond_setup(args: argparse.Namespace) -> Setup | None:
    """Return the bond's new set-up, None to take over what files say. Raises Misuse."""
    addresses = _all("--address", args.address)
    gateways = _all("--gateway", args.gateway)
    servers = _all("--dns", args.dns)
    if not (addresses or args.dhcp):
        if gateways or servers:
            raise Misuse("--gateway or --dns without --address", hint="add --address IP/LENGTH")
        return None
    if addresses and args.dhcp:
        raise Misuse("--address and --dhcp exclude each other: a bond has one set-up")
    for text in addresses:
        if "/" not in text:
            raise Misuse(f"--address {text}: no length", hint=f"such as {text}/24")
    return Setup(addresses, gateways, servers, dhcp=bool(args.dhcp))


def named(args: argparse.Namespace) -> tuple[str, ...]:
    """Return whom the options name as the owner of an address; only the bond can be."""
    found = (text.rpartition("=") for text in (*args.address, *args.gateway, *args.dns))
    return tuple(name for name, equals, _ in found if equals)


def refuse_others(names: tuple[str, ...], bond: str) -> None:
    """Raise Misuse for a name that is not the bond's."""
    for name in names:
        if name != bond:
            raise Misuse(f"in a bond {name} has no address of its own",
                         hint=f"leave the name out, or say {bond}=")  # fmt: skip


def _all(option: str, texts: list[str]) -> tuple[str, ...]:
    found = []
    for text in texts:
        name, equals, rest = text.rpartition("=")
        if equals and not name:
            raise Misuse(f"{option} {text}: no name before the =", hint=f"{option} {rest}")
        try:
            ipaddress.ip_interface(rest)
        except ValueError as error:
            raise Misuse(f"{option} {text}: {error}") from None
        found.append(rest)
    return tuple(found)
