"""Read a line of the flight recorder back into the values that a decision was made of."""

from __future__ import annotations

import functools
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from netfail_hooks.config import Config
from netfail_hooks.kernel.netlink import packed
from netfail_hooks.names import FAMILIES, is_interface_name
from netfail_hooks.policy import changes as kinds
from netfail_hooks.policy.facts import Observation, is_prefix
from netfail_hooks.policy.state import STATES, State
from netfail_hooks.recorder import SCHEMA, Run
from netfail_hooks.recorder.schema import load
from netfail_hooks.values import fields

T = TypeVar("T")
# Once a class, not once a value: a long recording is read in a third of the time.
_hints: Callable[[Any], dict[str, Any]] = functools.cache(typing.get_type_hints)


class DamagedError(ValueError):
    """A line is not one that the recorder wrote."""


class CutError(ValueError):
    """A line that was too long has not all of the decision's input; ``part`` is what it has."""

    def __init__(self, why: str, part: Recorded) -> None:
        super().__init__(f"only a part was recorded, it was {why}: it cannot be decided again")
        self.part = part


@dataclass(frozen=True)
class Recorded:
    """A run as it was recorded: the decision's whole input, and its outcome.

    ``changes`` are as in the line; those beyond the decision's own were made after observing again.
    """

    time: str
    trigger: str
    config: Config
    observed: Observation
    before: State
    after: State
    changes: list[dict[str, Any]]


def parse(line: str) -> Recorded:
    """Return the run that a line holds.

    A missing key has its default, so that older lines can be read. Raises DamagedError with the
    place of anything else that does not fit, and CutError for a line that was cut.
    """
    entry = _entry(line)
    recorded = _recorded(entry)
    if "cut" in entry:
        raise CutError(_build(str, entry["cut"], "cut"), recorded)
    return recorded


def _entry(line: str) -> dict[str, Any]:
    try:
        entry = load(line)
    except (ValueError, RecursionError):
        raise DamagedError("not JSON") from None
    if not isinstance(entry, dict):
        raise DamagedError("not an event")
    return entry


def _recorded(entry: dict[str, Any]) -> Recorded:
    if entry.get("schema") != SCHEMA:
        raise DamagedError(f"schema {entry.get('schema')!r}; this version reads {SCHEMA}")
    recorded = Recorded(
        time=_build(str, entry.get("time"), "time"),
        trigger=_build(str, entry.get("trigger"), "trigger"),
        config=build(Config, entry.get("config"), "config"),
        observed=build(Observation, entry.get("observed"), "observed"),
        before=build(State, entry.get("before"), "before"),
        after=build(State, entry.get("after"), "after"),
        changes=_objects(entry.get("changes"), "changes"),
    )
    if not recorded.config.uplinks:
        raise DamagedError("config.uplinks: empty")
    return recorded


def run_of(line: str) -> Run:
    """Return the very run that a line was made of, what was kept of one that was cut.

    Raises DamagedError.
    """
    entry = _entry(line)
    recorded = _recorded(entry)
    return Run(
        trigger=recorded.trigger,
        config=recorded.config,
        observed=recorded.observed,
        before=recorded.before,
        after=recorded.after,
        changes=tuple(_change(change) for change in recorded.changes),
        failed=_build(tuple[str, ...], entry.get("failed"), "failed"),
        took=_build(int, entry.get("took_ms"), "took_ms"),
    )


def _change(data: dict[str, Any]) -> kinds.Change:
    name = _build(str, data.get("change"), "change")
    kind = getattr(kinds, name, None)
    if not isinstance(kind, type) or kind.__module__ != kinds.__name__:
        raise DamagedError(f"change: {name[:40]!r} is none")
    settings = {key: setting for key, setting in data.items() if key != "change"}
    return cast("kinds.Change", build(kind, settings, f"changes.{name}"))


def build(kind: type[T], data: object, place: str) -> T:
    """Return the value of a class of ours that ``plain`` made ``data`` of. Raises DamagedError."""
    if not isinstance(data, dict):
        raise DamagedError(f"{place}: not an object")
    hints = _hints(kind)
    known = fields(kind)
    for key in data:
        if key not in known:
            raise DamagedError(f"{place}.{key}: unknown key")
    given = {key: _build(hints[key], item, f"{place}.{key}") for key, item in data.items()}
    for key, item in given.items():
        if not _fits(key, item):
            raise DamagedError(f"{place}.{key}: {item!r} cannot be")
    try:
        return kind(**given)
    except TypeError:
        lacking = sorted(set(known) - set(given))
        raise DamagedError(f"{place}: one of these is missing: {', '.join(lacking)}") from None


def _build(hint: Any, data: object, place: str) -> Any:  # noqa: ANN401 - any annotation
    if typing.get_origin(hint) is tuple:
        if not isinstance(data, list):
            raise DamagedError(f"{place}: not a list")
        inner = typing.get_args(hint)[0]
        return tuple(_build(inner, item, f"{place}[{at}]") for at, item in enumerate(data))
    if hint in (str, int, bool):
        if type(data) is not hint:
            raise DamagedError(f"{place}: not {hint.__name__}: {str(data)[:40]!r}")
        return data
    return build(hint, data, place)


def _objects(data: object, place: str) -> list[dict[str, Any]]:
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise DamagedError(f"{place}: not a list of objects")
    return data


def _fits(key: str, item: object) -> bool:
    """Tell whether a field holds what the policy relies on."""
    match key, item:
        case "family", _:
            return item in FAMILIES
        case "state", _:
            return item in STATES
        case "interface" | "name", str(name):
            return not name or is_interface_name(name)
        case "address" | "gateway" | "source", str(address):
            return not address or _is_address(address)
        case "destination" | "sender", str(prefix):
            return prefix in ("", "default") or is_prefix(prefix)
    return True


def _is_address(text: str) -> bool:
    try:
        packed(6 if ":" in text else 4, text)
    except (OSError, ValueError):
        return False
    return True
