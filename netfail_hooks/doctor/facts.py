"""What ``doctor`` knows of a machine, as plain values: the whole input of its rules.

Each field's default is what a healthy machine, or nothing at all, shows.
"""

from __future__ import annotations

from netfail_hooks.config import Config
from netfail_hooks.names import FAMILIES
from netfail_hooks.policy.facts import Link, Observation
from netfail_hooks.recorder.drills import Outcome
from netfail_hooks.status.ruled import Ruled
from netfail_hooks.values import value

NETWORKD = "systemd-networkd.service"
DISPATCHER = "networkd-dispatcher.service"
WAIT_ONLINE = "systemd-networkd-wait-online.service"
MISSING, CHANGED = "missing", "changed"
NEW, STALE = "new", "stale"
NETWORK_MANAGER = "NetworkManager"


@value
class Unit:
    """A unit as ``systemctl show`` tells of it; words are systemd's own, "" for none.

    ``command`` is what ExecStart= runs, one line each; ``stale`` means that the service manager
    has not read the files as they are now (NeedDaemonReload).
    """

    name: str
    load: str = "loaded"
    active: str = "active"
    enabled: str = "enabled"
    stale: bool = False
    command: str = ""

    @property
    def starts_at_boot(self) -> bool:
        """Tell whether something may start it: "static" and the like leave that to others."""
        return self.enabled not in ("disabled", "masked", "masked-runtime")


@value
class Process:
    """A running program that may set interfaces up, or serve them; ``words`` is its command."""

    name: str
    pid: int
    words: tuple[str, ...] = ()


@value
class Place:
    """A hook, or the directory it is in: whose it is, and its mode; None where nothing is."""

    path: str
    mode: int | None = 0o755
    owner: tuple[int, int] = (0, 0)

    @property
    def serves(self) -> bool:
        """Tell whether networkd-dispatcher takes it: root's alone, mode 0755, or it is skipped."""
        return self.mode == 0o755 and self.owner == (0, 0)


@value
class OwnFile:
    """A file of ours that is not as it should be.

    "missing" or "changed" since install; or the config is not the one that was installed: "new"
    is what it asks for and nobody made, "stale" what was made for another.
    """

    path: str
    state: str

    @property
    def role(self) -> str:
        """Return "eth0.network" or "bond0.netdev", by whatever number the file has; else its path.

        Files of networkd come in a new place when install has to get ahead of another's.
        """
        _, mark, role = self.path.rpartition("-netfail-")
        return role if mark else self.path


@value
class NetworkFile:
    """The ``.network`` file that networkd uses for an uplink; "" for none."""

    interface: str
    path: str = ""
    ours: bool = True
    unmanaged: bool = False  # Unmanaged=yes in [Link]
    gateways: tuple[str, ...] = ()  # static ones
    has_default_route: bool = True  # a default route can come of it
    source: str = ""  # the user's own that ours stands in for
    yaml: str = ""  # netplan's, of which it, or what ours stands in for, is made
    metrics: tuple[int, ...] = ()  # of its default routes, where ours sets them
    withheld: str = ""  # what keeps DHCP's default route away, "" for nothing
    families: tuple[int, ...] = FAMILIES  # in which a default route can come of it


@value
class BondSeen:
    """A bond of the machine, ours or not (Documentation/networking/bonding.rst, sysfs)."""

    name: str
    mode: str = "active-backup"
    fail_over_mac: str = "active"
    arp_interval: int = 100
    targets: tuple[str, ...] = ("192.168.1.1",)
    slaves: tuple[str, ...] = ()


@value
class Services:
    """What runs on the machine, and what systemd and systemd-networkd say of it.

    ``units`` and ``dns`` are None where they can't be known: no systemd, no systemd-resolved.
    """

    units: tuple[Unit, ...] | None = None
    processes: tuple[Process, ...] = ()
    programs: tuple[str, ...] = ()  # installed ones
    networkd_runs: bool = True
    networkd_version: int = 0  # 0: unknown
    states: tuple[tuple[str, str, str], ...] = ()  # interface, operational, setup
    masquerades: bool = False  # some packets get the address of the NIC that they leave by
    translated_to: tuple[str, ...] = ()  # addresses that others get
    dns: tuple[tuple[str, tuple[str, ...]], ...] | None = None  # "" is resolved's global ones

    def unit(self, name: str) -> Unit | None:
        """Return a unit; None where systemd knows none, or can't be asked."""
        named = (unit for unit in self.units or () if unit.name == name)
        return next((unit for unit in named if unit.load != "not-found"), None)

    def runs(self, program: str) -> bool:
        """Tell whether a program runs."""
        return any(process.name == program for process in self.processes)

    def setup(self, interface: str) -> str:
        """Return networkd's administrative state of an interface, "" for none."""
        return next((setup for name, _, setup in self.states if name == interface), "")


@value
class Files:
    """Our own files and others' that failover rests on.

    ``compared`` tells whether ``own`` has the changed ones, too, which root alone can tell.
    ``drifted`` tells of files that have changed since ours were made of them.
    """

    own: tuple[OwnFile, ...] = ()
    compared: bool = True
    hooks: tuple[Place, ...] = ()
    hook_lacks: str = ""
    outdated_venv: str = ""
    timer_interval_kept: bool = True
    networks: tuple[NetworkFile, ...] = ()
    wifi_config: tuple[str, ...] = ()
    drifted: tuple[str, ...] = ()


@value
class Kernel:
    """What the kernel shows; ``observed`` is None where it could not be asked."""

    observed: Observation | None = None
    release: tuple[int, int] = (0, 0)
    bonds: tuple[BondSeen, ...] = ()
    wireless: tuple[str, ...] = ()
    arp_ignore: tuple[tuple[str, int], ...] = ()  # the key that counts, and its setting
    ruled: tuple[Ruled, ...] = ()
    unreached: tuple[str, ...] = ()  # addresses to which no way is, despite a default route
    masters: tuple[tuple[str, str], ...] = ()  # an uplink, and what it is a part of
    settled: tuple[str, ...] = ()  # uplinks that networkd has been done with for a while
    multipath: str = ""  # why Multipath TCP, where it is asked for, can do nothing

    def link(self, interface: str) -> Link | None:
        """Return an interface; None where there is none, or nothing is known."""
        return self.observed.link(interface) if self.observed else None


@value
class Facts:
    """The machine at one moment.

    ``uplinks`` are those configured, else those that install would take; ``nics`` what the machine
    has to choose from where nothing is installed, the likeliest first. ``portals`` are uplinks
    by which the last round found a captive portal, each with its URL. ``unheard`` tells how often
    a bond's monitor lost which slave in the last hour.
    """

    uplinks: tuple[str, ...]
    nics: tuple[str, ...] = ()
    config: Config | None = None
    config_wrong: tuple[str, ...] = ()
    installed: bool = True
    services: Services = Services()
    files: Files = Files()
    kernel: Kernel = Kernel()
    managed_elsewhere: tuple[tuple[str, str], ...] = ()  # a manager, and an uplink that it has
    unknown: tuple[str, ...] = ()
    portals: tuple[tuple[str, str], ...] = ()
    unheard: tuple[tuple[str, int], ...] = ()
    drill: Outcome | None = None  # how the last fire drill went
    waits: str = ""  # what an install's way back, or an uninstall, waits for
    install_sh: str = ""  # of the checkout that this runs from, "" where it is installed

    @property
    def mode(self) -> str:
        """Return the configured mode, "" where nothing is configured."""
        return self.config.mode if self.config else ""


@value
class Symptom:
    """What a rule has noticed: what is wrong, and the shell commands that fix it.

    ``safe``: --fix may run those. They then neither cut a connection off nor touch what is not
    ours, and another run does no harm. ``about`` are the uplinks, files or routes that it
    concerns, () for the whole machine: by them a rule tells what follows from another's symptom.
    """

    what: str
    fix: tuple[str, ...]
    safe: bool = False
    about: tuple[str, ...] = ()

    def concerns_the_same(self, other: Symptom) -> bool:
        """Tell whether both concern the same thing; the whole machine is any of its parts."""
        parts = self.about and other.about
        return not parts or not set(self.about).isdisjoint(other.about)


@value
class Finding:
    """A symptom with what its rule says of all such. Fields are JSON keys (docs/use/json.md)."""

    code: str
    severity: str
    what: str
    why: str
    fix: tuple[str, ...]
    safe: bool
