"""Rules of ``doctor`` about the kernel's watch of the gateway in use (policy/watch.py). Pure."""

from __future__ import annotations

from collections.abc import Iterator

from netfail_hooks.doctor.facts import Facts, Symptom
from netfail_hooks.doctor.rules.shared import CONFIG
from netfail_hooks.install.units import SOCKET
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.watch import RELEASE


def watch_stopped(facts: Facts) -> Iterator[Symptom]:
    """Find that nobody listens to what the kernel has to say, now or after the next boot."""
    unit = facts.services.unit(SOCKET) if facts.config and facts.config.watched else None
    if unit and (unit.active != "active" or not unit.starts_at_boot):
        what = "is not listening" if unit.active != "active" else "does not listen after a boot"
        again = ("systemctl daemon-reload", f"systemctl enable --now {SOCKET}")
        yield Symptom(f"{SOCKET} {what}", again, safe=unit.load == "loaded")


def old_for_watch(facts: Facts) -> Iterator[Symptom]:
    """Find a kernel that cannot watch a gateway."""
    wanted = bool(facts.config and facts.config.watched)
    if wanted and (0, 0) < facts.kernel.release < RELEASE:
        version, needed = (".".join(map(str, one)) for one in (facts.kernel.release, RELEASE))
        what = f"Linux {version} cannot watch a gateway; {needed} can"
        off = f'editor {CONFIG}  # watch = "off"; or boot a newer kernel'
        yield Symptom(what, (off,))


def fixed_gateway(facts: Facts) -> Iterator[Symptom]:
    """Find a gateway with a fixed hardware address: the kernel never asks whether it is there."""
    observed = facts.kernel.observed
    if not (observed and facts.config and facts.config.watched):
        return
    fixed = {(one.interface, one.address) for one in observed.neighbours if not one.ours}
    for name in facts.uplinks:
        for family in FAMILIES:
            for route in observed.default_routes(name, family):
                if (name, route.gateway) in fixed:
                    yield Symptom(
                        f"{name}'s gateway {route.gateway} has a fixed hardware address",
                        (f"ip neigh del {route.gateway} dev {name}  # if it need not be fixed",),
                        about=(name,),
                    )


def no_local_address(facts: Facts) -> Iterator[Symptom]:
    """Find an uplink by which the kernel asks no IPv6 gateway: it has nothing to ask by."""
    observed = facts.kernel.observed
    if not (observed and facts.config and facts.config.watched):
        return
    for name in facts.uplinks:
        gateways = [route.gateway for route in observed.default_routes(name, 6) if route.gateway]
        if gateways and name in observed.no_local:
            yield Symptom(
                f"{name} has no link-local address, by which alone the kernel asks {gateways[0]}",
                (f"networkctl cat {name}  # LinkLocalAddressing=ipv6 belongs in that file",),
                about=(name,),
            )
