"""A host without a network manager: the lab does the little of networkd's work that it needs.

For somebody without privileges, in whose user namespace systemd-networkd cannot run (it gives
its privileges up for a user that does not exist there), and for machines without
networkd-dispatcher. The hooks are run as the dispatcher would: same environment, in order.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from netfail_hooks.lab import topology
from netfail_hooks.lab.namespaces import LOGS, Namespaces
from netfail_hooks.lab.topology import Port
from netfail_hooks.policy.facts import SHARED_LABEL

# networkd's administrative states in the order in which it goes through them.
_ADMINISTRATIVE = {"routable": "configured", "linger": "linger"}
_NEEDS_SET_UP = ("routable",)


class Unmanaged:
    """Sets addresses and routes as networkd would from the files that ``install`` writes."""

    def __init__(self, namespaces: Namespaces, ports: Mapping[str, Port]) -> None:
        self._namespaces = namespaces
        self._ports = ports

    def start(self) -> None:
        """Configure each uplink, and call its hooks."""
        for name in self._ports:
            self._set_up(name)
        for name in self._ports:
            self._call(name, "routable")

    def enter(self, name: str, state: str) -> None:
        """Do what networkd does when it sees this state, then call its hooks."""
        if state in _NEEDS_SET_UP:
            self._set_up(name)
        self._call(name, state)
        if state in _ADMINISTRATIVE:
            self._call(name, _ADMINISTRATIVE[state])

    def _set_up(self, name: str) -> None:
        """Give the uplink its address, its metrics and the settings of a sysctl.d file."""
        port = self._ports[name]
        lan = [other for other in self._ports.values() if other.segment == port.segment]
        shared = "\n".join(
            f"ip address replace {other.host}/32 dev {name} noprefixroute label {SHARED_LABEL}"
            for other in lan
            if other is not port
        )
        source = lan[0].host
        metric = 100 + 500 * port.rank
        via = topology.gateway(port.segment)
        net = f"{topology.network(port.segment)}.0/24"
        four, six = f"/proc/sys/net/ipv4/conf/{name}", f"/proc/sys/net/ipv6/conf/{name}"
        script = f"""
            printf 1 >{four}/ignore_routes_with_linkdown
            printf 0 >{four}/arp_filter
            printf 2 >{four}/rp_filter
            printf 1 >{six}/ignore_routes_with_linkdown
            ip link set {name} up
            ip address replace {port.host}/24 dev {name} noprefixroute metric {metric}
            {shared}
            ip route replace {net} dev {name} proto static src {source} metric {metric}
            ip route replace default via {via} dev {name} proto static src {source} metric {metric}
        """
        self._namespaces.change(script)

    def _call(self, name: str, state: str) -> None:
        """Run the executables for ``state`` in their order, one after another."""
        directory = f"/etc/networkd-dispatcher/{state}.d"
        inside = self._namespaces.root + directory
        names = sorted(os.listdir(inside)) if os.path.isdir(inside) else []
        for hook in names:
            if os.access(f"{inside}/{hook}", os.X_OK):
                done = self._namespaces.run(
                    [f"{directory}/{hook}"], environment=self.environment(name, state)
                )
                with open(f"{self._namespaces.root}{LOGS}/hooks.log", "a", encoding="utf-8") as log:
                    log.write(f"{directory}/{hook} for {name}: {done.returncode}\n{done.stderr}")

    def environment(self, name: str, state: str) -> dict[str, str]:
        """Return what networkd-dispatcher sets for a hook (its ``run_hooks_for_state``)."""
        port = self._ports[name]
        here = state not in ("off", "linger", "degraded")
        operational = {"configured": "routable", "linger": "off"}.get(state, state)
        data = {
            "AdministrativeState": "linger" if state == "linger" else "configured",
            "InterfaceName": name,
            "OperationalState": operational,
            "Type": "ether",
        }
        if here:
            data["Address"] = port.host
        return {
            "IFACE": name,
            "STATE": state,
            "AdministrativeState": data["AdministrativeState"],
            "OperationalState": operational,
            "ADDR": data.get("Address", ""),
            "ESSID": "",
            "IP_ADDRS": data.get("Address", ""),
            "IP6_ADDRS": "",
            "json": json.dumps(data, sort_keys=True),
        }
