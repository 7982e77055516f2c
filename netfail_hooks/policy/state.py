"""What outlives a run, until the next boot: each uplink's state, and who answers for an address.

Kept in ``/run/netfail-hooks/state``, one ``kind field field ...`` a line: JSON would cost a
hook 9 ms. It is replaced whole; a damaged or foreign file is as good as none. Its last line may
be the recorder's line of the transition to this state, until everybody has been told of it.
"""

from __future__ import annotations

from netfail_hooks.names import FAMILIES, is_address, is_interface_name, is_router
from netfail_hooks.policy.facts import MAIN, is_prefix
from netfail_hooks.values import TYPE_CHECKING, fields, replace, value

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from typing import Any, TypeAlias

    Item: TypeAlias = (
        "UplinkState | KnownAddress | AddressOwner | Active | Way | Crowded "
        "| Usage | Metered | Multipath | Quality"
    )

FORM = "netfail-hooks state 6"
# An update does not forget: how many fields an uplink had in an older form, the first of today's.
_OLDER = {"netfail-hooks state 3": 15, "netfail-hooks state 4": 18, "netfail-hooks state 5": 19}
PENDING_LIMIT = 1 << 18  # characters; a line has some thousand
FOLLOWING = 64  # most ways of an uplink, of each family
STATES = ("absent", "up", "down", "recovering")
LATELY = 24 * 60 * 60 * 1000  # milliseconds for which a router's manners are remembered
POOR = "poor: "  # the beginning of a reason: it answers, and others are better (quality.py)


@value
class UplinkState:
    """The state of an uplink in one family.

    ``state``: "absent" (never healthy since boot), "up", "down", or "recovering" (healthy again,
    in its hold-down until ``ready``). ``since`` and ``ready`` are milliseconds since boot, ``hold``
    the length of the last hold-down in seconds, ``down_count`` the link's count of carrier
    losses when last looked at, ``reason`` what is wrong with it now ("" for nothing).
    ``fails`` and ``passes`` count the last rounds of probes in a row that went badly or well,
    ``probed`` is the time of the last one, ``tries`` and ``rtt`` (microseconds) how it went,
    ``silent`` which routers of its link did not answer, by commas, while another one did.
    ``index`` is the interface's number: one that is plugged in again has another (0: not known).
    ``router`` answered last, from the hardware address ``hardware``. That was none of those known
    before at ``exchanged`` (0: never, or long ago), and ``others`` are those, by commas.
    At ``late`` (0: never) it was seen to answer, but later or more rarely than the watch waits for.
    """

    interface: str
    family: int
    state: str
    since: int
    ready: int = 0
    hold: int = 0
    down_count: int = 0
    fails: int = 0
    passes: int = 0
    probed: int = 0
    tries: int = 0
    rtt: int = 0
    reason: str = ""
    silent: str = ""
    index: int = 0
    router: str = ""
    hardware: str = ""
    exchanged: int = 0
    others: str = ""
    late: int = 0

    @property
    def is_lost(self) -> bool:
        """Tell whether it was healthy once and is not trusted now."""
        return self.state in ("down", "recovering")

    def is_late(self, now: int) -> bool:
        """Tell whether it was seen lately to answer later than the watch waits."""
        return bool(self.late) and now - self.late < LATELY

    @property
    def is_poor(self) -> bool:
        """Tell whether it would serve, but for its line's quality."""
        return self.reason.startswith(POOR)

    @property
    def serves(self) -> bool:
        """Tell whether packets find their way by it and back, though others may be better."""
        return self.state in ("up", "recovering") or self.is_poor


@value
class KnownAddress:
    """An address that an uplink has, or had when it was last seen with one.

    ``expires`` is in milliseconds since boot, 0 for never.
    """

    interface: str
    family: int
    address: str
    length: int
    expires: int = 0


@value
class AddressOwner:
    """Which interface answers on the wire for an address; "" while nothing can."""

    family: int
    address: str
    interface: str


@value
class Active:
    """Which uplink carries a family's traffic, and since when (milliseconds since boot)."""

    family: int
    interface: str
    since: int


@value
class Way:
    """A route by an uplink that will follow when it is lost: a downed link no longer has it.

    ``gateway`` is "" for a destination on the uplink's own link.
    """

    interface: str
    family: int
    destination: str
    metric: int
    gateway: str = ""
    table: int = MAIN


@value
class Crowded:
    """An uplink of which, in a family, only a part is looked at (policy/crowd.py): it was told."""

    interface: str
    family: int


@value
class Usage:
    """How many ``bytes`` the interface with that number had carried at a moment (ms since boot).

    ``quiet``: since when little flows by it (ms since boot), 0 where more does. It is of the
    link, whose families are one: it is kept beside IPv4's.
    """

    interface: str
    family: int
    at: int
    bytes: int
    index: int
    quiet: int = 0


@value
class Metered:
    """How many ``bytes`` a metered uplink carried on a ``day``, such as 20261128.

    ``counter`` and ``index`` are of the interface when it was last looked at. Beside IPv4's, as
    Usage is.
    """

    interface: str
    family: int
    day: int
    bytes: int
    counter: int
    index: int


@value
class Multipath:
    """That endpoints of Multipath TCP may be ours, and the limit of subflows from before us.

    Of the whole machine; the ``family`` is 4. ``known`` is 1 once this was kept by an earlier run:
    then the limit may be another.
    """

    family: int
    subflows: int
    known: int = 0


@value
class Quality:
    """What lately came of the questions by which an uplink's line is measured.

    ``rounds`` are the last ones, by commas, each "asked:answered:milliseconds" in all. ``poor`` is
    1 while the line counts as such.
    """

    interface: str
    family: int
    poor: int = 0
    rounds: str = ""


@value
class State:
    """All that is remembered from run to run."""

    uplinks: tuple[UplinkState, ...] = ()
    known_addresses: tuple[KnownAddress, ...] = ()
    owners: tuple[AddressOwner, ...] = ()
    active: tuple[Active, ...] = ()
    ways: tuple[Way, ...] = ()
    crowded: tuple[Crowded, ...] = ()
    usages: tuple[Usage, ...] = ()
    metered: tuple[Metered, ...] = ()
    multipath: tuple[Multipath, ...] = ()
    qualities: tuple[Quality, ...] = ()

    def quality(self, interface: str, family: int) -> Quality | None:
        """Return what is known of an uplink's line, None where it is not measured."""
        for quality in self.qualities:
            if (quality.interface, quality.family) == (interface, family):
                return quality
        return None

    def uplink_state(self, interface: str, family: int) -> UplinkState | None:
        """Return the state of an uplink, None if it was never looked at."""
        for uplink_state in self.uplinks:
            if (uplink_state.interface, uplink_state.family) == (interface, family):
                return uplink_state
        return None

    def silent_routers(self, interface: str, family: int) -> tuple[str, ...]:
        """Return the routers of an uplink's link that did not answer while another one did."""
        uplink_state = self.uplink_state(interface, family)
        return tuple(uplink_state.silent.split(",")) if uplink_state and uplink_state.silent else ()

    def active_uplink(self, family: int) -> str:
        """Return the uplink that carries a family's traffic, "" for none."""
        return next((active.interface for active in self.active if active.family == family), "")

    def has_come_first(self, interface: str, family: int) -> bool:
        """Tell whether an uplink was never lost, and came up after the one in use was chosen.

        So it is at boot where the backup is there first: it has the traffic for want of a better.
        """
        judged = self.uplink_state(interface, family)
        chosen = next((active.since for active in self.active if active.family == family), 0)
        return judged is not None and not judged.hold and judged.since > chosen

    def with_families_of(self, other: State, families: tuple[int, ...]) -> State:
        """Return the state with what another one has of some families in place of its own."""
        changed = {}
        for kind in fields(self):
            own = [item for item in getattr(self, kind) if item.family not in families]
            others = [item for item in getattr(other, kind) if item.family in families]
            changed[kind] = tuple(sorted([*own, *others], key=_family))
        return replace(self, **changed)

    def has_former(self, names: Collection[str]) -> bool:
        """Tell whether an interface was an uplink and is none among ``names``."""
        return any(one.interface not in names for one in self.uplinks)

    def without_former(self, names: Collection[str]) -> State:
        """Return the state of those alone that are uplinks now."""
        return replace(self, uplinks=tuple(one for one in self.uplinks if one.interface in names))

    def without_answers(self, addresses: Iterable[str]) -> State:
        """Return the state with no owner of some addresses: the LAN could not be told."""
        gone = set(addresses)
        if not gone:
            return self
        owners = (replace(a, interface="") if a.address in gone else a for a in self.owners)
        return replace(self, owners=tuple(owners))


def _family(item: Item) -> int:
    return item.family


_KINDS: dict[str, type[Item]] = {
    "uplink": UplinkState,
    "known": KnownAddress,
    "owner": AddressOwner,
    "active": Active,
    "way": Way,
    "crowded": Crowded,
    "usage": Usage,
    "metered": Metered,
    "multipath": Multipath,
    "quality": Quality,
}
_TEXTS = {
    "interface",
    "state",
    "reason",
    "address",
    "silent",
    "destination",
    "gateway",
    "router",
    "hardware",
    "others",
    "rounds",
}
_EMPTY = "-"
_PENDING = "pending "


def render(state: State, pending: str = "") -> str:
    """Return the text form of a state, and of a recorder's line unless that is too long."""
    lines = [FORM]
    for kind, items in zip(
        _KINDS,
        (getattr(state, name) for name in fields(state)),
        strict=True,
    ):
        for item in items:
            words = (_word(name, str(getattr(item, name))) for name in fields(item))
            lines.append(" ".join([kind, *(word or _EMPTY for word in words)]))
    if 0 < len(pending) <= PENDING_LIMIT:
        lines.append(_PENDING + pending.removesuffix("\n"))
    return "\n".join([*lines, "end", ""])


def _word(name: str, text: str) -> str:
    """Return the text of a field as one word: what is wrong with an uplink may name a URL."""
    if name != "reason":
        return text
    return text.replace("%", "%25").replace("_", "%5f").replace(" ", "_")


def _reason(word: str) -> str:
    return word.replace("_", " ").replace("%5f", "_").replace("%25", "%")


def parse(text: str) -> State:
    """Return the state of a text form. Raises ValueError for anything else."""
    lines = text.split("\n")
    form = lines[0]
    if (form != FORM and form not in _OLDER) or lines[-2:] != ["end", ""]:
        raise ValueError("not a whole state file")
    by_kind: dict[str, list[Item]] = {kind: [] for kind in _KINDS}
    if lines[-3].startswith(_PENDING):
        del lines[-3]
    for line in lines[1:-2]:
        kind, *words = line.split(" ")
        if kind not in _KINDS:
            raise ValueError("unknown kind of line")
        names = fields(_KINDS[kind])
        if kind == "uplink" and form in _OLDER:
            names = names[: _OLDER[form]]
        by_kind[kind].append(_item(_KINDS[kind], names, words))
    return State(*(tuple(items) for items in by_kind.values()))  # type: ignore[arg-type]


def pending_line(text: str) -> str:
    """Return the recorder's line that a whole text form ends with, "" for none."""
    line = text.split("\n")[-3]
    return line.removeprefix(_PENDING) + "\n" if line.startswith(_PENDING) else ""


def _item(
    kind: type[Item],
    names: tuple[str, ...],
    words: list[str],
) -> Item:
    if len(words) != len(names):
        raise ValueError("damaged line")
    settings: dict[str, Any] = {}
    for name, word in zip(names, words, strict=True):
        text = "" if word == _EMPTY else word
        if name not in _TEXTS:
            settings[name] = int(text)
        elif name == "interface" and text and not is_interface_name(text):
            raise ValueError("not an interface name")
        elif name == "state" and word not in STATES:
            raise ValueError("not a state")
        else:
            settings[name] = _reason(text) if name == "reason" else text
    if settings["family"] not in FAMILIES:
        raise ValueError("not a family")
    if kind is UplinkState and not _names_routers(settings):
        raise ValueError("not routers of its family")
    if "address" in settings and not is_address(settings["family"], settings["address"]):
        raise ValueError("not an address of its family")
    _refuse_odd(kind, settings)
    return kind(**settings)


def _refuse_odd(kind: type[Item], settings: dict[str, Any]) -> None:
    """Raise ValueError for what no run of ours has written."""
    if kind is Quality and not _is_measured(settings):
        raise ValueError("not what was measured")
    if kind is Way and not _leads(settings):
        raise ValueError("not a way of its family")


def _names_routers(settings: dict[str, Any]) -> bool:
    """Tell whether what is noted of routers can be so; each may be "" for none."""
    routers = settings["silent"].split(",") if settings["silent"] else []
    hardware = settings.get("others", "").split(",") if settings.get("others") else []
    if settings.get("router") or settings.get("hardware"):
        routers.append(settings["router"])
        hardware.append(settings["hardware"])
    family = settings["family"]
    return all(map(_is_hardware, hardware)) and all(is_router(family, one) for one in routers)


def _is_measured(settings: dict[str, Any]) -> bool:
    """Tell whether rounds of questions could have gone so."""
    rounds = [one.split(":") for one in settings["rounds"].split(",")]
    return settings["poor"] in (0, 1) and all(
        len(numbers) == 3
        and all(n.isascii() and n.isdigit() and len(n) < 10 for n in numbers)
        and 0 < int(numbers[1]) <= int(numbers[0])
        for numbers in rounds
    )


def _is_hardware(text: str) -> bool:
    """Tell whether that is a hardware address as Ethernet and Wi-Fi have it."""
    octets = text.split(":")
    return len(octets) == 6 and all(len(o) == 2 and o.isalnum() for o in octets)


def _leads(settings: dict[str, Any]) -> bool:
    """Tell whether the kernel could have shown such a route."""
    family, gateway, place = settings["family"], settings["gateway"], settings["destination"]
    known = place == "default" or (is_prefix(place) and (":" in place) == (family == 6))
    return known and (not gateway or is_router(family, gateway))
