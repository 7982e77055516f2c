"""The uplinks' ``.network`` files: for which NIC each is, and what it says."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence

from netfail_hooks.config import Config, Uplink
from netfail_hooks.errors import Misuse
from netfail_hooks.managers import Profile, identifiers, sources
from netfail_hooks.networkd import file as networkfile
from netfail_hooks.networkd import match, netplan, networkctl, ranking, takeover
from netfail_hooks.networkd.detect import interfaces_here
from netfail_hooks.networkd.file import has_default_route, withheld_by, without_gateway
from netfail_hooks.networkd.match import Source
from netfail_hooks.networkd.name_servers import lend
from netfail_hooks.networkd.nic import Nic, read_nic
from netfail_hooks.networkd.sharing import share
from netfail_hooks.networkd.takeover import AddressConfig
from netfail_hooks.paths import Paths

_HERE = Paths()
_NOBODYS: Mapping[str, Profile] = {}


def networks(
    paths: Paths,
    config: Config,
    address_configs: Mapping[str, AddressConfig],
    profiles: Mapping[str, Profile] = _NOBODYS,
) -> tuple[dict[str, str], list[str]]:
    """Return our ``.network`` files by path, in rank order, and messages.

    ``profiles`` are how other managers set uplinks up that are to be taken over from them.
    Raises Misuse for an uplink of which nobody says how it is to be set up.
    """
    texts, places, messages = {}, {}, []
    timed = config.watched and networkctl.version() >= takeover.TIMED_SINCE
    for uplink in config.uplinks:
        name = uplink.interface
        nic = read_nic(name, paths)
        wanted = address_configs.get(name)
        profile = profiles.get(name)
        kept = profile.identifiers if profile else ()
        messages += [f"{name}: {told}" for told in _told(profile)]
        if wanted or not (profile and profile.sections):
            profile = None  # it says nothing of addresses that counts
        source = sources.as_source(profile) if profile else _source(paths, nic)
        if source and not wanted:
            texts[name] = takeover.take_over(nic, source, uplink.metric, timed=timed, paths=paths)
        else:
            wanted = wanted or _earlier_address_config(paths, config, nic)
            texts[name] = takeover.write_new(nic, wanted, uplink.metric, timed=timed)
        if kept:
            whole = identifiers.with_identifiers(networkfile.parse(texts[name]), kept)
            texts[name] = networkfile.render(whole)
        ahead = os.path.basename(source.path) if source and not profile else ""
        place = takeover.file_name(nic, ahead)
        places[name] = f"{_HERE.network}/{place}"
        sections = networkfile.parse(texts[name])
        path = netplan.told(paths, source.path) if source and not wanted else ""
        messages += [f"{name} {told} ({path})" for told in networkfile.kept_down_by(sections)]
        if not has_default_route(sections):
            messages.append(_no_way_out(name, path, withheld_by(sections)))
        elif config.interval:
            near = without_gateway(sections)
            messages += [
                _unasked(name, family) for family in sorted(near) if not _asks(uplink, family)
            ]
    _refuse_overlap(config, texts)
    shared = share(texts) if config.follow_addresses else texts
    return {places[name]: text for name, text in lend(shared).items()}, messages


def _source(paths: Paths, nic: Nic) -> Source | None:
    return takeover.users_file(paths, nic) or _earlier_source(paths, nic)


def _told(profile: Profile | None) -> tuple[str, ...]:
    """Return what a person is to know of an uplink that another manager had."""
    if profile is None:
        return ()
    lost = [f"{key}={setting} is not carried over" for key, setting in profile.link]
    return (*profile.messages, *lost)


def _refuse_overlap(config: Config, texts: Mapping[str, str]) -> None:
    """Refuse metrics that leave no room for all gateways of an uplink. Raises Misuse."""
    known = {uplink.interface: uplink.metric for uplink in config.uplinks}
    for name, metric in known.items():
        own = ranking.default_metrics(networkfile.parse(texts[name]))
        for other, least in known.items():
            if other != name and metric < least <= max(own, default=0):
                raise Misuse(
                    f"{name} has {len(own)} default routes with metrics from {metric} to "
                    f"{max(own)}, and {other} metric {least}",
                    hint=f"give {other} a greater metric in {_HERE.config}",
                )


def _no_way_out(name: str, path: str, withheld: str) -> str:
    """Return what to add so that an uplink can carry traffic at all."""
    if withheld:
        # Routes that the server lists make its router of no account (RFC 3442), so also
        # UseGateway= (systemd.network(5)); nobody knows beforehand what it lists.
        but = " but for one that its server lists" if withheld.startswith("UseGateway") else ""
        return (
            f"{name} asks DHCP, but {withheld} in {path} leaves it without a default route{but}, "
            "so nothing can fail over to it: take that out, then run 'sudo netfail-hooks install' "
            "again"
        )
    how = (
        "add --gateway IP"
        if not path
        else (
            f"add the line Gateway=IP to [Network] in {path}, "
            "then run 'sudo netfail-hooks install' again"
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


def _earlier_source(paths: Paths, nic: Nic) -> Source | None:
    """Return the file that ours for an absent NIC was made of; None where there is none any more.

    Its alternative names are known while it is there alone, so that no file seems to fit.
    """
    ours = None if nic.present else match.effective(paths, nic)
    made_of = takeover.of_whom(ours.text) if ours else ""
    return next((one for one in match.sources(paths) if one.path == made_of), None)


def _absent(name: str, there: Sequence[str]) -> Misuse:
    """Return what to say of an interface that is not there, and that no file is for."""
    near = difflib.get_close_matches(name, there, n=1)
    meant = f"Did you mean {near[0]}? " if near else ""
    return Misuse(
        f"there is no interface {name}",
        hint=f"{_are_here(there)}. {meant}For one that is plugged in later say how it is to be set "
        f"up: --dhcp {name}",
    )


def _are_here(names: Sequence[str]) -> str:
    """Return which interfaces there are: "here are eth0, eth1 and wlan0"."""
    *first, last = names or ["none at all"]
    if not first:
        return f"here is {last}"
    return f"here are {', '.join(first)} and {last}"


def _earlier_address_config(paths: Paths, config: Config, nic: Nic) -> AddressConfig:
    """Return how an earlier install was told to set a NIC up. Raises Misuse for none.

    A file of ours in place of a user's is none: what it has beside addresses would be lost.
    """
    ours = match.effective(paths, nic)
    text = ours.text if ours else ""
    static = f"--address {nic.name}=IP/LENGTH and --gateway IP"
    if ours and takeover.of_whom(text):
        first, *others = config.names()
        ranks = " ".join([f"--primary {first}", *(f"--backup {name}" for name in others)])
        raise Misuse(
            f"{takeover.of_whom(text)} is gone, of which {ours.path} was made",
            hint=f"put it back, or install with {ranks} --dhcp {nic.name}, or {static}",
        )
    if not takeover.was_asked(text) or networkfile.last(networkfile.parse(text), "Bond"):
        if not (nic.present or paths.root):  # mistyped: to be told how to set it up leads astray
            raise _absent(nic.name, interfaces_here(paths))
        raise Misuse(
            f"no .network file says how {nic.name} is to be set up",
            hint=f"add --dhcp {nic.name}, or {static}",
        )
    return takeover.address_config(text)
