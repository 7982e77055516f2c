"""The command line of ``install``, and the values that it is parsed to."""

from __future__ import annotations

import argparse
import ipaddress
import shlex
from collections.abc import Callable
from dataclasses import dataclass

from netfail_hooks.config import MODES, settings
from netfail_hooks.errors import Misuse
from netfail_hooks.names import is_interface_name
from netfail_hooks.networkd.nic import resolve_name
from netfail_hooks.networkd.takeover import AddressConfig

_SUCH = {
    "--address": "such as 192.168.1.252/24",
    "--gateway": "such as 192.168.1.1",
    "--dns": "such as 192.168.1.1",
}


@dataclass(frozen=True, slots=True)
class InstallOptions:
    """Uplinks in rank order (none: work them out), and how some are to be set up."""

    uplinks: tuple[str, ...]
    address_configs: dict[str, AddressConfig]
    interval: int | None
    mode: str = ""
    bond: AddressConfig | None = None
    named: tuple[str, ...] = ()  # interfaces to which options give an address in mode bond
    dispatcher: bool | None = None  # None: as before


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that say what to install."""
    ranked = parser.add_argument_group("uplinks, by default those of the config or of networkd")
    ranked.add_argument("--primary", metavar="IF", help="the most preferred uplink")
    ranked.add_argument(
        "--backup",
        metavar="IF",
        action="append",
        default=[],
        help="the next one; again for a third and so on",
    )
    ranked.add_argument(
        "--uplink",
        metavar="IF",
        action="append",
        default=[],
        help="each uplink in order of preference, instead of --primary and --backup",
    )
    ranked.add_argument(
        "--config",
        metavar="FILE",
        help="all of that, mode and settings too, as this config.toml says; it replaces the one "
        "that is there; -: standard input",
    )
    new = parser.add_argument_group("a new set-up, for uplinks that networkd doesn't manage yet")
    new.add_argument(
        "--address",
        metavar="[IF=]CIDR",
        action="append",
        default=[],
        help="a static address, such as eth0=192.168.1.252/24",
    )
    new.add_argument(
        "--gateway",
        metavar="[IF=]IP",
        action="append",
        default=[],
        help="the router, of one uplink or of every one that reaches it",
    )
    new.add_argument("--dns", metavar="[IF=]IP", action="append", default=[], help="a name server")
    new.add_argument(
        "--dhcp",
        metavar="IF",
        action="append",
        nargs="?",
        const="",
        default=[],
        help="ask DHCP; for one uplink, or for all without an --address",
    )
    parser.add_argument(
        "--mode",
        choices=MODES,
        default="",
        help="how to fail over (default: as before, else routes)",
    )
    parser.add_argument(
        "--interval",
        metavar="S",
        type=int,
        help=settings.named("check.interval").help,
    )
    hearing = parser.add_mutually_exclusive_group()
    hearing.add_argument(
        "--without-dispatcher",
        dest="dispatcher",
        action="store_false",
        default=None,
        help="no hooks of networkd-dispatcher: the watch's socket hears of events (mode routes)",
    )
    hearing.add_argument(
        "--with-dispatcher",
        dest="dispatcher",
        action="store_true",
        help="with them again (default: as before, else with them)",
    )


def resolve_names(args: argparse.Namespace) -> argparse.Namespace:
    """Return options with the kernel's names for interfaces named by an alternative one."""

    def named(text: str) -> str:
        name, equals, rest = text.partition("=")
        return f"{resolve_name(name)}={rest}" if equals and name else text

    known = dict(vars(args))
    for key in ("address", "gateway", "dns"):
        known[key] = [named(text) for text in known[key]]
    for key in ("backup", "uplink", "dhcp"):
        known[key] = [resolve_name(name) if name else name for name in known[key]]
    known["primary"] = resolve_name(args.primary) if args.primary else args.primary
    return argparse.Namespace(**known)


def parse(
    args: argparse.Namespace, present: tuple[str, ...] = (), ready_mode: str = ""
) -> InstallOptions:
    """Return what is asked for, ``present`` being the uplinks that there are. Raises Misuse.

    ``ready_mode`` is that of a ready config, beside which options say none.
    """
    if args.uplink and (args.primary or args.backup):
        raise Misuse("--uplink and --primary exclude each other", hint="use one of the two ways")
    if args.backup and not args.primary:
        raise Misuse("--backup without --primary", hint="name the most preferred uplink, too")
    uplinks = tuple(args.uplink or ([args.primary, *args.backup] if args.primary else []))
    for name in uplinks:
        if not is_interface_name(name):
            raise Misuse(f"not an interface name: {name!r}", hint="'ip link' lists them")
    if len(set(uplinks)) < len(uplinks):
        raise Misuse("the same uplink twice", hint="name each once, in order of preference")
    if len(uplinks) == 1:
        raise Misuse(f"{uplinks[0]} alone has nothing to fail over to", hint="add --backup IF")
    if args.interval is not None:
        try:
            settings.named("check.interval").kind.parse(args.interval)
        except ValueError as error:
            raise Misuse(f"--interval {args.interval}: {error}", hint="such as 5") from None
    mode = ready_mode or args.mode
    if mode == "bond":
        bond = _bond_address_config(args)
        named = _named(args)
        hearing = args.dispatcher
        return InstallOptions(uplinks, {}, args.interval, mode, bond, named, hearing)
    return InstallOptions(
        uplinks,
        _address_configs(args, uplinks or present),
        args.interval,
        mode,
        dispatcher=args.dispatcher,
    )


def refuse_beside_config(args: argparse.Namespace) -> None:
    """Refuse options for what a ready config says. Raises Misuse."""
    if args.config is None:
        return
    hearing = {None: None, False: "--without-dispatcher", True: "--with-dispatcher"}
    said = {
        "--uplink": args.uplink,
        "--primary": args.primary,
        "--backup": args.backup,
        "--mode": args.mode,
        "--interval": args.interval is not None,
        hearing[args.dispatcher]: args.dispatcher is not None,
    }
    for option, given in said.items():
        if given:
            raise Misuse(f"--config and {option} exclude each other", hint="say it in that file")


def _address_configs(
    args: argparse.Namespace, uplinks: tuple[str, ...]
) -> dict[str, AddressConfig]:
    """Return how uplinks are to be set up, by interface. Raises Misuse."""
    addresses = [_pair("--address", text, "IF=CIDR") for text in args.address]
    for name, text in addresses:
        _check("--address", text, ipaddress.ip_interface)
        if "/" not in text:
            raise Misuse(f"--address {name}={text}: no length", hint=f"such as {text}/24")
    gateways = [_either("--gateway", text) for text in args.gateway]
    servers = [_either("--dns", text) for text in args.dns]
    static = dict.fromkeys(name for name, _ in addresses)
    named = [name for name in args.dhcp if name]
    dynamic = named if "" not in args.dhcp else [n for n in uplinks if n not in static]
    if both := set(static) & set(dynamic):
        raise Misuse(f"{min(both)}: --address and --dhcp exclude each other", hint="leave one out")
    known = {*static, *dynamic, ""}
    for option, pairs in (("--gateway", gateways), ("--dns", servers)):
        for name, text in pairs:
            if name not in known:
                told = f"{option} {name}={text}: {name} has neither --address nor --dhcp"
                raise Misuse(told, hint=f"add --dhcp {name}, or --address {name}=IP/LENGTH")
    if (gateways or servers) and not (static or dynamic):
        raise Misuse("--gateway or --dns without --address", hint="add --address IF=CIDR")
    result = {}
    for name in (*static, *dynamic):
        if name not in uplinks:
            raise Misuse(f"{name} is no uplink", hint=_how_to_add(args, name, uplinks))
        own = tuple(text for owner, text in addresses if owner == name)
        result[name] = AddressConfig(
            own,
            tuple(
                text
                for owner, text in gateways
                if owner == name or (not owner and _reaches(own, text))
            ),
            tuple(text for owner, text in servers if owner in (name, "")),
            dhcp=name in dynamic,
        )
    return result


def _how_to_add(args: argparse.Namespace, name: str, uplinks: tuple[str, ...]) -> str:
    """Return what to do for an interface to be an uplink, too: the whole command if it is known."""
    if args.config is not None:
        return "name it in the config, as an [[uplink]]"
    if args.uplink or args.primary or not uplinks:
        return "name it with --primary or --backup"
    first, *others = uplinks
    words = ["sudo", "netfail-hooks", "install", "--primary", first]
    for other in (*others, name):
        words += ["--backup", other]
    for option in ("address", "gateway", "dns", "dhcp"):
        for text in getattr(args, option):
            words += [f"--{option}", *([text] if text else [])]
    return f"to add it: {shlex.join(words)}"


def _reaches(addresses: tuple[str, ...], gateway: str) -> bool:
    """Tell whether a gateway is on the subnet of one of the addresses."""
    ip = ipaddress.ip_address(gateway)
    return any(ip in ipaddress.ip_interface(address).network for address in addresses)


def _pair(option: str, text: str, form: str) -> tuple[str, str]:
    name, equals, rest = text.partition("=")
    if not equals or not is_interface_name(name):
        raise Misuse(f"{option} {text}: must be {form}", hint="see 'netfail-hooks install --help'")
    return name, rest


def _either(option: str, text: str) -> tuple[str, str]:
    name, rest = _pair(option, text, "IF=IP or IP") if "=" in text else ("", text)
    _check(option, rest, ipaddress.ip_address)
    return name, rest


def _check(option: str, text: str, kind: Callable[[str], object]) -> None:
    try:
        kind(text)
    except ValueError:
        raise Misuse(f"{option} {text}: not an address", hint=_SUCH[option]) from None


def _bond_address_config(args: argparse.Namespace) -> AddressConfig | None:
    """Return how the bond is to be set up, None as files say. Raises Misuse."""
    addresses = _all("--address", args.address)
    gateways = _all("--gateway", args.gateway)
    servers = _all("--dns", args.dns)
    if not (addresses or args.dhcp):
        if gateways or servers:
            raise Misuse("--gateway or --dns without --address", hint="add --address IP/LENGTH")
        return None
    if addresses and args.dhcp:
        raise Misuse("--address and --dhcp exclude each other", hint="a bond has one set-up")
    for text in addresses:
        if "/" not in text:
            raise Misuse(f"--address {text}: no length", hint=f"such as {text}/24")
    return AddressConfig(addresses, gateways, servers, dhcp=bool(args.dhcp))


def _named(args: argparse.Namespace) -> tuple[str, ...]:
    """Return the interfaces to which options give an address; only the bond can have one."""
    parts = (text.rpartition("=") for text in (*args.address, *args.gateway, *args.dns))
    return tuple(name for name, equals, _ in parts if equals)


def refuse_others(names: tuple[str, ...], bond: str) -> None:
    """Raise Misuse for a name that is not the bond's."""
    for name in names:
        if name != bond:
            raise Misuse(
                f"in a bond {name} has no address of its own",
                hint=f"leave the name out, or say {bond}=",
            )


def _all(option: str, texts: list[str]) -> tuple[str, ...]:
    addresses = []
    for text in texts:
        name, equals, rest = text.rpartition("=")
        if equals and not name:
            raise Misuse(f"{option} {text}: no name before the =", hint=f"{option} {rest}")
        try:
            ipaddress.ip_interface(rest)
        except ValueError:
            raise Misuse(f"{option} {text}: not an address", hint=_SUCH[option]) from None
        addresses.append(rest)
    return tuple(addresses)
