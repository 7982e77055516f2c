"""What a setting of config.toml may hold: its check, its range in words, and how it is written."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable
from typing import Protocol

from netfail_hooks.config import Target
from netfail_hooks.names import IFNAMSIZ, is_interface_name
from netfail_hooks.values import value


class Kind(Protocol):
    """A kind of value; ``parse`` takes what TOML holds and raises ValueError with the reason."""

    @property
    def span(self) -> str:
        """Return what may be there, in words; "" where the help says so."""

    def parse(self, raw: object) -> object:
        """Return the value for the field of a value class. Raises ValueError."""


@value
class Number:
    """A whole number, both ends included."""

    low: int
    high: int

    @property
    def span(self) -> str:
        return f"{self.low} to {self.high}"

    def parse(self, raw: object) -> int:
        if isinstance(raw, bool) or not isinstance(raw, int):
            raise ValueError(f"must be a whole number, not {raw!r}")
        if not self.low <= raw <= self.high:
            raise ValueError(f"must be {self.span}, not {raw}")
        return raw


@value
class Flag:
    """True or false."""

    span: str = ""

    def parse(self, raw: object) -> bool:
        if not isinstance(raw, bool):
            raise ValueError(f"must be true or false, not {raw!r}")
        return raw


@value
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    @property
    def span(self) -> str:
        return ", ".join(f'"{word}"' for word in self.words)

    def parse(self, raw: object) -> str:
        if not isinstance(raw, str) or raw not in self.words:
            *first, last = (f'"{word}"' for word in self.words)
            raise ValueError(f"must be {', '.join(first)} or {last}, not {raw!r}")
        return raw


_SHORTER = f" of up to {IFNAMSIZ - 1} characters"  # an alternative one may have 127


@value
class InterfaceName:
    """What the kernel takes for the name of an interface."""

    span: str = ""

    def parse(self, raw: object) -> str:
        if isinstance(raw, str) and is_interface_name(raw):
            return raw
        shorter = _SHORTER if isinstance(raw, str) and len(raw) >= IFNAMSIZ else ""
        raise ValueError(f"not an interface name{shorter}: {raw!r}")


@value
class Hours:
    """A span of local time, "" for all of it: its end may be on the next day."""

    span: str = ""

    def parse(self, raw: object) -> str:
        if raw == "":
            return ""
        fitting = isinstance(raw, str) and _HOURS.fullmatch(raw)
        if not fitting or fitting[1] == fitting[2]:
            raise ValueError(f"must be two times of a day as in '22:00-05:30', not {raw!r}")
        return fitting[0]


_TIME = "((?:[01][0-9]|2[0-3]):[0-5][0-9])"
_HOURS = re.compile(f"{_TIME}-{_TIME}")


@value
class List:
    """At most ``most`` texts (0: any number), each read by ``parse_item``; ``item`` names them."""

    parse_item: Callable[[str], object]
    item: str
    most: int = 0
    span: str = ""

    def parse(self, raw: object) -> tuple[object, ...]:
        if not isinstance(raw, list):
            raise ValueError(f"must be a list, not {raw!r}")
        if self.most and len(raw) > self.most:
            raise ValueError(f"must be a list of at most {self.most}, not of {len(raw)}")
        return tuple(self._parse_item(text) for text in raw)

    def _parse_item(self, text: object) -> object:
        if isinstance(text, str):
            try:
                return self.parse_item(text)
            except ValueError:
                pass  # its words are the standard library's
        raise ValueError(f"no {self.item}: {text!r}")


@value
class MetricsFile:
    """The path of a file of metrics, or "" for none.

    Only where nothing hangs and nothing but the machine itself is needed: a network's file system
    that is away would hold up the hook that brings the network back.
    """

    span: str = ""

    def parse(self, raw: object) -> str:
        if not isinstance(raw, str):
            raise ValueError(f"must be a path, not {raw!r}")
        if raw:
            _refuse_wrong_path(raw)
        return raw


_PLAIN = re.compile(r"/[A-Za-z0-9_./+@,=-]{1,200}")  # what a unit and a state file take as it is
_ALLOWED = ("/run/", "/var/lib/prometheus/")
_THEIRS = "/run/user/"  # directories of users, who could have root write elsewhere


def _refuse_wrong_path(path: str) -> None:
    shown = repr(path[:60])
    if not _PLAIN.fullmatch(path) or os.path.normpath(path) != path:
        raise ValueError(f"must be an absolute path of plain characters, not {shown}")
    if not path.startswith(_ALLOWED) or path.startswith(_THEIRS):
        raise ValueError(
            "must be below /run or /var/lib/prometheus, for elsewhere a write may hang and hold "
            f"up a failover, not {shown}"
        )
    if path.count("/") < 3:
        raise ValueError(
            f"must have a directory of its own, as in '/run/x/netfail.prom', not {shown}"
        )
    if not path.endswith(".prom"):
        raise ValueError(f"must end in .prom, or node_exporter does not read it, not {shown}")


@value
class Quorum:
    """How many targets must answer: one of a few words, or a number."""

    words: tuple[str, ...]
    high: int

    @property
    def span(self) -> str:
        return ", ".join([*(f'"{word}"' for word in self.words), f"1 to {self.high}"])

    def parse(self, raw: object) -> str:
        if isinstance(raw, str) and raw in self.words:
            return raw
        text = str(raw)
        number = not isinstance(raw, bool) and text.isascii() and text.isdigit()
        if not number or text[0] == "0" or not 1 <= int(text) <= self.high:
            raise ValueError(f"must be one of {self.span}, not {raw!r}")
        return text


def parse_target(text: str) -> Target:
    """Return the target that a text names, as in HOW_TARGETS. Raises ValueError.

    Where the network is broken, so is looking names up: of a web page alone the server may be one.
    """
    kind, _, rest = text.partition(":")
    if kind in _PARSERS:
        return _PARSERS[kind](kind, rest)
    if kind == "icmp":
        address = parse_host(rest)
        return Target(address.version, str(address))
    host, _, port = rest.rpartition(":")
    address = parse_host(host.removeprefix("[").removesuffix("]"))
    if kind != "tcp" or not (port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16):
        raise ValueError("neither icmp:ADDRESS nor tcp:ADDRESS:PORT")
    return Target(address.version, str(address), int(port))


HOW_TARGETS = (
    "icmp:ADDRESS, tcp:ADDRESS:PORT, dns:NAME@ADDRESS, http://HOST[:PORT][/PATH] [STATUS [TEXT]], "
    "https://... or exec:/PATH"
)
# No quotation mark or backslash: config.toml and its comments hold them as they are.
_URL = re.compile(
    r"//(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[!$-\[\]-~]{0,1000})?"
    r"(?: (?P<status>[1-5][0-9][0-9])(?: (?P<text>[!#-\[\]-~][ !#-\[\]-~]{0,199}))?)?"
)
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")  # RFC 1035, section 2.3.1


def _parse_page(kind: str, rest: str) -> Target:
    """Return the target ``http://HOST[:PORT][/PATH] [STATUS [TEXT]]``. Raises ValueError."""
    found = _URL.fullmatch(rest)
    if not found:
        raise ValueError("no such URL")
    port = int(found["port"] or 0)
    if found["port"] is not None and not 0 < port < 1 << 16:
        raise ValueError("no such port")
    scheme, family = kind.removesuffix("6"), 6 if kind.endswith("6") else 4
    host, address = found["host"], ""
    if host[0] == "[" or not host.rpartition(".")[2].strip("0123456789"):
        if family == 6:
            raise ValueError("an address says its family by itself")
        parsed = parse_host(host.strip("[]"))
        family, host, address = parsed.version, "", str(parsed)
    elif not is_host_name(host):
        raise ValueError("no name of a host")
    path, status, text = found["path"] or "/", int(found["status"] or 0), found["text"] or ""
    return Target(family, address, port, scheme, host, path, status, text)


def _parse_question(_: str, rest: str) -> Target:
    """Return the target ``dns:NAME@ADDRESS``. Raises ValueError."""
    name, _, server = rest.rpartition("@")
    address = parse_host(server.removeprefix("[").removesuffix("]"))
    if not is_host_name(name):
        raise ValueError("no name of a host")
    return Target(address.version, str(address), 0, "dns", name)


def _parse_program(kind: str, rest: str) -> Target:
    """Return the target ``exec:/PATH``. Raises ValueError."""
    if not _PLAIN.fullmatch(rest) or os.path.normpath(rest) != rest:
        raise ValueError("not an absolute path of plain characters")
    return Target(6 if kind == "exec6" else 4, "", 0, "exec", "", rest)


def is_host_name(text: str) -> bool:
    """Tell whether a text is a name that can be looked up."""
    return len(text) <= 253 and bool(_NAME.fullmatch(text))


_PARSERS: dict[str, Callable[[str, str], Target]] = {
    "http": _parse_page,
    "https": _parse_page,
    "http6": _parse_page,
    "https6": _parse_page,
    "dns": _parse_question,
    "exec": _parse_program,
    "exec6": _parse_program,
}


def parse_host(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the address of a host elsewhere. Raises ValueError.

    The uplink is named beside it, so no ``%eth0``.
    """
    address = ipaddress.ip_address(text)
    if "%" in text or address.is_multicast or address.is_unspecified or address.is_loopback:
        raise ValueError("not the address of a host beyond the gateway")
    return address


def parse_address(text: str) -> str:
    """Return an address, as it is written. Raises ValueError."""
    ipaddress.ip_address(text)
    return text


def parse_prefix(text: str) -> str:
    """Return a prefix as the kernel tells it, such as 10.0.0.0/8. Raises ValueError."""
    return str(ipaddress.ip_network(text))


def parse_host_address(text: str) -> str:
    """Return the address of a host as the kernel tells it. Raises ValueError."""
    return str(parse_host(text))


def toml(item: object) -> str:
    """Return a value of a field as TOML writes it."""
    if isinstance(item, bool):
        return str(item).lower()
    if isinstance(item, tuple):
        return "[" + ", ".join(f'"{element}"' for element in item) + "]"
    return f'"{item}"' if isinstance(item, str) else str(item)
