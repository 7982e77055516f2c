"""Take out of a text what is nobody else's business, so that it can still be replayed.

The same address becomes the same placeholder everywhere, and two addresses in one prefix are in
one prefix afterwards: each bit is flipped or not by a keyed hash of the bits before it (as
Crypto-PAn does, Xu and others, ICNP 2002). The key is thrown away with the :class:`Redactor`.
Placeholders are recognizable: 240.0.0.0/4 has no hosts (RFC 1112), 3fff::/20 is for documents
(RFC 9637), 02:... are hardware addresses of no maker's. Private addresses stay: they say nothing.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re

# Not in a line of JSON: those are our own, and have to be read again.
_SECRET = re.compile(
    r"^(?!\{)([^\n]*?(?:password|passphrase|passwd|secret|private|psk|key|token|ssid|hostname|duid|"
    r"clientidentifier|sendoption|vendoroption|username|userclass|identity|apn|domains|description)"
    r"[^\n:=]*[:=])(?:[^\n\\]|\\[\s\S])*",
    re.IGNORECASE | re.MULTILINE,
)
# Of that, what opens something.
CREDENTIAL = re.compile(
    "password|passphrase|passwd|secret|private|psk|preshared|key|token", re.IGNORECASE
)
_HOME = re.compile(r"(/home/)[^/\s\"]+")
_LOGIN = re.compile(r"://[^\s/\"@]+@")
# Of a target's page or program: some services know their customers by a path alone.
_PAGE = re.compile(r"(\bhttps?6?://[^\s/\"]+/|\"path\": ?\"/)[^\s\"\\]+")
# Of 6, 8 (Firewire) or 20 (InfiniBand) octets; an address of IPv6 goes on at either end.
_MAC = re.compile(
    r"(?<![0-9A-Fa-f])(?<![0-9A-Fa-f:][:-])"
    r"[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4,18}"
    r"(?![0-9A-Fa-f]|[:-][0-9A-Fa-f])"
    r"|\b[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}(?!\w|\.\w)"
)
# systemd.net-naming-scheme(7): a NIC in a USB port is named after its hardware address.
_NAMED = re.compile(r"((?:en|ib|sl|wl|ww)x)([0-9A-Fa-f]{12})")
_FOUR = re.compile(r"(?<!\d)(?<!\d\.)(\d{1,3}(?:\.\d{1,3}){3})(/\d{1,2})?(?!\d|\.\d)")
_SIX = re.compile(r"((?:::|[0-9A-Fa-f]{1,4}:)[0-9A-Fa-f:]*(?:\.\d+){0,3})(/\d{1,3})?")
_LEADING = re.compile(r"(?<![\w:])0+(?=\d)")  # inet_aton(3) takes 081.2.69.142 for an address, too
# The first group of one that IANA has given away (2000::/3), in what is no address after all.
_DAMAGED = re.compile(r"[23][0-9A-Fa-f]{3}:[0-9A-Fa-f]*:")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_GIVEN = b"\xff\xfe"  # in the middle of an interface identifier made of a hardware address
# What has an IPv4 address as its end: compatible and mapped ones (RFC 4291), and behind NAT64
# (RFC 6052). 64:ff9b:1::/48 has it anywhere (RFC 8215).
_AROUND_FOUR = (0, 0xFFFF, 0x64FF9B << 64)
_NAT64 = 0x64FF9B0001


class Redactor:
    """One mapping of addresses to placeholders. ``key``: of a few random bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._fours: dict[int, int] = {}  # beginnings of addresses, in the order in which they come
        self._sixes: dict[int, int] = {}
        self._macs: dict[str, str] = {}

    def text(self, text: str) -> str:
        """Return a text without secrets, hardware addresses and public addresses."""
        text = _HOME.sub(r"\1(redacted)", text)
        text = _LOGIN.sub("://(redacted)@", _SECRET.sub(r"\1(redacted)", text))
        text = _PAGE.sub(r"\1(redacted)", text)
        text = _NAMED.sub(lambda match: match[1] + self._mac(match[2]), text)
        text = _MAC.sub(lambda match: self._mac(match[0]), text)
        text = _FOUR.sub(lambda match: self._exchanged(match[1], match[2] or ""), text)
        return _SIX.sub(lambda match: self._exchanged(match[1], match[2] or ""), text)

    def _mac(self, text: str) -> str:
        """Return a placeholder of the same length, with what stands between the digits."""
        digits = "".join(filter(str.isalnum, text.lower()))
        if set(digits) in ({"0"}, {"f"}):
            return text
        number = len(self._macs) + 1
        new = iter(self._macs.setdefault(digits, f"02{number:0{len(digits) - 2}x}"))
        return "".join(next(new) if char.isalnum() else char for char in text)

    def _exchanged(self, text: str, length: str) -> str:
        """Redact what looks like an address, with the length of its prefix if it has one."""
        shown = text if text.endswith("::") else text.rstrip(":")  # the end of a sentence's part
        try:
            old = ipaddress.ip_address(_LEADING.sub("", shown) if "." in shown else shown)
            prefix = int(length[1:] or old.max_prefixlen)
            host = (1 << old.max_prefixlen - prefix) - 1
        except ValueError:
            return "(redacted)" if _DAMAGED.match(text) else text + length
        new = self._address(old)
        if not int(old) & host:  # a prefix is written with zeros
            new = type(old)(int(new) & ~host)
        return f"{shown if new == old else new}{text[len(shown) :]}{length}"

    def _address(self, old: Address) -> Address:
        number = int(old)
        if old.version == 4:
            return ipaddress.IPv4Address(self._four(number)) if old.is_global else old
        if number >> 125 == 1:  # 2000::/3 is all that IANA has given away
            documents = number >> 96 == 0x20010DB8 or number >> 108 == 0x3FFF0
            return old if documents else ipaddress.IPv6Address(self._public(number))
        if number >> 32 in _AROUND_FOUR:
            inner = self._address(ipaddress.IPv4Address(number & 0xFFFFFFFF))
            return ipaddress.IPv6Address(number >> 32 << 32 | int(inner))
        if number >> 80 == _NAT64:
            return ipaddress.IPv6Address(number >> 80 << 80 | self._flipped(number, 80))
        if old.packed[11:13] == _GIVEN:
            return ipaddress.IPv6Address(number >> 64 << 64 | self._flipped(number, 64))
        return old

    def _four(self, address: int) -> int:
        head = 241 + self._fours.setdefault(address >> 24, len(self._fours)) % 14
        return head << 24 | self._flipped(address, 24)

    def _public(self, address: int) -> int:
        head = 0x3FFF0000 | self._sixes.setdefault(address >> 96, len(self._sixes)) & 0xFFF
        return head << 96 | self._flipped(address, 96)

    def _flipped(self, address: int, last: int) -> int:
        """Return the last so many bits of an address, each flipped or not by those before it."""
        result = 0
        for left in reversed(range(last)):
            before = (address >> left + 1).to_bytes(16, "big")
            flip = hashlib.blake2b(before + bytes([left]), key=self._key, digest_size=1).digest()
            result = result << 1 | (address >> left & 1 ^ flip[0] & 1)
        return result
