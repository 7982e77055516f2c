"""The uplinks' ``.network`` files: which NICs are meant, and what each file is to say."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping

from netfail_hooks.config import Config
from netfail_hooks.errors import Misuse
from netfail_hooks.install.options import Setup
from netfail_hooks.networkd import file as networkfile
from netfail_hooks.networkd import match, takeover
from netfail_hooks.networkd.leads_out import leads_out
from netfail_hooks.networkd.match import Nic, Source
from netfail_hooks.networkd.sharing import share
from netfail_hooks.paths import Paths

_HERE = Paths()
_KINDS = ("ether", "wlan")  # wired ones are preferred


def networks(
    paths: Paths, config: Config, setups: Mapping[str, Setup]
) -> tuple[dict[str, str], list[str]]:
    """Return our ``.network`` files by path, in rank order, and what is to be told.

    Raises Misuse for an uplink of which nobody says how it is to be set up.
    """
    texts, places, notes = {}, {}, []
    for uplink in config.uplinks:
        name = uplink.interface
        nic = match.read_nic(name, paths.at("/sys"))
        source = _source(paths, nic)
        wish = _wish(setups[name]) if name in setups else None
        if source and not wish:
            texts[name] = takeover.take_over(nic, source, uplink.metric)
        else:
            wish = wish or _earlier_wish(paths, nic)
            texts[name] = takeover.write_new(nic, wish, uplink.metric)
        place = takeover.file_name(nic, os.path.basename(source.path) if source else "")
        places[name] = f"{_HERE.network}/{place}"
        if not os.path.isdir(paths.at(f"/sys/class/net/{name}")):
            notes.append(f"there is no {name} now; it takes its place once it is plugged in")
        if not leads_out(networkfile.parse(texts[name])):
            notes.append(_no_way_out(name, source.path if source and not wish else ""))
    shared = share(texts)
    return {places[name]: text for name, text in shared.items()}, notes


def _no_way_out(name: str, path: str) -> str:
    """Return what to add so that an uplink can carry traffic at all."""
    how = "add --gateway IP" if not path else (
        f"add the line Gateway=IP to [Network] in {path}, then run 'netfail-hooks install' again")
    return f"{name} is given neither a gateway nor DHCP, so nothing can fail over to it: {how}"


def _earlier_wish(paths: Paths, nic: Nic) -> takeover.Static | takeover.Dhcp:
    """Return how an earlier install was asked to set a NIC up. Raises Misuse for none."""
    ours = match.effective(paths, nic)
    if ours is None or not takeover.is_ours(ours.text):
        raise Misuse(
            f"no .network file says how {nic.name} is to be set up",
            hint=f"add --dhcp {nic.name}, or --address {nic.name}=IP/LENGTH and --gateway IP",
        )
    return takeover.wish_of(ours.text)


def detect(paths: Paths) -> tuple[str, ...]:
    """Return the uplinks of a machine whose config nobody has written. Raises Misuse.

    The physical NICs that networkd is told to set up, wired ones first, each kind by name.
    """
    directory = paths.at("/sys/class/net")
    names = sorted(os.listdir(directory)) if os.path.isdir(directory) else []
    nics = [match.read_nic(name, paths.at("/sys")) for name in names]
    found = [
        nic.name
        for kind in _KINDS
        for nic in nics
        if nic.kind == kind and _is_physical(directory, nic) and _source(paths, nic)
    ]
    if len(found) < 2:
        told = f"only {found[0]} is" if found else "no NIC is"
        raise Misuse(
            f"{told} set up by a .network file, and failover takes two",
            hint="name them with --primary IF --backup IF; 'networkctl' lists them",
        )
    return tuple(found)


def _is_physical(directory: str, nic: Nic) -> bool:
    """Tell whether there is a device behind it (sysfs: ABI/testing/sysfs-class-net)."""
    return os.path.exists(f"{directory}/{nic.name}/device")


def _source(paths: Paths, nic: Nic) -> Source | None:
    """Return the file that networkd would use if we were not here."""
    return match.effective(paths, nic, ignore=takeover.is_ours)


def _wish(setup: Setup) -> takeover.Static | takeover.Dhcp:
    if setup.dhcp:
        return takeover.Dhcp(setup.dns)
    return takeover.Static(setup.addresses, setup.gateways, setup.dns)


def refuse_foreign_managers(paths: Paths, names: tuple[str, ...]) -> None:
    """Refuse uplinks that NetworkManager has on the running machine. Raises Misuse."""
    for name in () if paths.root else networkmanager_has():
        if name in names:
            raise Misuse(
                f"NetworkManager has {name}, and only one can",
                hint=f"nmcli device set {name} managed no, or uninstall NetworkManager",
            )


def networkmanager_has() -> tuple[str, ...]:
    """Return the interfaces that NetworkManager sets up, none where it isn't there."""
    try:
        done = subprocess.run(
            ["nmcli", "--terse", "--fields", "DEVICE,STATE", "device"], capture_output=True,
            check=False, encoding="utf-8", errors="replace", timeout=10,
            env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = (line.rpartition(":")[::2] for line in done.stdout.splitlines())
    # nmcli(1); "connected (externally)" is somebody else's doing, ours included.
    idle = ("unmanaged", "connected (externally)")
    return tuple(name for name, state in found if not state.startswith(idle))
