"""Rules of ``doctor`` about Multipath TCP, where it is asked for (policy/multipath.py). Pure."""

from __future__ import annotations

from collections.abc import Iterator

from netfail_hooks.doctor.facts import Facts, Symptom
from netfail_hooks.doctor.rules.shared import CONFIG


def no_multipath(facts: Facts) -> Iterator[Symptom]:
    """Find a kernel in which endpoints do nothing."""
    why = facts.kernel.multipath
    if why:
        setting = why.partition(" is ")[0]
        wanted = {"net.mptcp.enabled": "1", "net.mptcp.pm_type": "0"}.get(setting)
        fix = (
            f"sysctl -w {setting}={wanted}"
            if wanted
            else f"editor {CONFIG}  # multipath_tcp = false"
        )
        yield Symptom(why, (fix,))


def foreign_endpoints(facts: Facts) -> Iterator[Symptom]:
    """Find an uplink whose endpoint is somebody else's, so that it does not follow the traffic."""
    observed = facts.kernel.observed
    if not (observed and facts.config and facts.config.multipath_tcp):
        return
    theirs = {one.address: one for one in observed.endpoints if not (one.ours or one.implicit)}
    for address in observed.addresses:
        one = theirs.get(address.address)
        if one and address.interface in facts.uplinks:
            yield Symptom(
                f"the MPTCP endpoint of {address.interface}'s {address.address} is not ours",
                (f"ip mptcp endpoint delete id {one.number}",),
                about=(address.interface,),
            )
