"""Have networkd forget an uplink's static addresses, so that it adds them as its file says.

networkd 252 gives an address that the uplink already has its remembered metric again, on
``reload`` and ``reconfigure`` alike, not the file's ``RouteMetric=``; the connected route would
keep the rank that it had. An address that is gone from the kernel is added afresh.
"""

from __future__ import annotations

import errno
import json
import subprocess
import time
from typing import Any

from netfail_hooks.config import Config
from netfail_hooks.kernel import netlink as rt
from netfail_hooks.kernel.apply import address_body
from netfail_hooks.kernel.observe import observe
from netfail_hooks.policy.facts import FOREVER, Address

_PATIENCE = 2.0  # seconds; networkd needs a few milliseconds
_STEP = 0.02


def forget_static(config: Config, interface: str) -> None:
    """Remove an uplink's static addresses; return once networkd has noticed. Raises OSError."""
    with rt.Netlink() as netlink:
        seen = observe(config, netlink)
        link = seen.link(interface)
        gone = [one for one in seen.addresses if _is_static(one, interface)]
        for one in gone if link else ():
            _remove(netlink, one, link.index if link else 0)
    until = time.monotonic() + _PATIENCE
    while gone and time.monotonic() < until and _remembered(interface):
        time.sleep(_STEP)


def _is_static(one: Address, interface: str) -> bool:
    return one.interface == interface and not one.ours and one.valid == FOREVER


def _remove(netlink: rt.Netlink, one: Address, index: int) -> None:
    try:
        netlink.change(rt.DELADDR, 0, address_body(one, index))
    except OSError as error:
        if error.errno not in (errno.EADDRNOTAVAIL, errno.ENODEV):
            raise


def _remembered(interface: str) -> bool:
    """Tell whether networkd knows of a static address (networkctl(1), ``--json=``)."""
    try:
        done = subprocess.run(
            ["networkctl", "--json=short", "status", "--", interface],
            capture_output=True, check=True, timeout=5,
        )  # fmt: skip
        told: dict[str, Any] = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        time.sleep(_STEP)
        return False
    return any(one.get("ConfigSource") == "static" for one in told.get("Addresses", ()))
