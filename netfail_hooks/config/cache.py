"""The compiled form of the config, which a hook can read in no time.

Parsing TOML costs a hook 12 ms of CPU. So the first reader leaves the values in
``/run/netfail-hooks/config``, a field of Config a line, under the stat of the file they came
from; whoever finds that stat unchanged need not parse. Names are as a person wrote them: which
interface an alternative one means may be another at each look. The first line has all the names by
which an event may call what is ours now: more than that the shell in front of a hook does not read.
"""

from __future__ import annotations

import os

from netfail_hooks.config import MODES, TARGETS, Bond, Config, Target, Uplink
from netfail_hooks.errors import Misuse
from netfail_hooks.files import own_directory, read_owned, read_text, write_whole
from netfail_hooks.names import is_address, is_interface_name
from netfail_hooks.paths import Paths
from netfail_hooks.values import TYPE_CHECKING, fields, replace

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    T = TypeVar("T")

    Generation = tuple[str, str, str]  # of config, manifest, orders

_NICS = "/sys/class/net"
# Orders have a file of their own.
_KINDS = {name: kind for name, kind in Config.__annotations__.items() if name != "orders"}
CONDITION = "ConditionPathExists="  # systemd.unit(5)
COMPILED_FORM = "netfail-hooks config 7"  # hooks/routable asks for that number


def load(paths: Paths) -> Config:
    """Return the machine's configuration. Raises Misuse where it is missing or wrong."""
    try:
        status = os.stat(paths.config)
    except FileNotFoundError:
        gone = "is gone" if os.path.exists(paths.manifest) else "is not there: nothing is installed"
        raise Misuse(f"{paths.config} {gone}", hint="run 'sudo netfail-hooks install'") from None
    except OSError as error:
        hint = "see 'ls -ld' of its directories"
        raise Misuse(f"{paths.config}: {error.strerror}", hint=hint) from None
    stamp = _stamp(status)
    head, written = _compiled(paths, stamp)
    if written is None:
        from netfail_hooks.config.file import read

        written = read(paths.config)
    config = _by_kernel_names(written, paths)
    wanted = _head(config)
    if head == wanted:
        return _with_orders(config, paths)
    try:
        own_directory(paths.run)
        text = f"{wanted}\n{compile_config(written, stamp)}"
        # The shell knows by its time which config.toml it was made of.
        write_whole(paths.compiled_config, text.encode("ascii"), modified=status.st_mtime_ns)
        if not os.path.exists(paths.config):  # uninstall was at work meanwhile: it leaves nothing
            os.unlink(paths.compiled_config)
            os.rmdir(paths.run)
    except OSError:
        pass  # an ordinary user's status, or a full /run: only slower next time
    return _with_orders(config, paths)


def _compiled(paths: Paths, stamp: str) -> tuple[str, Config | None]:
    """Return the first line and the Config of the compiled form, None if it is of no use."""
    try:
        text = read_owned(paths.compiled_config).decode("ascii")
        head, _, rest = text.partition("\n")
        if head.startswith(f"{COMPILED_FORM} "):
            return head, parse_compiled(rest, stamp)
    except (OSError, ValueError):
        pass  # absent, stale, foreign or damaged: all mended by compiling anew
    return "", None


def _by_kernel_names(config: Config, paths: Paths) -> Config:
    """Return the config with the kernel's own names for uplinks named by an alternative one."""
    missing = [name for name in config.names() if not os.path.exists(paths.at(f"{_NICS}/{name}"))]
    if not missing or paths.root:
        return config
    from netfail_hooks.config.altnames import by_kernel_names

    return by_kernel_names(config)


def _with_orders(config: Config, paths: Paths) -> Config:
    """Return the config with what a person asked for by hand: mostly nothing."""
    if not (os.path.exists(paths.orders) or os.path.exists(paths.kept_orders)):
        return config
    from netfail_hooks.config import orders

    return replace(config, orders=orders.load(paths, config.names()))


def generation(paths: Paths) -> Generation:
    """Return what another install, an uninstall, an edit of the config or an order changes.

    "" for what is not there: a machine may have lost its manifest, and fails over all the same.
    """
    orders = _stamp_of(paths.orders) + _stamp_of(paths.kept_orders)
    return _stamp_of(paths.config), _stamp_of(paths.manifest), orders


def has_ended(before: Generation, now: Generation) -> bool:
    """Tell whether what there was before has been uninstalled since. Pure."""
    return any(old and not new for old, new in zip(before[:2], now))  # noqa: B905 - the third: orders


def is_installed(now: Generation, paths: Paths) -> bool:
    """Tell whether something may have us act: after ``uninstall --keep-config`` a config alone.

    A hook or a check that had begun before reads that config all the same.
    """
    return bool(now[1]) or any(map(os.path.exists, paths.starters()))


def stands_down(paths: Paths) -> bool:
    """Tell whether another manager has the uplinks still, or again.

    Where the power goes amid an install or uninstall, hooks and units are there, and what decides
    who has the uplinks is not. A manager that asks who has its addresses (RFC 5227) would take our
    announcements for another machine's, and give them up one after the other.
    """
    for line in read_text(paths.condition).splitlines():
        if line.startswith(CONDITION):
            return not os.path.lexists(paths.at(line.removeprefix(CONDITION)))
    return False


def _stamp_of(path: str) -> str:
    try:
        return _stamp(os.stat(path))
    except OSError:
        return ""


def _stamp(status: os.stat_result) -> str:
    return f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"


def compile_config(config: Config, stamp: str) -> str:
    """Return the compiled form of ``config``, but for its first line.

    ``stamp`` is that of the file it comes from.
    """
    lines = [stamp]
    for name, kind in _KINDS.items():
        item = getattr(config, name)
        if kind == "tuple[Uplink, ...]":
            lines += [f"{name} {_compile(uplink)}" for uplink in item]
        elif kind == "Bond":
            lines.append(f"{name} {_compile(item)}")
        else:
            lines.append(f"{name} {_word(item)}")
    return "\n".join([*lines, "end", ""])


def parse_compiled(text: str, stamp: str) -> Config:
    """Return the Config of such a form. Raises ValueError if it is stale or damaged."""
    lines = text.split("\n")
    if lines[0] != stamp or lines[-2:] != ["end", ""]:
        raise ValueError("stale or damaged")
    kinds = _KINDS
    uplinks = []
    values: dict[str, Any] = {}
    for line in lines[1:-2]:
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


def _head(config: Config) -> str:
    """Return the first line, for a config with the kernel's names."""
    bond = (config.bond.name,) if config.mode == "bond" else ()
    return " ".join([COMPILED_FORM, *config.names(), *bond])


def _compile(item: Uplink | Bond) -> str:
    """Return a value's fields as words of one line."""
    return " ".join([_word(getattr(item, name)) for name in fields(item)])


def _word(item: object) -> str:
    """Return a field as one word: no setting may hold a space, nor an item of a list a comma."""
    if isinstance(item, tuple):
        return ",".join([_word(element) for element in item])
    if isinstance(item, Target):
        plain = f"{item.family}/{item.address}/{item.port}"
        more = (item.kind, item.host, item.path, str(item.status), item.text)
        return "/".join([plain, *map(_escaped, more)]) if item.kind else plain
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
    family, address, port, *more = word.split("/")
    if more:
        kind, host, path, status, text = map(_unescaped, more)
        if kind in TARGETS and (not address or is_address(int(family), address)):
            return Target(int(family), address, int(port), kind, host, path, int(status), text)
    if more or not is_address(int(family), address):
        raise ValueError("damaged")
    return Target(int(family), address, int(port))


def _escaped(text: str) -> str:
    """Return a text without what parts words, and parts of them."""
    return "".join([c if c.isalnum() or c in ".-_:" else f"%{ord(c):02x}" for c in text])


def _unescaped(word: str) -> str:
    first, *others = word.split("%")
    return first + "".join([chr(int(other[:2], 16)) + other[2:] for other in others])


# By how a value class annotates its field; another kind of field has an entry here.
_PARSERS: dict[str, Callable[[str], Any]] = {
    "int": int,
    "bool": _flag,
    "str": str,
    "tuple[str, ...]": _words,
    "tuple[Target, ...]": _targets,
}
