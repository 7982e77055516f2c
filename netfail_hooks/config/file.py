"""Read, check and write config.toml, the one file that a person edits.

One table below is the whole grammar: the reader, the error messages and the file that
``install`` writes all come from it.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from itertools import pairwise
from typing import Any

from netfail_hooks.config import MODES, Config, Uplink
from netfail_hooks.config.schema import (
    KEYS,
    METRIC_MAX,
    parse_bond,
    parse_uplink,
    render_bond,
    render_uplink,
    wrong_textfile,
)
from netfail_hooks.errors import Misuse
from netfail_hooks.values import value


@value
class Setting:
    """One key: where it stands in the file, and what it may hold."""

    key: str  # "table.key", or "key" at the top
    field: str  # of Config
    kind: type
    low: int
    high: int
    about: str


MODE_ABOUT = "how to fail over: a metric for each uplink, or a bond of them"
SETTINGS = (
    Setting(
        "override_metric",
        "override_metric",
        int,
        1,
        METRIC_MAX,
        "metric of our own routes; below that of every uplink",
    ),
    Setting(
        "follow_addresses",
        "follow_addresses",
        bool,
        0,
        1,
        "on one subnet, a lost uplink's addresses move to the one that carries the traffic",
    ),
    Setting(
        "close_connections",
        "close_connections",
        bool,
        0,
        1,
        "end TCP connections that cannot survive (other subnet), rather than let them hang",
    ),
    Setting(
        "hold_down.seconds",
        "hold_down",
        int,
        0,
        86400,
        "seconds a returning uplink must stay well before it takes the traffic back",
    ),
    Setting(
        "hold_down.max",
        "hold_down_max",
        int,
        0,
        86400,
        "the hold-down doubles at each further loss, up to this",
    ),
    Setting(
        "hold_down.quiet",
        "quiet",
        int,
        0,
        604800,
        "seconds of health after which the hold-down starts small again",
    ),
    Setting(
        "check.successes",
        "successes",
        int,
        1,
        100,
        "rounds of probes in a row that must go well before an uplink is up again",
    ),
    Setting(
        "check.interval",
        "interval",
        int,
        0,
        3600,
        "seconds between two checks by the timer; 0: no timer",
    ),
    Setting(
        "log.max_bytes",
        "log_bytes",
        int,
        10_000,
        2**31,
        "size at which the flight recorder starts a new file; one old file is kept",
    ),
    Setting(
        "metrics.textfile",
        "textfile",
        str,
        0,
        0,
        "file of metrics for node_exporter, best below /run; empty: none",
    ),
)


def read(path: str) -> Config:
    """Return the configuration in ``path``. Raises Misuse with everything wrong in it."""
    if os.path.exists(path) and not os.path.isfile(path):  # a FIFO would hold us for ever
        raise Misuse(f"{path}: not a file")
    try:
        with open(path, "rb") as file:
            tree = tomllib.loads(file.read().decode("utf-8"))
    except OSError as error:
        raise Misuse(f"{path}: {error.strerror}", hint="run 'netfail-hooks install'") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Misuse(f"{path}: {_one_line(error)}") from None
    config, wrong = parse(tree)
    if config is None:
        raise Misuse(f"{path}: " + "; ".join(wrong))
    return config


def parse(tree: dict[str, Any]) -> tuple[Config | None, list[str]]:
    """Return the Config in a TOML tree, and all that is wrong with it, each with its key."""
    wrong: list[str] = []
    mode = tree.get("mode", "routes")
    if mode not in MODES:
        wrong.append(f'mode: must be "routes" or "bond", not {mode!r}')
    values = {}
    flat = _flatten(tree, wrong)
    known = {setting.key: setting for setting in SETTINGS}
    for key, found in flat.items():
        if key not in known:
            wrong.append(_unknown(key, [*known, "mode", "bond", "uplink"]))
        elif problem := _misfit(known[key], found):
            wrong.append(f"{key}: {problem}")
        else:
            values[known[key].field] = found
    uplinks = _uplinks(tree.get("uplink", []), wrong)
    bond = parse_bond(tree.get("bond", {}), wrong)
    mode = mode if mode in MODES else "routes"
    config = Config(uplinks=uplinks, mode=mode, bond=bond, **values)
    wrong += _contradictions(config)
    return (None if wrong else config), wrong


def render(config: Config) -> str:
    """Return a config.toml that holds ``config``, every key explained."""
    lines = [
        "# netfail-hooks: which uplinks there are, and when to switch. See netfail-hooks(8).",
        "# After a change of uplinks, metrics or interval run 'netfail-hooks install' again;",
        "# every other change is seen by the next hook or check.",
        "",
        f'mode = "{config.mode}"  # {MODE_ABOUT}',
    ]
    table = ""
    for setting in SETTINGS:
        place, _, key = setting.key.rpartition(".")
        if place != table:
            lines += ["", f"[{place}]"]
            table = place
        held = getattr(config, setting.field)
        shown = f'"{held}"' if setting.kind is str else str(held).lower()
        lines.append(f"{key} = {shown}  # {setting.about}")
    if config.mode == "bond":
        lines += render_bond(config.bond)
    lines += ["", "# The uplinks, the most preferred one first."]
    for uplink in config.uplinks:
        lines += render_uplink(uplink)
    return "\n".join([*lines, ""])


def _flatten(tree: dict[str, Any], wrong: list[str]) -> dict[str, Any]:
    tables = {setting.key.partition(".")[0] for setting in SETTINGS if "." in setting.key}
    flat = {}
    for key, found in tree.items():
        if key in ("mode", "bond", "uplink"):
            continue
        if key in tables and not isinstance(found, dict):
            wrong.append(f"{key}: must be a table, [{key}]")
        elif isinstance(found, dict):
            flat.update({f"{key}.{inner}": one for inner, one in found.items()})
        else:
            flat[key] = found
    return flat


def _misfit(setting: Setting, found: object) -> str:
    if setting.kind is bool:
        return "" if isinstance(found, bool) else f"must be true or false, not {found!r}"
    if setting.kind is str:
        return wrong_textfile(found)
    if isinstance(found, bool) or not isinstance(found, int):
        return f"must be a whole number, not {found!r}"
    if not setting.low <= found <= setting.high:
        return f"must be {setting.low} to {setting.high}, not {found}"
    return ""


def _uplinks(found: object, wrong: list[str]) -> tuple[Uplink, ...]:
    if not isinstance(found, list) or not found:
        wrong.append("uplink: name at least one, as [[uplink]] with an interface")
        return ()
    result = []
    for rank, entry in enumerate(found):
        place = f"uplink {rank + 1}"
        if not isinstance(entry, dict):
            wrong.append(f"{place}: must be a table, [[uplink]]")
            continue
        foreign = [_unknown(key, list(KEYS)) for key in entry if key not in KEYS]
        known = {key: one for key, one in entry.items() if key in KEYS}
        uplink, problems = parse_uplink(rank, known)
        wrong += [f"{place}: {problem}" for problem in foreign + problems]
        if uplink:
            result.append(uplink)
    return tuple(result)


def _contradictions(config: Config) -> list[str]:
    wrong = []
    names = config.names()
    if len(set(names)) < len(names):
        wrong.append("uplink: the same interface twice")
    metrics = [uplink.metric for uplink in config.uplinks]
    if any(later <= earlier for earlier, later in pairwise(metrics)):
        wrong.append("uplink: metrics overlap; each must be greater than the one before it")
    if metrics and config.override_metric >= min(metrics):
        wrong.append("override_metric: must be below the metric of every uplink")
    if config.bond.name in names:
        wrong.append(f"bond.name: {config.bond.name} is an uplink")
    if config.hold_down_max < config.hold_down:
        wrong.append("hold_down.max: must not be below hold_down.seconds")
    return wrong


def _unknown(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0)
    return f"{key}: unknown key, did you mean {near[0]}?"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
