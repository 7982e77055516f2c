"""Which config.toml there is to be: a ready one, or that which is there with what was asked for."""

from __future__ import annotations

import contextlib
import difflib
import os
import stat
import sys
import tomllib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from netfail_hooks.config import Config, Uplink, default_metrics, settings
from netfail_hooks.config import file as config_file
from netfail_hooks.config.altnames import by_kernel_names
from netfail_hooks.config.kinds import toml
from netfail_hooks.config.settings import GENERAL, UPLINK, Setting
from netfail_hooks.config.toml_text import ended, is_inline, layout, split, with_key, without_key
from netfail_hooks.errors import Misuse, NotPermitted
from netfail_hooks.install import nodes
from netfail_hooks.install.manifest import Manifest
from netfail_hooks.install.nodes import Node
from netfail_hooks.install.options import InstallOptions
from netfail_hooks.paths import Paths
from netfail_hooks.values import replace

_KEPT = "# Comments on what is no longer in this file:"
_LIMIT = 1 << 20  # bytes: /dev/zero is no config
_OPEN = 0o666


@dataclass(frozen=True, slots=True)
class Ready:
    """A config that is to be in place as it is; ``name`` is for people.

    ``mode`` are the permissions of its file, which ours must not exceed: it may hold secrets.
    """

    name: str
    config: Config
    text: str
    mode: int = _OPEN

    def guarded(self, node: Node) -> Node:
        """Return the file for it, no more open than its own or than ``node``.

        The check is root without the right to read other people's files.
        """
        mode = node.mode & self.mode | 0o600
        return Node(node.kind, node.data, mode, (0, node.owner[1]))


def read_ready(name: str) -> Ready:
    """Return the config in a file, "-" for standard input. Raises Misuse, NotPermitted.

    Read once: what is put in place is what a person has seen and agreed to.
    """
    shown = config_file.STANDARD_INPUT if name == "-" else name
    try:
        with open(sys.stdin.fileno() if name == "-" else name, "rb", closefd=name != "-") as file:
            about = os.fstat(file.fileno())
            data = file.read(_LIMIT + 1)
    except PermissionError:
        raise NotPermitted(f"{shown} cannot be read", hint="use sudo") from None
    except OSError as error:
        raise Misuse(f"--config {shown}: {error.strerror}", hint="name a config.toml") from None
    if len(data) > _LIMIT:
        raise Misuse(f"--config {shown}: more than {_LIMIT} bytes", hint="name a config.toml")
    config = config_file.parse_text(data, shown)
    if len(config.uplinks) == 1:
        alone = f"{config.names()[0]} alone has nothing to fail over to"
        raise Misuse(f"{shown}: {alone}", hint="name another [[uplink]] in it")
    mode = stat.S_IMODE(about.st_mode) if stat.S_ISREG(about.st_mode) else _OPEN
    return Ready(shown, config, data.decode("utf-8"), mode)


def by_names(paths: Paths, ready: Ready) -> Ready:
    """Return a ready config with the kernel's names for its uplinks. Raises Misuse."""
    named = ready.config if paths.root else by_kernel_names(ready.config)
    if named == ready.config:
        return ready
    text = _renamed(ready.text, ready.config, named)
    return Ready(ready.name, named, text, ready.mode)


def replaced(paths: Paths, known: Manifest, ready: Ready) -> list[str]:
    """Return what to tell of a config that a ready one replaces, if it is not as we wrote it."""
    path = Paths().config
    place = paths.through(path)
    if not _is_there(place):
        return []
    entry, node = known.entry(path), nodes.read(paths.at(path))
    if entry and entry.is_ours(node):
        return []
    with open(place, "rb") as file:
        data = file.read()
    if data == ready.text.encode():
        return []
    if entry is None:
        return [f"{path} was there before install, which gives way to {ready.name} until uninstall"]
    try:
        now = config_file.parse_text(data, path)
    except Misuse:
        return [f"{path}, in which something is wrong, is replaced by {ready.name}"]
    parts = _differences(now, ready.config)
    return [f"{path} was changed since install; {ready.name} replaces it, and differs in {parts}"]


def _differences(old: Config, new: Config) -> str:
    """Return the names of settings that two configs hold otherwise."""
    names = [
        setting.name
        for setting in settings.SETTINGS
        if setting.table != UPLINK and setting.held_by(old) != setting.held_by(new)
    ]
    names += ["[[uplink]]"] if old.uplinks != new.uplinks else []
    return ", ".join(names) or "nothing but words"


def choose(
    paths: Paths, options: InstallOptions, detect: Callable[[], tuple[str, ...]]
) -> tuple[Config, str]:
    """Return the configuration and its file's text. Raises Misuse.

    An existing file is kept. Where other uplinks, a mode and the like are asked for, it is
    amended: an uplink that stays keeps its settings, the metrics go by rank, and all else,
    comments too, stays as it is.
    """
    place = paths.through(Paths().config)
    if not _is_there(place):
        config = Config(uplinks=default_metrics(options.uplinks or detect()))
        config = _with_settings(config, options)
        return config, config_file.render(config)
    existing = config_file.read(place)
    named = existing if paths.root else by_kernel_names(existing)
    config = _with_settings(_with_uplinks(named, options.uplinks), options)
    with open(place, encoding="utf-8", newline="") as file:
        text = file.read()
    if config != existing:
        text = amend(_renamed(text, existing, named), named, config)
        written, wrong = config_file.parse(tomllib.loads(text))
        if wrong:
            told = f"{paths.config}: with other uplinks: {'; '.join(wrong)}"
            raise Misuse(told, hint="change it by hand")
        if written != config:
            raise Misuse(f"{paths.config}: cannot be amended", hint="change it by hand")
    return config, text


def present_uplinks(paths: Paths) -> tuple[str, ...]:
    """Return the uplinks of the config that is there, none where there is none. Raises Misuse."""
    place = paths.through(Paths().config)
    if not _is_there(place):
        return ()
    existing = config_file.read(place)
    return (existing if paths.root else by_kernel_names(existing)).names()


def absent_uplinks(paths: Paths, config: Config) -> tuple[str, ...]:
    """Return what to tell of uplinks that are not there: to come, or mistyped."""
    there: list[str] = []
    with contextlib.suppress(OSError):  # an image has no NICs
        there = sorted(os.listdir(paths.at("/sys/class/net")))
    others = [name for name in there if name not in ("lo", *config.names())]
    told = []
    for name in config.names():
        if name not in there:
            near = difflib.get_close_matches(name, others, n=1)
            meant = f"; did you mean {near[0]}?" if near else ""
            told.append(f"there is no {name} here now: right if it is plugged in later{meant}")
    return tuple(told)


def _renamed(text: str, old: Config, new: Config) -> str:
    """Return a config.toml's text with other names for its uplinks, the rest of it as it was."""
    renamed = dict(zip(old.names(), new.names(), strict=True))
    parts = []
    for part in split(text):
        entries = tomllib.loads(part).get(UPLINK, ())
        for place, entry in enumerate(entries):
            name = entry["interface"]
            if renamed[name] != name:
                part = with_key(part, (UPLINK, place, "interface"), renamed[name])  # noqa: PLW2901
        parts.append(part)
    return "".join(parts)


def _is_there(path: str) -> bool:
    """Tell whether something is there, or may be: in a directory that we may not search."""
    try:
        os.stat(path)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def _with_uplinks(config: Config, names: tuple[str, ...]) -> Config:
    if not names or names == config.names():
        return config
    known = {uplink.interface: uplink for uplink in config.uplinks}
    uplinks = tuple(
        replace(known.get(new.interface, new), metric=new.metric) for new in default_metrics(names)
    )
    return replace(config, uplinks=uplinks)


def _with_settings(config: Config, options: InstallOptions) -> Config:
    mode = options.mode or config.mode
    interval = config.interval if options.interval is None else options.interval
    dispatcher = config.dispatcher if options.dispatcher is None else options.dispatcher
    return replace(config, mode=mode, interval=interval, dispatcher=dispatcher)


def amend(text: str, old: Config, new: Config) -> str:
    """Return a config.toml's text changed from ``old`` to ``new``, the rest of it as it was.

    No comment that a person wrote is lost: what has nothing any more to stand beside goes to the
    end.
    """
    parts = split(text)
    for setting in settings.SETTINGS:
        if setting.table != UPLINK and setting.held_by(old) != setting.held_by(new):
            parts = _with_setting(parts, setting, setting.held_by(new))
    if old.uplinks != new.uplinks:
        parts = _with_uplink_tables(parts, new.uplinks)
    amended = "".join(parts)
    ours = {f"# {setting.help}" for setting in settings.SETTINGS} | {_KEPT}
    lost = Counter(layout(text).comments) - Counter(layout(amended).comments)
    kept = [comment for comment in lost.elements() if comment not in ours]
    if kept:
        head = [] if _KEPT in layout(amended).comments else [_KEPT]
        amended = "".join(_with_table([amended], "\n".join([*head, *kept, ""])))
    if 0 < text.count("\n") == text.count("\r\n"):  # written on another system
        return amended.replace("\r\n", "\n").replace("\n", "\r\n")
    return amended


def _with_setting(parts: list[str], setting: Setting, item: object) -> list[str]:
    """Return the parts of a file with a setting in them, where its table is or in a new one."""
    line = f"{setting.key} = {toml(item)}\n"
    if setting.table == GENERAL:
        if setting.key in tomllib.loads(parts[0]):
            return [with_key(parts[0], (setting.key,), item), *parts[1:]]
        return [line + parts[0], *parts[1:]]
    for index, part in enumerate(parts):
        table = tomllib.loads(part).get(setting.table)
        if table is None:
            continue
        if setting.key in table or is_inline(part, setting.table):
            amended = with_key(part, (setting.table, setting.key), item)
        elif index:
            header, newline, rest = part[layout(part).headers[0] :].partition("\n")
            lead = part[: layout(part).headers[0]]
            amended = f"{lead}{header}{newline or chr(10)}{line}{rest}"
        else:
            amended = f"{setting.table}.{line}{part}"
        return [*parts[:index], amended, *parts[index + 1 :]]
    return _with_table(parts, f"[{setting.table}]\n{line}")


def _with_uplink_tables(parts: list[str], uplinks: tuple[Uplink, ...]) -> list[str]:
    """Return the parts with a table for each uplink, in that order where the first one stood.

    An array of them, which has no place for another's comments, becomes tables at the end.
    """
    tables: dict[str, str] = {}
    array: dict[str, dict[str, Any]] = {}
    others: list[str] = []
    place = 0
    for index, part in enumerate(parts):
        entries = {entry["interface"]: entry for entry in tomllib.loads(part).get(UPLINK, ())}
        if entries and index:
            tables |= dict.fromkeys(entries, part)
            place = place or len(others)
        elif entries:
            array = entries
            others.append(without_key(part, UPLINK))
        else:
            others.append(part)
    place = place or len(others)
    amended, rest = others[:place], others[place:]
    for uplink in uplinks:
        if table := tables.get(uplink.interface):
            table = _with_metric(table, uplink.metric)
            amended = [*amended[:-1], ended(amended[-1]), table]
        elif entry := array.get(uplink.interface):
            amended = _with_table(amended, _with_metric(_table_of(entry), uplink.metric))
        else:
            new = "\n".join([*config_file.render_uplink(uplink), ""])
            amended = _with_table(amended, new)
    return [*amended[:-1], ended(amended[-1]), *rest]


def _with_table(parts: list[str], table: str) -> list[str]:
    """Return the parts with another one at the end, after an empty line."""
    last = ended(parts[-1])
    empty = not last or last.endswith(("\n\n", "\n\r\n"))
    return [*parts[:-1], last, table if empty else f"\n{table}"]


def _with_metric(part: str, metric: int) -> str:
    """Return an uplink's table with the metric of its rank, where another one is written."""
    (entry,) = tomllib.loads(part)[UPLINK]
    if entry.get("metric", metric) == metric:
        return part
    return with_key(part, (UPLINK, 0, "metric"), metric)


def _table_of(entry: dict[str, Any]) -> str:
    items = {key: tuple(item) if isinstance(item, list) else item for key, item in entry.items()}
    return "\n".join(["[[uplink]]", *(f"{key} = {toml(item)}" for key, item in items.items()), ""])
