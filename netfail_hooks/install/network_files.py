"""The uplinks' ``.network`` files: which NICs are meant, and what each file is to say."""

from __future__ import annotations

import os
from collections.abc import Mapping

from netfail_hooks.config import Config, Uplink
from netfail_hooks.errors import Misuse
from netfail_hooks.install.options import AddressConfig
from netfail_hooks.networkd import file as networkfile
from netfail_hooks.networkd import match, takeover
from netfail_hooks.networkd.detect import _source
from netfail_hooks.networkd.file import has_default_route, without_gateway
from netfail_hooks.networkd.match import Nic
from netfail_hooks.networkd.sharing import share
from netfail_hooks.paths import Paths

_HERE = Paths()


def networks(
    paths: Paths, config: Config, setups: Mapping[str, AddressConfig]
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
        if not has_default_route(networkfile.parse(texts[name])):
            notes.append(_no_way_out(name, source.path if source and not wish else ""))
        elif config.interval:
            near = without_gateway(networkfile.parse(texts[name]))
            notes += [_unasked(name, one) for one in sorted(near) if not _asks(uplink, one)]
    shared = share(texts)
    return {places[name]: text for name, text in shared.items()}, notes


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
    return not uplink.probed or any(one.family == family for one in uplink.targets)


def _unasked(name: str, family: int) -> str:
    """Return what to add so that an uplink is known to work by more than its carrier."""
    return (
        f"{name} has no gateway in IPv{family}, so rounds of probes have nothing to ask of it: "
        f"name targets beyond it in {_HERE.config}"
    )


def _earlier_wish(paths: Paths, nic: Nic) -> takeover.Static | takeover.Dhcp:
    """Return how an earlier install was asked to set a NIC up. Raises Misuse for none."""
    ours = match.effective(paths, nic)
    if ours is None or not takeover.is_ours(ours.text):
        raise Misuse(
            f"no .network file says how {nic.name} is to be set up",
            hint=f"add --dhcp {nic.name}, or --address {nic.name}=IP/LENGTH and --gateway IP",
        )
    return takeover.wish_of(ours.text)


def _wish(setup: AddressConfig) -> takeover.Static | takeover.Dhcp:
    if setup.dhcp:
        return takeover.Dhcp(setup.dns)
    return takeover.Static(setup.addresses, setup.gateways, setup.dns)
