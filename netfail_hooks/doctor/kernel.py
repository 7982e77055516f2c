"""What ``doctor`` reads of the kernel: links and routes, bonds, settings, its release."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator, Sequence

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.doctor.facts import BondSeen, Kernel
from netfail_hooks.files import read_text
from netfail_hooks.kernel import lookup
from netfail_hooks.kernel.multipath import with_endpoints
from netfail_hooks.kernel.netlink import Netlink
from netfail_hooks.kernel.observe import observe
from netfail_hooks.names import FAMILIES
from netfail_hooks.networkd.nic import read_nic
from netfail_hooks.networkd.stacked import master_of
from netfail_hooks.paths import Paths
from netfail_hooks.policy import bounded
from netfail_hooks.policy.facts import Observation
from netfail_hooks.policy.state import State
from netfail_hooks.status import ruled

_SETTLES = 60  # seconds; routers are asked three times, 4 s apart (RFC 4861, section 10)
_RELEASE = re.compile(r"(\d+)\.(\d+)")


def gather(
    paths: Paths, config: Config | None, names: tuple[str, ...], unknown: list[str]
) -> Kernel:
    """Return what the kernel shows of the uplinks ``names``, configured or not."""
    release = _RELEASE.match(os.uname().release)
    known = config or Config(uplinks=default_metrics(names))
    observed, elsewhere, unreached = _observe(known, unknown)
    return Kernel(
        observed=observed,
        ruled=elsewhere,
        unreached=unreached,
        release=(int(release[1]), int(release[2])) if release else (0, 0),
        bonds=bonds(paths),
        wireless=tuple(n for n in names if read_nic(n, paths).wireless),
        arp_ignore=arp_ignore(paths, names),
        settled=tuple(settled(paths, observed)) if observed else (),
        masters=tuple((n, master) for n in names if (master := master_of(paths, n))),
        multipath=multipath(paths) if known.multipath_tcp else "",
    )


def _observe(
    config: Config, unknown: list[str]
) -> tuple[Observation | None, tuple[ruled.Ruled, ...], tuple[str, ...]]:
    """Return what the kernel shows, which addresses policy rules send another way, and others'.

    The last are those to which it finds no way though an uplink has a default route.
    """
    try:
        with Netlink() as netlink:
            observed = bounded(observe(config, netlink), State())
            if config.multipath_tcp:
                observed = with_endpoints(observed)
            answers = {
                family: lookup.look_up(netlink, family, lookup.destination(config, family))
                for family in FAMILIES
            }
            used = [answer for answer in answers.values() if answer]
            unreached = [
                lookup.destination(config, family)
                for family in FAMILIES
                if observed.in_use(family) and not answers[family]
            ]
            return observed, ruled.look(config, observed, netlink, used), tuple(unreached)
    except OSError as error:
        unknown.append(f"links and routes: {error}")
        return None, (), ()


def settled(paths: Paths, observed: Observation) -> Iterator[str]:
    """Yield the uplinks of which networkd has noted no change for a while, nor since the boot.

    It writes a link's file with each (``/run/systemd/netif/links``): carrier, address, lease.
    """
    for link in observed.links:
        with contextlib.suppress(OSError):
            noted = os.stat(paths.at(f"/run/systemd/netif/links/{link.index}")).st_mtime
            if min(time.time() - noted, observed.now / 1000) >= _SETTLES:
                yield link.name


def multipath(paths: Paths) -> str:
    """Return why the kernel has no Multipath TCP for us, "" where it has (mptcp-sysctl.rst)."""
    top = paths.at("/proc/sys/net/mptcp")
    enabled, manager = (read_text(f"{top}/{key}").strip() for key in ("enabled", "pm_type"))
    if not enabled:
        return "the kernel has no Multipath TCP (CONFIG_MPTCP)"
    if enabled == "0":
        return "net.mptcp.enabled is 0: the kernel lets nobody use Multipath TCP"
    # 1: endpoints count for nothing, a program such as mptcpd makes the subflows
    return "net.mptcp.pm_type is 1: another program makes the subflows" if manager == "1" else ""


def bonds(paths: Paths) -> tuple[BondSeen, ...]:
    """Return all bonds of the machine (ABI/testing/sysfs-class-net, bonding.rst)."""
    top = paths.at("/sys/class/net")
    names = sorted(os.listdir(top)) if os.path.isdir(top) else []
    directories = {name: f"{top}/{name}/bonding" for name in names}
    return tuple(_bond(name, path) for name, path in directories.items() if os.path.isdir(path))


def _bond(name: str, directory: str) -> BondSeen:
    def words(key: str) -> list[str]:
        return read_text(f"{directory}/{key}").split()

    return BondSeen(
        name=name,
        mode="".join(words("mode")[:1]),  # "active-backup 1"
        fail_over_mac="".join(words("fail_over_mac")[:1]),
        arp_interval=int("".join(words("arp_interval")) or 0),
        targets=tuple(words("arp_ip_target")),
        slaves=tuple(words("slaves")),
    )


def arp_ignore(paths: Paths, names: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """Return for each uplink the greater of its own setting and all's, which counts."""
    settings = []
    for name in names:
        keys = [f"ipv4/conf/{conf}/arp_ignore" for conf in ("all", name)]
        texts = [(key, read_text(paths.at(f"/proc/sys/net/{key}")).strip()) for key in keys]
        numbers = [(key, int(text)) for key, text in texts if text.isdigit()]
        if numbers:
            settings.append(max(numbers, key=lambda setting: setting[1]))
    return tuple(settings)
