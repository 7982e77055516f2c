"""The uplinks' ``.network`` files: for which NIC each is, and what it says."""

from __future__ import annotations

import os
from collections.abc import Mapping

from netfail_hooks.config import Config, Uplink
from netfail_hooks.errors import Misuse
from netfail_hooks.networkd import file as networkfile
from netfail_hooks.networkd import match, takeover
from netfail_hooks.networkd.file import has_default_route, without_gateway
from netfail_hooks.networkd.name_servers import lend
from netfail_hooks.networkd.nic import Nic, read_nic
from netfail_hooks.networkd.sharing import share
from netfail_hooks.networkd.takeover import AddressConfig
from netfail_hooks.paths import Paths

_HERE = Paths()


def networks(
    paths: Paths, config: Config, address_configs: Mapping[str, AddressConfig]
) -> tuple[dict[str, str], list[str]]:
    """Return our ``.network`` files by path, in rank order, and messages.

    Raises Misuse for an uplink of which nobody says how it is to be set up.
    """
    texts, places, messages = {}, {}, []
    for uplink in config.uplinks:
        name = uplink.interface
        nic = read_nic(name, paths)
        source = takeover.users_file(paths, nic)
        wanted = address_configs.get(name)
        if source and not wanted:
            texts[name] = takeover.take_over(nic, source, uplink.metric)
        else:
            wanted = wanted or _earlier_address_config(paths, nic)
            texts[name] = takeover.write_new(nic, wanted, uplink.metric)
        place = takeover.file_name(nic, os.path.basename(source.path) if source else "")
        places[name] = f"{_HERE.network}/{place}"
        if not os.path.isdir(paths.at(f"/sys/class/net/{name}")):
            messages.append(f"there is no {name} now; it takes its place once it is plugged in")
        if not has_default_route(networkfile.parse(texts[name])):
            messages.append(_no_way_out(name, source.path if source and not wanted else ""))
        elif config.interval:
            near = without_gateway(networkfile.parse(texts[name]))
            messages += [
                _unasked(name, family) for family in sorted(near) if not _asks(uplink, family)
            ]
    shared = share(texts) if config.follow_addresses else texts
    return {places[name]: text for name, text in lend(shared).items()}, messages


def _no_way_out(name: str, path: str) -> str:
    """Return what to add so that an uplink can carry traffic at all."""
    how = (
        "add --gateway IP"
        if not path
        else (
            f"add the line Gateway=IP to [Network] in {path}, "
            "then run 'netfail-hooks install' again"
        )
    )
    return f"{name} is given neither a gateway nor DHCP, so nothing can fail over to it: {how}"


def _asks(uplink: Uplink, family: int) -> bool:
    """Tell whether an uplink without a gateway is asked all the same, or nothing is meant to be."""
    return not uplink.probed or any(target.family == family for target in uplink.targets)


def _unasked(name: str, family: int) -> str:
    """Return what to add so that an uplink is known to work by more than its carrier."""
    return (
        f"{name} has no gateway in IPv{family}, so rounds of probes have nothing to ask of it: "
        f"name targets beyond it in {_HERE.config}"
    )


def _earlier_address_config(paths: Paths, nic: Nic) -> AddressConfig:
    """Return how an earlier install was told to set a NIC up. Raises Misuse for none."""
    ours = match.effective(paths, nic)
    if ours is None or not takeover.is_ours(ours.text):
        raise Misuse(
            f"no .network file says how {nic.name} is to be set up",
            hint=f"add --dhcp {nic.name}, or --address {nic.name}=IP/LENGTH and --gateway IP",
        )
    return takeover.address_config(ours.text)
