"""The files of a bond: its ``.netdev``, its own ``.network``, and one for each slave.

The bond takes over the addresses of a file for it, else those of the first uplink that has a
set-up; the slaves' own go (systemd.netdev(5), systemd.network(5)).
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
from collections.abc import Iterator

from netfail_hooks.config import Bond, Config
from netfail_hooks.errors import Misuse
from netfail_hooks.networkd import match, takeover
from netfail_hooks.networkd.file import Section, parse, settings
from netfail_hooks.networkd.nic import Nic, read_nic
from netfail_hooks.networkd.takeover import AddressConfig
from netfail_hooks.paths import Paths
from netfail_hooks.values import replace

_HERE = Paths()
_METRIC = 100
_TOLD = "# netfail-hooks: as 'netfail-hooks install' was asked; run it again for a change\n"


def bond_files(
    paths: Paths, config: Config, wanted: AddressConfig | None
) -> tuple[dict[str, str], list[str]]:
    """Return our files by path, the bond's device first, and messages. Raises Misuse."""
    bond = config.bond
    messages = _faults(paths, config)
    text, own = _network(paths, config, wanted)
    targets = _targets(bond, text)
    netdev = match.netdev(paths, bond.name, ignore=takeover.is_ours)
    device = os.path.basename(netdev.path) if netdev else ""
    first = takeover.name_ahead(f"netfail-{bond.name}.netdev", device)
    files = {
        f"{_HERE.network}/{first}": netdev_text(replace(bond, targets=targets)),
        f"{_HERE.network}/{takeover.file_name(Nic(bond.name), own)}": text,
    }
    for rank, name in enumerate(config.names()):
        theirs = takeover.users_file(paths, _nic(paths, name))
        place = takeover.file_name(Nic(name), os.path.basename(theirs.path) if theirs else "")
        files[f"{_HERE.network}/{place}"] = slave_text(name, bond.name, primary=rank == 0)
    if not targets:
        messages.append(
            "no gateway is named: until DHCP or a router tells one, the bond sees a pulled cable, "
            "and no dead router (MII); then the hook sets the ARP monitor"
        )
    return files, messages


def netdev_text(bond: Bond) -> str:
    """Return the ``.netdev``; only a hook can tell the kernel of IPv6 targets (ns_ip6_target).

    ``FailOverMACPolicy=active``: a Wi-Fi NIC can't take another hardware address on while it is
    associated, so the bond takes the slave's.
    """
    targets = [address for address in bond.targets if ":" not in address]
    lines = [
        "[NetDev]",
        f"Name={bond.name}",
        "Kind=bond",
        "",
        "[Bond]",
        "Mode=active-backup",
        f"PrimaryReselectPolicy={bond.reselect}",
        "FailOverMACPolicy=active",
    ]
    if targets:
        lines += [
            f"ARPIntervalSec={bond.arp_interval}ms",
            f"ARPIPTargets={' '.join(targets)}",
            "ARPValidate=all",
            "ARPAllTargets=any",
        ]
    else:
        lines.append(f"MIIMonitorSec={bond.arp_interval}ms")
    return "\n".join([_TOLD, *lines, ""])


def slave_text(name: str, bond: str, *, primary: bool) -> str:
    """Return a slave's ``.network``. Only the bond is waited for at boot (RequiredForOnline=)."""
    lines = [
        "[Match]",
        f"Name={name}",
        "",
        "[Link]",
        "RequiredForOnline=no",
        "",
        "[Network]",
        f"Bond={bond}",
    ]
    if primary:
        lines.append("PrimarySlave=yes")
    lines += ["LinkLocalAddressing=no", "IPv6AcceptRA=no"]
    return "\n".join([_TOLD, *lines, ""])


def _network(paths: Paths, config: Config, wanted: AddressConfig | None) -> tuple[str, str]:
    """Return the bond's ``.network`` and the name of the user's own file for it, "" for none."""
    nic = takeover.bond_nic(config)
    theirs = takeover.users_file(paths, nic)
    own = os.path.basename(theirs.path) if theirs else ""
    if wanted:
        return takeover.write_new(nic, wanted, _METRIC), own
    if theirs:
        return takeover.take_over(nic, theirs, _METRIC, paths=paths), own
    ours = match.effective(paths, nic)
    if ours and takeover.was_asked(ours.text):
        return takeover.write_new(nic, takeover.address_config(ours.text), _METRIC), own
    source = takeover.slaves_file(paths, config)
    if source:
        return takeover.take_over(nic, source, _METRIC, paths=paths), own
    for name in config.names():  # an earlier install in the other mode, of NICs without files
        earlier = match.effective(paths, _nic(paths, name))
        if earlier and takeover.was_asked(earlier.text) and "Bond=" not in earlier.text:
            return takeover.write_new(nic, takeover.address_config(earlier.text), _METRIC), own
    raise Misuse(
        f"no .network file says how {config.bond.name} is to be set up",
        hint="add --dhcp, or --address IP/LENGTH and --gateway IP",
    )


def _nic(paths: Paths, name: str) -> Nic:
    return read_nic(name, paths)


def _targets(bond: Bond, text: str) -> tuple[str, ...]:
    """Return what the monitor is to ask: what the config says, else the gateways in the file."""
    if bond.targets:
        return bond.targets
    gateways = []
    for section in parse(text):
        if section.name == "Route" and section.leads_everywhere():
            with contextlib.suppress(ValueError):
                gateway = ipaddress.ip_address(section.get("Gateway"))
                gateways += [] if gateway.is_unspecified else [str(gateway)]
    return tuple(dict.fromkeys(gateways))


def _faults(paths: Paths, config: Config) -> list[str]:
    """Name what is wrong in a bond that the user's files make, part by part."""
    netdev = match.netdev(paths, config.bond.name, ignore=takeover.is_ours)
    if netdev is None:
        return []
    faults = [*_wrong_settings(list(netdev.sections)), *_wrong_slaves(paths, config)]
    return [f"{netdev.path}: {fault}; ours is read in its stead" for fault in faults]


def _wrong_settings(sections: list[Section]) -> Iterator[str]:
    def last(key: str) -> str:
        return next(iter(reversed(settings(sections, "Bond", key))), "")

    mode = last("Mode")
    if mode != "active-backup":
        said = f"Mode={mode}" if mode else "no Mode=, so it is balance-rr"
        yield f"{said}: wired and Wi-Fi take active-backup"
    if last("FailOverMACPolicy") != "active":
        yield (
            "no FailOverMACPolicy=active: a Wi-Fi NIC can't take the other one's hardware "
            "address on while it is associated"
        )
    if not (last("ARPIntervalSec") and last("ARPIPTargets")):
        observed = (
            "MIIMonitorSec= sees a cable pulled" if last("MIIMonitorSec") else "it sees nothing"
        )
        yield f"no ARP monitor: {observed}, no dead gateway"
    if not last("PrimaryReselectPolicy"):
        yield "no PrimaryReselectPolicy="


def _wrong_slaves(paths: Paths, config: Config) -> Iterator[str]:
    first = config.names()[0]
    source = takeover.users_file(paths, _nic(paths, first))
    if source and not settings(source.sections, "Network", "PrimarySlave"):
        yield f"{source.path} makes {first} no primary (PrimarySlave=yes)"
