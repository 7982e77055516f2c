"""Read, check and write config.toml, the one file that a person edits.

The list in config/settings.py is the whole grammar: the reader, the error messages and the file
that ``install`` writes all come from it.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from netfail_hooks.config import FIRST_METRIC, METRIC_STEP, POLICIES, Bond, Config, Uplink
from netfail_hooks.config import settings as known
from netfail_hooks.config.kinds import toml
from netfail_hooks.config.settings import BOND, GENERAL, UPLINK, Setting
from netfail_hooks.config.toml_text import line_of
from netfail_hooks.errors import Faults, Misuse, NotPermitted

STANDARD_INPUT = "standard input"  # the name of a config that is in no file
_HEAD = """\
# netfail-hooks: which uplinks there are, and when to switch. See netfail-hooks(8).
# After a change of uplinks, metrics, watch, dispatcher, targets, limits, [check] or [drill] run
# 'sudo netfail-hooks install' again; every other change is seen by the next hook or check.
# While anything in here is wrong, hooks and checks do nothing: until it is mended there is no
# failover but what the kernel does by itself. 'sudo netfail-hooks doctor' checks it.
"""


def read(path: str) -> Config:
    """Return the configuration in ``path``. Raises Misuse with everything wrong in it.

    Raises NotPermitted where we may not read it.
    """
    if os.path.exists(path) and not os.path.isfile(path):  # a FIFO would hold us for ever
        raise Misuse(f"{path}: not a file", hint="remove it, then run 'sudo netfail-hooks install'")
    try:
        with open(path, "rb") as file:
            data = file.read()
    except PermissionError:
        raise NotPermitted(f"{path} cannot be read", hint="use sudo") from None
    except OSError as error:
        raise Misuse(f"{path}: {error.strerror}", hint="run 'sudo netfail-hooks install'") from None
    return parse_text(data, path)


def parse_text(data: bytes, name: str) -> Config:
    """Return the configuration in a file's bytes; ``name`` is the file's, for people.

    Raises Faults with everything wrong in it, by lines.
    """
    try:
        text = data.decode("utf-8")
        tree = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Faults(name, (_unread(data, error),), hint=_mend(name, 1)) from None
    config, wrong = parse(tree)
    if config is None:
        raise Faults(name, tuple(_by_line(text, wrong)), hint=_mend(name, len(wrong)))
    return config


def _mend(name: str, faults: int) -> str:
    """Return how to mend so many faults: what comes from a pipe is in no file that we know."""
    import shlex

    what = "mend it" if faults == 1 else f"mend these {faults}"
    if name == STANDARD_INPUT:
        return f"{what} where that comes from"
    sudo = "" if _is_a_users(name) else "sudo "
    return f"{what}: {sudo}editor {shlex.quote(name)}"


def _is_a_users(name: str) -> bool:
    """Tell whether somebody who is not root may change a file: a ready one that is to be ours."""
    try:
        return os.stat(name).st_uid != 0
    except OSError:
        return False


def _by_line(text: str, wrong: list[str]) -> list[str]:
    """Return what is wrong with the lines that it stands on, in their order."""
    placed = [(line_of(text, *_place(fault)), fault) for fault in wrong]
    placed.sort(key=lambda one: one[0])  # what is on no line first
    return [f"line {line}: {fault}" if line else fault for line, fault in placed]


def _place(fault: str) -> tuple[str, int, str]:
    """Return the table, which one of its name, and the key that a fault is about.

    Each begins with them: "uplink 2: metric: ...", "check.interval: ...", "mode: ...".
    """
    first, _, rest = fault.partition(": ")
    name, _, number = first.partition(" ")
    if name == UPLINK:
        return UPLINK, int(number or 1), rest.partition(": ")[0] if number else ""
    table, dot, key = name.partition(".")
    return (table, 1, key) if dot or name in known.tables() else (GENERAL, 1, name)


def parse(tree: dict[str, Any]) -> tuple[Config | None, list[str]]:
    """Return the Config in a TOML tree, and all that is wrong with it, each with its key."""
    wrong: list[str] = []
    top = {key: item for key, item in tree.items() if key not in known.tables()}
    values = _parse_table(top, GENERAL, wrong)
    bond = Bond()
    for table in known.tables():
        if table in (GENERAL, UPLINK):
            continue
        entries = tree.get(table, {})
        if not isinstance(entries, dict):
            wrong.append(f"{table}: must be a table, [{table}]")
        elif table == BOND:
            bond = Bond(**_parse_table(entries, table, wrong))
        else:
            values |= _parse_table(entries, table, wrong)
    numbered = _parse_uplinks(tree.get(UPLINK, []), wrong)
    uplinks, numbers = tuple(numbered.values()), tuple(numbered)
    config = Config(uplinks=uplinks, bond=bond, **values)
    wrong += _contradictions(config, numbers)
    return (None if wrong else config), wrong


def render(config: Config) -> str:
    """Return a config.toml that holds ``config``, every key explained."""
    lines = [_HEAD]
    for table in known.tables():
        if table == UPLINK or (table == BOND and config.mode != "bond"):
            continue
        if table != GENERAL:
            lines += ["", f"[{table}]"]
        lines += [_render(s, s.held_by(config)) for s in known.of_table(table)]
    lines += ["", "# The uplinks, the most preferred one first."]
    for uplink in config.uplinks:
        lines += ["", *render_uplink(uplink)]
    return "\n".join([*lines, ""])


def render_uplink(uplink: Uplink) -> list[str]:
    """Return the lines of an uplink's table, every key explained."""
    settings = known.of_table(UPLINK)
    return ["[[uplink]]", *(_render(s, getattr(uplink, s.attribute)) for s in settings)]


def _render(setting: Setting, item: object) -> str:
    return f"{setting.key} = {toml(item)}  # {setting.help}"


def _parse_table(entries: dict[str, Any], table: str, wrong: list[str]) -> dict[str, Any]:
    """Return the fields that a table sets; what is wrong with the others goes to ``wrong``."""
    prefix = f"{table}." if table not in (GENERAL, UPLINK) else ""
    settings = {setting.key: setting for setting in known.of_table(table)}
    values: dict[str, Any] = {}
    for key, raw in entries.items():
        if key not in settings:
            wrong.append(_unknown(prefix + key, table))
            continue
        setting = settings[key]
        try:
            values[setting.attribute] = setting.kind.parse(raw)
        except ValueError as error:
            wrong.append(f"{setting.name}: {error}")
    return values


def _parse_uplinks(raw: object, wrong: list[str]) -> dict[int, Uplink]:
    """Return the uplinks in the order of their ranks, each by its number in the file."""
    if not isinstance(raw, list) or not raw:
        wrong.append("uplink: name at least one, as [[uplink]] with an interface")
        return {}
    uplinks = {}
    for rank, (number, entries) in enumerate(sorted(enumerate(raw, 1), key=_is_put_last)):
        place = f"uplink {number}"
        if not isinstance(entries, dict):
            wrong.append(f"{place}: must be a table, [[uplink]]")
            continue
        problems: list[str] = []
        if "interface" not in entries:
            wrong.append(f"{place}: interface: is missing, a name such as \"eth0\" ('ip link')")
            continue
        defaults = {"metric": FIRST_METRIC + rank * METRIC_STEP}
        values = _parse_table(defaults | entries, UPLINK, problems)
        wrong += [f"{place}: {problem}" for problem in problems]
        if not problems:
            uplinks[number] = Uplink(**values)
    return uplinks


def _is_put_last(entry: tuple[int, object]) -> bool:
    """Tell whether an uplink, with its number, comes after others though it stands before them."""
    _, table = entry
    return isinstance(table, dict) and table.get("metered") is True and "metric" not in table


def _contradictions(config: Config, numbers: Sequence[int]) -> list[str]:
    """Return what is wrong between settings; ``numbers`` are those of the uplinks in the file."""
    wrong = []
    names = config.names()
    places = [f"uplink {number}" for number in numbers]
    for rank, (place, name) in enumerate(zip(places, names, strict=True)):
        if name in names[:rank]:
            wrong.append(f"{place}: interface: {name} is that of another uplink already")
    for place, (earlier, later) in zip(places[1:], pairwise(config.uplinks), strict=False):
        if later.metric <= earlier.metric:
            before = f"{earlier.metric}, that of {earlier.interface} before it"
            wrong.append(f"{place}: metric: must be greater than {before}, not {later.metric}")
    metrics = [uplink.metric for uplink in config.uplinks]
    if metrics and config.override_metric >= min(metrics):
        wrong.append(
            f"override_metric: must be below the metric of every uplink, {min(metrics)}, "
            f"not {config.override_metric}"
        )
    if config.bond.name in names:
        wrong.append(f"bond.name: {config.bond.name} is an uplink")
    for place, uplink in zip(places, config.uplinks, strict=True):
        wanted, named = uplink.policy, len(uplink.targets)
        if wanted not in POLICIES and int(wanted) > named:
            targets = "1 target" if named == 1 else f"{named} targets"
            wrong.append(f"{place}: policy: must be at most its {targets}, not {wanted}")
    if config.hold_down_max < config.hold_down:
        wrong.append(
            f"hold_down.max: must not be below hold_down.seconds, {config.hold_down}, "
            f"not {config.hold_down_max}"
        )
    return wrong


def _unknown(name: str, table: str) -> str:
    near = difflib.get_close_matches(name, _neighbours(table), n=1, cutoff=0)
    return f"{name}: unknown key, did you mean {near[0]}?"


def _neighbours(table: str) -> Sequence[str]:
    """Return what a key in that table may have been meant to be."""
    if table != GENERAL:
        return [setting.name for setting in known.of_table(table)]
    above = [setting.name for setting in known.SETTINGS if setting.table not in (BOND, UPLINK)]
    return [*above, *(place for place in known.tables() if place)]


_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)")


def _unread(data: bytes, error: Exception) -> str:
    """Return why a file is no TOML, with the line in front, as of every other fault."""
    told = " ".join(str(error).split())[:200]
    if isinstance(error, UnicodeDecodeError):
        before = data[: error.start]
        return f"line {before.count(10) + 1}: {told}"
    place = _PLACE.search(told)
    if not place:
        return told
    last = len(data.splitlines())
    return f"line {place[1] or last}: {told.replace(place[0], '')}"
