"""What ``doctor`` finds of our own files: which are gone, edited, or made for another config."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence

from netfail_hooks.config import Config
from netfail_hooks.doctor.facts import CHANGED, MISSING, NEW, STALE, OwnFile, Place
from netfail_hooks.errors import Problem
from netfail_hooks.files import read_text
from netfail_hooks.install import manifest, nodes, units
from netfail_hooks.install.handover import resolving
from netfail_hooks.install.layout import layout
from netfail_hooks.install.manifest import Manifest
from netfail_hooks.install.networks.bond import bond_files
from netfail_hooks.managers import ifupdown_release
from netfail_hooks.networkd import file as networkfile
from netfail_hooks.networkd import takeover
from netfail_hooks.networkd.takeover import STARTS
from netfail_hooks.paths import Paths

_HERE = Paths()
_NETDEV = ".netdev"
_HANDOVER = (
    "/etc/NetworkManager/conf.d/",
    ifupdown_release.EXCLUDED,
    "/etc/wpa_supplicant/",
    "/etc/systemd/networkd.conf.d/",
    f"{units.UNITS}/",
    resolving.RESOLV_CONF,
    resolving.OURS,
)
_NETWORK = re.compile(r"\d+--?netfail-(.+)\.(?:network|netdev)")


def own_files(
    paths: Paths, config: Config, hooks: Sequence[Place], unknown: list[str]
) -> tuple[tuple[OwnFile, ...], bool]:
    """Return which files of ours are not as they should be, and whether the manifest was read."""
    known = _manifest(paths, unknown)
    try:
        wanted = [*layout(config, "", {}), *_networks(paths, config, known)]
        wanted += [path for path in _handover(known) if path not in wanted]
    except Problem as problem:
        unknown.append(str(problem))
        return (), False
    stale = tuple(_stale(paths, config, known, wanted))
    skipped = {place.path for place in hooks if not place.serves}  # a rule of its own says so
    odd = {}
    for path in wanted:
        if not os.path.lexists(paths.at(path)):
            # The manifest keeps what was made for a mode that the machine has left since.
            made = not stale and (known is None or known.entry(path) is not None)
            odd[path] = MISSING if made else NEW
        elif known and path not in {_HERE.config, *skipped} and _is_changed(paths, known, path):
            odd[path] = CHANGED
    odd |= {path: STALE for path in stale if path not in odd}
    return tuple(OwnFile(path, state) for path, state in odd.items()), known is not None


def _manifest(paths: Paths, unknown: list[str]) -> Manifest | None:
    try:
        return manifest.load(paths)
    except Problem as problem:
        refused = not os.access(paths.manifest, os.R_OK)
        as_root = f"which files were changed since install ({paths.manifest}): use sudo"
        unknown.append(as_root if refused else str(problem))
        return None


def _handover(known: Manifest | None) -> Iterator[str]:
    """Yield what took uplinks over from another manager, as noted when it did."""
    for entry in known.entries if known and known.handed else ():
        ours = f"{units.UNITS}/netfail-hooks-"
        if entry.path.startswith(_HANDOVER) and not entry.path.startswith(ours):
            yield entry.path


def _networks(paths: Paths, config: Config, known: Manifest | None) -> Iterator[str]:
    """Yield our ``.network`` files, and a bond's device, by the names they have or would have."""
    bond = (config.bond.name,) if config.mode == "bond" else ()
    wanted = [f"netfail-{name}.network" for name in (*bond, *config.names())]
    wanted += [f"netfail-{name}{_NETDEV}" for name in bond]
    noted = [os.path.basename(entry.path) for entry in known.entries] if known else []
    with contextlib.suppress(OSError):
        there = [*sorted(os.listdir(paths.network)), *noted]
        for name in wanted:
            own = (file for file in there if file in [f"{start}-{name}" for start in STARTS])
            yield f"{_HERE.network}/{next(own, f'10-{name}')}"


def _is_changed(paths: Paths, known: Manifest, path: str) -> bool:
    entry = known.entry(path)
    try:
        node = nodes.read(paths.at(path))
    except OSError:
        return True  # a device, say
    return bool(entry and node and node.kind != nodes.DIRECTORY and not entry.is_ours(node))


def _stale(
    paths: Paths, config: Config, known: Manifest | None, wanted: list[str]
) -> Iterator[str]:
    """Yield what install made for another mode, bond or uplink than the config has now."""
    bond = [config.bond.name] if config.mode == "bond" else []
    there: list[str] = []
    with contextlib.suppress(OSError):
        there = sorted(os.listdir(paths.network))
    for name in there:
        named, path = _NETWORK.fullmatch(name), f"{_HERE.network}/{name}"
        text = read_text(paths.at(path)) if named else ""
        if not named or not takeover.is_ours(text):
            continue
        if known and (known.entry(path) is None or _is_changed(paths, known, path)):
            continue  # install leaves that alone, too
        slave_of = networkfile.settings(networkfile.parse(text), "Network", "Bond")
        if path not in wanted or (named[1] in config.names() and slave_of != bond):
            yield path
    yield from _other_netdev(paths, config)


def _other_netdev(paths: Paths, config: Config) -> Iterator[str]:
    """Yield the bond's device file if install would write another: it makes the bond again then."""
    if config.mode != "bond":
        return
    with contextlib.suppress(Problem):
        for path, text in bond_files(paths, config, None)[0].items():
            there = read_text(paths.at(path))
            if path.endswith(_NETDEV) and there and there != text:
                yield path
