"""Every file that an installation consists of."""

from __future__ import annotations

from collections.abc import Mapping

from netfail_hooks.config import Config
from netfail_hooks.install import nodes, units
from netfail_hooks.install.hook_file import hook_text, states
from netfail_hooks.install.nodes import FILE, Node
from netfail_hooks.paths import Paths
from netfail_hooks.policy import sysctls
from netfail_hooks.policy.facts import PROTOCOL, Sysctl

HOOK = "50-netfail-hooks"
_HERE = Paths()
_NOTHING: tuple[Mapping[str, Node], Mapping[str, Node]] = ({}, {})


def layout(
    config: Config,
    config_text: str,
    networks: Mapping[str, str],
    package: str = "",
    around: tuple[Mapping[str, Node], Mapping[str, Node]] = _NOTHING,
) -> dict[str, Node]:
    """Return what is to stand at each path, in the order in which to put it there.

    ``package`` is the directory that the package will be in, by default where it is now.

    ``networks`` are the texts of ``.network`` files by path, the most preferred uplink's first.
    They change last first: networkd reconfigures an uplink while a better one has the traffic.
    The hooks come when all they need is there. ``around`` is what else must be there
    before the units and the networks, and what comes after all.
    """
    first, last = around
    return {
        _HERE.protocol: _text(f"# Made by netfail-hooks install.\n{PROTOCOL} netfail\n"),
        **({} if config.mode == "bond" else {_HERE.sysctls: _text(sysctl_text(config))}),
        _HERE.config: _text(config_text),
        _HERE.notify: nodes.directory(),
        **first,
        **_units(config, package),
        **{path: _text(text) for path, text in reversed(tuple(networks.items()))},
        **(_hooks(package) if config.dispatcher else {}),
        **last,
    }


def sysctl_text(config: Config) -> str:
    """Return the sysctl.d file. A minus: no complaint where there is no such key or interface.

    With slashes, since an interface's name may have a dot (sysctl.d(5)).
    """
    lines = ["# Made by netfail-hooks install; the reasons are in netfail-hooks(8)."]
    for name in config.names():
        lines += [_line(sysctl) for sysctl in sysctls.wanted(name)]
    lines += [_line(sysctl) for sysctl in sysctls.timers(config.watch, config.names())]
    return "\n".join([*lines, ""])


def _line(sysctl: Sysctl) -> str:
    return f"-net/{sysctl.key} = {sysctl.setting}"


def _units(config: Config, package: str) -> dict[str, Node]:
    places = (package,) if package else ()
    service = units.service_text(
        places=places,
        textfile=config.textfile,
        counts=config.metered,
        programs=any(one.kind == "exec" for uplink in config.uplinks for one in uplink.targets),
    )
    names = (config.bond.name,) if config.mode == "bond" else config.names()
    nodes_by_path = {
        f"{units.UNITS}/{units.SERVICE}": _text(service),
        units.ONLINE: nodes.directory(),
        units.ONLINE_FILE: _text(units.online_text(names)),
    }
    if config.dispatcher:
        nodes_by_path[units.DISPATCHER] = nodes.directory()
        nodes_by_path[units.DISPATCHER_FILE] = _text(units.DISPATCHER_TEXT)
    if config.watched:
        nodes_by_path[f"{units.UNITS}/{units.WATCH}"] = _text(units.watch_text(places))
        nodes_by_path[f"{units.UNITS}/{units.SOCKET}"] = _text(units.SOCKET_TEXT)
        nodes_by_path[units.SOCKET_WANTED] = nodes.link(f"{units.UNITS}/{units.SOCKET}")
    if config.mode == "routes":
        nodes_by_path[f"{units.UNITS}/{units.QUICK}"] = _text(units.quick_text(config.quick))
    if config.drilled:
        drill = units.drill_text(places, config.textfile)
        nodes_by_path[f"{units.UNITS}/{units.DRILL}"] = _text(drill)
        timer = units.drill_timer_text(config.drill_every)
        nodes_by_path[f"{units.UNITS}/{units.DRILL_TIMER}"] = _text(timer)
        nodes_by_path[units.DRILL_WANTED] = nodes.link(f"{units.UNITS}/{units.DRILL_TIMER}")
    if config.period:
        nodes_by_path[f"{units.UNITS}/{units.TIMER}"] = _text(units.timer_text(config.period))
        nodes_by_path[units.WANTED] = nodes.link(f"{units.UNITS}/{units.TIMER}")
    return nodes_by_path


def _hooks(package: str) -> dict[str, Node]:
    """Return the hooks; the dispatcher skips what isn't root's with mode 0755, in silence."""
    nodes_by_path = {_HERE.dispatcher: nodes.directory()}
    hook = Node(FILE, hook_text(package=package), 0o755)
    for state in states():
        nodes_by_path[f"{_HERE.dispatcher}/{state}.d"] = nodes.directory()
        nodes_by_path[f"{_HERE.dispatcher}/{state}.d/{HOOK}"] = hook
    return nodes_by_path


def _text(text: str) -> Node:
    # A comment in another encoding than UTF-8 stays as it is: see networkd/match.py.
    return Node(FILE, text.encode("utf-8", "surrogateescape"))
