"""What the real ifquery says of drawn files is what our parser says (ifup(8))."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from netfail_hooks.managers import interfaces
from netfail_hooks.paths import Paths

_NICS = ("eth0", "eth1", "wlan0", "eth0:1")
_SPACES = st.sampled_from([" ", "  ", "\t", " \\\n", "\\\n "])
_HEADS = ("auto", "allow-hotplug", "allow-auto", "no-auto-down", "no-scripts", "rename")
_OPTIONS = (
    "hostname box",
    "metric 5",
    "dns-nameservers 192.0.2.1 192.0.2.2",
    "up echo one # no comment",
    "post-up echo two",
    "down true",
    "pre-down false",
    "wpa-ssid My Network",
    "vendor",
    "#vendor x",
    "bridge_ports none",
    "mtu 1400",
)


@st.composite
def _line(draw: st.DrawFn) -> str:
    kind = draw(st.integers(0, 9))
    nic = st.sampled_from(_NICS)
    if kind < 3:
        words = [draw(st.sampled_from(_HEADS)), *draw(st.lists(nic, max_size=2))]
    elif kind < 6:
        method = draw(st.sampled_from(("inet dhcp", "inet manual", "inet6 auto", "inet6 manual")))
        words = ["iface", draw(nic), *method.split()]
        if draw(st.booleans()):
            words += ["inherits", draw(nic)] if draw(st.booleans()) else ["odd"]
    elif kind == 6:
        words = ["iface", draw(nic), "inherits", draw(nic)]
    elif kind == 7:
        words = ["source", draw(st.sampled_from(("more", "d/*", "d/one", "nothing", "self")))]
    elif kind == 8:
        words = [draw(st.sampled_from(("source-directory", "source-dir"))), "d"]
    else:
        odd = ("mapping eth9", "script /bin/true", "iface", "iface x", "")
        words = draw(st.sampled_from(odd)).split()
    return draw(st.sampled_from(("", "  ", "\t"))) + draw(_SPACES).join(words)


_BROKEN = ["iface eth0 inet manual", "  hostname a\\\nb \\\n  c", "au\\\nto eth0"]
_HEIRS = [
    *("iface eth0 inet manual", "hostname four", "iface eth0 inet6 manual", "hostname six"),
    *("iface eth1 inet6 manual inherits eth0", "auto", "metric 1", "iface wlan0 inherits eth0"),
]
_LINES = st.lists(_line() | st.sampled_from(_OPTIONS).map(lambda one: f"  {one}"), max_size=9)


@given(_LINES, _LINES, _LINES)
@example(_BROKEN, [], [])
@example(_HEIRS, [], [])
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_ifquery_says_the_same(top: list[str], more: list[str], one: list[str]) -> None:
    with tempfile.TemporaryDirectory() as root:
        os.mkdir(f"{root}/d")
        for name, lines in (("self", top), ("more", more), ("d/one", one), ("d/two.bak", more)):
            with open(f"{root}/{name}", "w", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")
        known = interfaces.read(Paths(), f"{root}/self")
        for kind in ("auto", "hotplug"):
            taken, said = _ifquery(root, "--list", "--allow", kind)
            assert taken == (not known.wrong), known.wrong
            if not known.wrong:
                raised = dict.fromkeys(word for one, word in known.raised if one == kind)
                there = [word for word in raised if known.of(word)]
                assert [line for line in said if line != "lo"] == there
        for nic in _NICS if not known.wrong else ():
            _, said = _ifquery(root, nic)
            assert _interesting(said) == _options(known.of(nic)), nic


def _ifquery(root: str, *words: str) -> tuple[bool, list[str]]:
    """Return whether ifquery takes the files, and what it says."""
    argv = ["ifquery", "--interfaces", f"{root}/self", "--state-dir", root, *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return "couldn't read interfaces" not in done.stderr, done.stdout.splitlines()


_KEYS = ("hostname", "dns-nameservers", "up", "down", "wpa-ssid", "bridge_ports")


def _interesting(said: list[str]) -> list[str]:
    """Return what ifquery says of the options that no method has a default for, or changes."""
    found: list[str] = []
    for line in said:
        key, colon, _ = line.partition(": ")
        if colon and key in _KEYS:
            found.append(line)
        elif not colon and found:
            found[-1] += f"\n{line}"
    return found


def _options(stanzas: Sequence[interfaces.Stanza]) -> list[str]:
    return [f"{key}: {text}" for one in stanzas for key, text in one.options if key in _KEYS]
