"""The configuration as values, and its compiled form that a hook can read in no time.

Parsing TOML costs a hook 12 ms of CPU. So the first reader leaves the values in
``/run/netfail-hooks/config``, one ``key value`` a line, under the stat of the file they came
from; whoever finds that stat unchanged need not parse.
"""

from __future__ import annotations

import os

from netfail_hooks.errors import Misuse
from netfail_hooks.files import own_directory, read_owned, write_whole
from netfail_hooks.names import is_address, is_interface_name
from netfail_hooks.paths import Paths
from netfail_hooks.values import value

COMPILED_FORM = "netfail-hooks config 3"




RESELECT = ("always", "better", "failure")  # IFLA_BOND_PRIMARY_RESELECT: 0, 1, 2


FIRST_METRIC = 100
METRIC_STEP = 500


@value
class Bond:
    """What a bond is to be. ``arp_interval`` is in milliseconds; no ``targets``: the gateway."""

    name: str = "bond0"
    arp_interval: int = 100
    reselect: str = "always"
    targets: tuple[str, ...] = ()



@value
class Target:
    """Something beyond the gateway to probe: a TCP port, or with port 0 an ICMP echo."""

    family: int
    address: str
    port: int = 0

    def __str__(self) -> str:
        if not self.port:
            return f"icmp:{self.address}"
        host = f"[{self.address}]" if self.family == 6 else self.address
        return f"tcp:{host}:{self.port}"



@value
class Uplink:
    """A way out. Its place in ``Config.uplinks`` is its rank.

    A round of probes asks the gateway (``gateway``) and the ``targets``; with policy "any" one
    target's answer is enough, with "all" everyone must answer. ``failures`` tries in a row
    without an answer are a failure, each round that many, the last with ``timeout`` (ms).
    """

    interface: str
    metric: int
    gateway: bool = True
    targets: tuple[Target, ...] = ()
    policy: str = "any"
    failures: int = 2
    timeout: int = 500

    @property
    def probed(self) -> bool:
        """Tell whether there is anything to ask."""
        return self.gateway or bool(self.targets)


@value
class Config:
    """Everything a decision may depend on, most preferred uplink first.

    ``override_metric`` is the metric of our own routes, below that of every uplink.
    A returning uplink is held down for ``hold_down`` seconds, twice as long at each further
    loss up to ``hold_down_max``, and again ``hold_down`` once it was well for ``quiet`` seconds.
    ``successes`` rounds in a row must go well before it takes the traffic back.
    ``interval`` is the seconds between two checks by the timer (0: no timer), ``log_bytes``
    the size at which the flight recorder starts a new file, ``textfile`` the file of metrics ("":
    none). ``bond`` counts in mode "bond" alone.
    """

    uplinks: tuple[Uplink, ...]
    mode: str = "routes"
    override_metric: int = 50
    follow_addresses: bool = True
    end_flows: bool = True
    hold_down: int = 10
    hold_down_max: int = 300
    quiet: int = 600
    successes: int = 2
    interval: int = 5
    log_bytes: int = 1_000_000
    textfile: str = ""
    bond: Bond = Bond()

    def names(self) -> tuple[str, ...]:
        """Return the interface names in rank order."""
        return tuple(uplink.interface for uplink in self.uplinks)


def load(paths: Paths) -> Config:
    """Return the machine's configuration. Raises Misuse where it is missing or wrong."""
    try:
        stamp = _stamp(os.stat(paths.config))
    except FileNotFoundError:
        raise Misuse(f"no {paths.config}", hint="run 'netfail-hooks install'") from None
    except OSError as error:
        raise Misuse(f"{paths.config}: {error.strerror}") from None
    compiled = paths.run + "/config"
    try:
        return parse_compiled(read_owned(compiled).decode("ascii"), stamp)
    except (OSError, ValueError):
        pass  # absent, stale, foreign or damaged: all mended by compiling anew
    from netfail_hooks.config.file import read

    config = read(paths.config)
    try:
        own_directory(paths.run)
        write_whole(compiled, compile_config(config, stamp).encode("ascii"))
    except OSError:
        pass  # an ordinary user's status, or a full /run: only slower next time
    return config


def _stamp(found: os.stat_result) -> str:
    return f"{found.st_ino}:{found.st_size}:{found.st_mtime_ns}:{found.st_ctime_ns}"


# Settings in file order; each is a whole number (booleans are 0 or 1) but mode and textfile.
_NUMBERS = (
    "override_metric",
    "hold_down",
    "hold_down_max",
    "quiet",
    "successes",
    "interval",
    "log_bytes",
)
MODES = ("routes", "bond")
_FLAGS = ("follow_addresses", "end_flows")


def compile_config(config: Config, stamp: str) -> str:
    """Return the compiled form of ``config`` for a source file of that ``stamp``."""
    lines = [COMPILED_FORM, stamp, f"mode {config.mode}", f"textfile {config.textfile}"]
    lines += [f"{name} {int(getattr(config, name))}" for name in _NUMBERS + _FLAGS]
    bond = config.bond
    words = (bond.name, str(bond.arp_interval), bond.reselect, *bond.targets)
    lines.append(" ".join(["bond", *words]))
    lines += [_compile_uplink(uplink) for uplink in config.uplinks]
    return "\n".join([*lines, "end", ""])


def parse_compiled(text: str, stamp: str) -> Config:
    """Return the Config of a compiled form. Raises ValueError if it is stale or damaged."""
    lines = text.split("\n")
    if lines[:2] != [COMPILED_FORM, stamp] or lines[-2:] != ["end", ""]:
        raise ValueError("stale or damaged")
    settings: dict[str, str] = {}
    uplinks = []
    for line in lines[2:-2]:
        key, _, rest = line.partition(" ")
        if key == "uplink":
            uplinks.append(_parse_uplink(rest.split(" ")))
        else:
            settings[key] = rest
    if settings.keys() != {"mode", "textfile", "bond", *_NUMBERS, *_FLAGS} or not uplinks:
        raise ValueError("damaged")
    flags = [settings[flag] for flag in _FLAGS]
    if settings["mode"] not in MODES or any(flag not in ("0", "1") for flag in flags):
        raise ValueError("damaged")
    return Config(
        uplinks=tuple(uplinks),
        mode=settings["mode"],
        override_metric=int(settings["override_metric"]),
        follow_addresses=settings["follow_addresses"] == "1",
        end_flows=settings["end_flows"] == "1",
        hold_down=int(settings["hold_down"]),
        hold_down_max=int(settings["hold_down_max"]),
        quiet=int(settings["quiet"]),
        successes=int(settings["successes"]),
        interval=int(settings["interval"]),
        log_bytes=int(settings["log_bytes"]),
        textfile=settings["textfile"],
        bond=_parse_bond(settings["bond"].split(" ")),
    )


def _parse_bond(words: list[str]) -> Bond:
    name, interval, reselect, *targets = words
    if not is_interface_name(name):
        raise ValueError("damaged")
    return Bond(name, int(interval), reselect, tuple(targets))


def _compile_uplink(uplink: Uplink) -> str:
    targets = [f"{target.family},{target.address},{target.port}" for target in uplink.targets]
    numbers = (uplink.metric, int(uplink.gateway), uplink.failures, uplink.timeout)
    return " ".join(
        ["uplink", uplink.interface, uplink.policy, *(str(one) for one in numbers), *targets]
    )


def _parse_uplink(words: list[str]) -> Uplink:
    interface, policy, metric, gateway, failures, timeout, *targets = words
    if not is_interface_name(interface):
        raise ValueError("damaged")
    found = []
    for target in targets:
        family, address, port = target.split(",")
        if not is_address(int(family), address):
            raise ValueError("damaged")
        found.append(Target(int(family), address, int(port)))
    return Uplink(
        interface=interface,
        metric=int(metric),
        gateway=gateway == "1",
        targets=tuple(found),
        policy=policy,
        failures=int(failures),
        timeout=int(timeout),
    )








def default_metrics(interfaces: tuple[str, ...]) -> tuple[Uplink, ...]:
    """Return the interfaces as uplinks with metrics 100, 600, 1100 and so on."""
    return tuple(
        Uplink(name, FIRST_METRIC + rank * METRIC_STEP) for rank, name in enumerate(interfaces)
    )
