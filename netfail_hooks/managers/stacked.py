"""What interfaces(5) puts on a NIC: the bridges, bonds and VLANs of other stanzas.

Other packages' scripts in if-*.d make them, by options of their own: bridge-utils (whose
lib/bridge-utils.sh reads ``bridge_ports``), ifenslave, vlan, openvswitch-switch, batctl.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from netfail_hooks.managers.interfaces import COMMANDS, Interfaces, Stanza

# By how options begin; of the first kind a NIC becomes a part, the second it carries.
_HOLDERS = ("bond", "bridge", "slaves", "ovs", "team", "batman", "vrf")
_CARRIED = ("vlan", "vxlan", "macvlan", "hostapd")
_HELD_BY = ("bond-master", "ovs-bridge", "vrf")  # in the stanza of the part
_LISTS = ("bridge-ports", "bond-slaves", "slaves")
_ALL = ("eth.*", "em.*", "en.*", "p[0-9].*")  # what "all" stands for
_CLASSES = {"[:digit:]": "0-9", "[:alpha:]": "A-Za-z", "[:alnum:]": "A-Za-z0-9"}
_JOINS = re.compile(r"\b(master|addif|add-port|add-bond|ifenslave|batctl|bonding/slaves)\b")
_WORD_ENDS = re.compile(r"[\s;&|+\"'()]+")


def held_by(known: Interfaces, name: str) -> Iterator[tuple[str, Stanza]]:
    """Yield in which words a NIC is to be a part of something, each with its stanza."""
    own = known.logical(name) or name
    for one in known.stanzas:
        for key, text in _options(one):
            if one.name in (name, own):
                if key in _HELD_BY and text not in ("none", ""):
                    yield f"{text} sits on {name}", one
            elif key.startswith(_HOLDERS) and _is_among(key, text, name):
                yield f"{one.name} sits on {name}", one
            if key in COMMANDS and _joins(text.replace("$IFACE", one.name), name):
                yield f"'{text[:60]}' makes {name} a part of something", one


def carried_by(known: Interfaces, name: str) -> Iterator[tuple[str, Stanza]]:
    """Yield in which words a NIC is to carry something, each with its stanza."""
    for one in known.stanzas:
        if one.name.startswith(f"{name}."):
            yield f"{one.name} sits on {name}", one
        for key, text in _options(one):
            if key.startswith(_CARRIED) and name in text.split() and one.name != name:
                yield f"{one.name} sits on {name}", one
            if key.startswith((*_HOLDERS, *_CARRIED)):  # which make a VLAN that is not there
                above = (word for word in text.split() if word.startswith(f"{name}."))
                yield from ((f"{word} sits on {name}", one) for word in above)


def at_boot(known: Interfaces, one: Stanza) -> bool:
    """Tell whether a boot raises a stanza."""
    named = [word.partition("=")[2] for kind, word in known.raised if kind in ("auto", "hotplug")]
    return one.name in named or known.logical(one.name, "auto", "hotplug") == one.name


def _options(one: Stanza) -> Iterator[tuple[str, str]]:
    """Yield a stanza's options by one spelling: scripts are told "_" for "-" (interfaces(5))."""
    for key, text in one.options:
        yield key if key in COMMANDS else key.replace("_", "-"), text


def _is_among(key: str, text: str, name: str) -> bool:
    """Tell whether an option's words are about a NIC, by name or, in a list of ports, by pattern.

    What is between "regex" and "noregex" are patterns of egrep's.
    """
    words = text.split()
    if key not in _LISTS:
        return name in words
    by_pattern = False
    for word in words:
        if word == "all":
            by_pattern = False
            if any(_fits(pattern, name) for pattern in _ALL):
                return True
        elif word in ("regex", "noregex"):
            by_pattern = word == "regex"
        elif word == name or (by_pattern and _fits(word, name)):
            return True
    return False


def _fits(pattern: str, name: str) -> bool:
    """Tell whether egrep would find a name by a pattern; of one that we can't read, that it does.

    It is not bracketed there: of "^a|b$" one end is free.
    """
    for word, signs in _CLASSES.items():
        pattern = pattern.replace(word, signs)
    try:
        return re.search(f"^{pattern}$", name) is not None
    except re.error:
        return True


def _joins(command: str, name: str) -> bool:
    """Tell whether a command makes a NIC a part of something."""
    return bool(_JOINS.search(command)) and name in _WORD_ENDS.split(command)
