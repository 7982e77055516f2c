"""What of a file of settings that not all may read may be shown: the ones that open nothing.

wpa_supplicant's files hold keys, passwords, and the names of houses and people. As with
``.network`` files no list of what is secret is ever whole, so this one is of what is not.
"""

from __future__ import annotations

import re

REDACTED = "(redacted)"
# Those of wpa_supplicant.conf(5) that name neither people nor places.
_KEYS = """
ctrl_interface update_config country ap_scan fast_reauth p2p_disabled network
scan_ssid priority key_mgmt ieee80211w pmf proto pairwise group auth_alg eap bgscan
freq_list scan_freq disabled mode frequency
"""
_KNOWN = frozenset(_KEYS.split())
_SETTING = re.compile(r"(\s*)(\w+)=(.*)", re.DOTALL)
_HARMLESS = re.compile(r"[A-Za-z0-9 =/_.,:+-]{0,200}\{?\s*")  # no comment behind it
_OURS = "# netfail-hooks:"


def hidden_settings(text: str) -> str:
    """Return the text of such a file, as many lines of it, without secrets."""
    return "\n".join(map(_hidden, text.split("\n")))


def _hidden(line: str) -> str:
    if line.strip() in ("", "}") or line.startswith(_OURS):
        return line
    setting = _SETTING.fullmatch(line)
    if not setting:
        return f"# {REDACTED}"
    indent, key, given = setting.groups()
    known = key in _KNOWN and _HARMLESS.fullmatch(given)
    return line if known else f"{indent}{key if key.isascii() else ''}={REDACTED}"
