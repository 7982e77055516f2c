"""The compiled form of the config, which a hook can read in no time.

Parsing TOML costs a hook 12 ms of CPU. So the first reader leaves the values in
``/run/netfail-hooks/config``, one ``key value`` a line, under the stat of the file they came
from; whoever finds that stat unchanged need not parse.
"""

from __future__ import annotations

import os

from netfail_hooks.config import MODES, Bond, Config, Target, Uplink
from netfail_hooks.errors import Misuse
from netfail_hooks.files import own_directory, read_owned, write_whole
from netfail_hooks.names import is_address, is_interface_name
from netfail_hooks.paths import Paths

COMPILED_FORM = "netfail-hooks config 3"
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
_FLAGS = ("follow_addresses", "close_connections")


def load(paths: Paths) -> Config:
    """Return the machine's configuration. Raises Misuse where it is missing or wrong."""
    try:
        stamp = _stamp(os.stat(paths.config))
    except FileNotFoundError:
        raise Misuse(f"no {paths.config}", hint="run 'netfail-hooks install'") from None
    except OSError as error:
        raise Misuse(f"{paths.config}: {error.strerror}") from None
    compiled = paths.compiled_config
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
        close_connections=settings["close_connections"] == "1",
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
