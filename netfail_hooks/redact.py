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

_SECRET = re.compile(
    r"^([#;\s]*[\w.-]*(?:password|passphrase|secret|private|psk|presharedkey|token|ssid|hostname|duid|"
    r"clientidentifier|sendoption|vendoroption|username|identity)[\w.-]*\s*=)(?:[^\n\\]|\\[\s\S])*",
    re.IGNORECASE | re.MULTILINE,
)
_MAC = re.compile(r"(?<![0-9A-Fa-f:-])[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4}"
                  r"(?![0-9A-Fa-f:-])")  # fmt: skip
_FOUR = re.compile(r"(?<![\w.])(\d{1,3}(?:\.\d{1,3}){3})(/\d{1,2})?(?![\w.])")
_SIX = re.compile(r"(?<![0-9A-Fa-f])((?:::|[0-9A-Fa-f]{1,4}:)[0-9A-Fa-f:]*(?:\.\d+){0,3})"
                  r"(/\d{1,3})?")  # fmt: skip
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_GIVEN = b"\xff\xfe"  # in the middle of an interface identifier made of a hardware address
_NO_MAC = ("00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff")


class Redactor:
    """One mapping of addresses to placeholders. ``key``: of a few random bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._heads: dict[tuple[int, int], int] = {}
        self._macs: dict[str, str] = {}

    def text(self, text: str) -> str:
        """Return a text without secrets, hardware addresses and public addresses."""
        text = _SECRET.sub(r"\1(redacted)", text)
        text = _MAC.sub(lambda found: self._mac(found[0]), text)
        text = _FOUR.sub(lambda found: self._found(found[1], found[2] or ""), text)
        return _SIX.sub(lambda found: self._found(found[1], found[2] or ""), text)

    def _mac(self, text: str) -> str:
        plain = text.lower().replace("-", ":")
        if plain in _NO_MAC:
            return text
        number = len(self._macs) + 1
        made = f"02:00:00:00:{number >> 8 & 255:02x}:{number & 255:02x}"
        return self._macs.setdefault(plain, made).replace(":", "-" if "-" in text else ":")

    def _found(self, text: str, length: str) -> str:
        """Redact what looks like an address, with the length of its prefix if it has one."""
        shown = text if text.endswith("::") else text.rstrip(":")  # the end of a sentence's part
        try:
            found = ipaddress.ip_address(shown)
            prefix = int(length[1:] or found.max_prefixlen)
            host = (1 << found.max_prefixlen - prefix) - 1
        except ValueError:
            return text + length
        new = self._address(found)
        if not int(found) & host:  # a prefix is written with zeros
            new = type(found)(int(new) & ~host)
        return f"{shown if new == found else new}{text[len(shown) :]}{length}"

    def _address(self, found: Address) -> Address:
        number = int(found)
        if found.version == 4:
            return ipaddress.IPv4Address(self._four(number)) if found.is_global else found
        if number >> 125 == 1 and found.is_global:  # 2000::/3 is all that IANA has given away
            return ipaddress.IPv6Address(self._public(number))
        if found.packed[11:13] == _GIVEN:
            return ipaddress.IPv6Address(number >> 64 << 64 | self._flipped(number, 128, 64))
        return found

    def _four(self, address: int) -> int:
        head = 241 + self._place(4, address >> 24) % 14
        return head << 24 | self._flipped(address, 32, 24)

    def _public(self, address: int) -> int:
        head = 0x3FFF0000 | self._place(6, address >> 96) & 0xFFF
        return head << 96 | self._flipped(address, 128, 96)

    def _place(self, family: int, head: int) -> int:
        """Return the number of an address's beginning, in the order in which they come."""
        known = sum(one == family for one, _ in self._heads)
        return self._heads.setdefault((family, head), known)

    def _flipped(self, address: int, bits: int, last: int) -> int:
        """Return the last so many bits of an address, each flipped or not by those before it."""
        result = 0
        for left in reversed(range(last)):
            before = (address >> left + 1).to_bytes(bits // 8, "big")
            flip = hashlib.blake2b(before + bytes([left]), key=self._key, digest_size=1).digest()
            result = result << 1 | (address >> left & 1 ^ flip[0] & 1)
        return result
