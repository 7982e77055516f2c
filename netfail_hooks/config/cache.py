"""The compiled form of the config, which a hook can read in no time.

Parsing TOML costs a hook 12 ms of CPU. So the first reader leaves the values in
``/run/netfail-hooks/config``, a field of Config a line, under the stat of the file they came
from; whoever finds that stat unchanged need not parse.
"""

from __future__ import annotations

import os

from netfail_hooks.config import MODES, Bond, Config, Target, Uplink
from netfail_hooks.errors import Misuse
from netfail_hooks.files import own_directory, read_owned, write_whole
from netfail_hooks.names import is_address, is_interface_name
from netfail_hooks.paths import Paths
from netfail_hooks.values import TYPE_CHECKING, fields

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    T = TypeVar("T")

COMPILED_FORM = "netfail-hooks config 5"


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


def _stamp(status: os.stat_result) -> str:
    return f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"


def compile_config(config: Config, stamp: str) -> str:
    """Return the compiled form of ``config`` for a source file of that ``stamp``."""
    lines = [COMPILED_FORM, stamp]
    for name, kind in Config.__annotations__.items():
        item = getattr(config, name)
        if kind == "tuple[Uplink, ...]":
            lines += [f"{name} {_compile(uplink)}" for uplink in item]
        elif kind == "Bond":
            lines.append(f"{name} {_compile(item)}")
        else:
            lines.append(f"{name} {_word(item)}")
    return "\n".join([*lines, "end", ""])


def parse_compiled(text: str, stamp: str) -> Config:
    """Return the Config of a compiled form. Raises ValueError if it is stale or damaged."""
    lines = text.split("\n")
    if lines[:2] != [COMPILED_FORM, stamp] or lines[-2:] != ["end", ""]:
        raise ValueError("stale or damaged")
    kinds = Config.__annotations__
    uplinks = []
    values: dict[str, Any] = {}
    for line in lines[2:-2]:
        name, _, rest = line.partition(" ")
        if name not in kinds:
            raise ValueError("damaged")
        kind = kinds[name]
        if kind == "tuple[Uplink, ...]":
            uplinks.append(_parse(rest, Uplink))
            values[name] = tuple(uplinks)
        elif kind == "Bond":
            values[name] = _parse(rest, Bond)
        else:
            values[name] = _PARSERS[kind](rest)
    if values.keys() != kinds.keys():
        raise ValueError("damaged")
    config = Config(**values)
    names = (config.bond.name, *config.names())
    if config.mode not in MODES or not all(is_interface_name(name) for name in names):
        raise ValueError("damaged")
    return config


def _compile(item: Uplink | Bond) -> str:
    """Return a value's fields as words of one line."""
    return " ".join([_word(getattr(item, name)) for name in fields(item)])


def _word(item: object) -> str:
    """Return a field as one word: no setting may hold a space, nor an item of a list a comma."""
    if isinstance(item, tuple):
        return ",".join([_word(element) for element in item])
    if isinstance(item, Target):
        return f"{item.family}/{item.address}/{item.port}"
    return str(int(item)) if isinstance(item, bool) else str(item)


def _parse(text: str, cls: type[T]) -> T:
    words = text.split(" ")
    kinds = cls.__annotations__.values()
    if len(words) != len(kinds):
        raise ValueError("damaged")
    return cls(*[_PARSERS[kind](word) for kind, word in zip(kinds, words)])  # noqa: B905 - checked


def _flag(word: str) -> bool:
    if word not in ("0", "1"):
        raise ValueError("damaged")
    return word == "1"


def _words(word: str) -> tuple[str, ...]:
    return tuple(word.split(",")) if word else ()


def _targets(word: str) -> tuple[Target, ...]:
    return tuple([_target(element) for element in _words(word)])


def _target(word: str) -> Target:
    family, address, port = word.split("/")
    if not is_address(int(family), address):
        raise ValueError("damaged")
    return Target(int(family), address, int(port))


# By how a value class annotates its field; another kind of field has an entry here.
_PARSERS: dict[str, Callable[[str], Any]] = {
    "int": int,
    "bool": _flag,
    "str": str,
    "tuple[str, ...]": _words,
    "tuple[Target, ...]": _targets,
}
