"""Every setting of config.toml, once.

The reader, the file that ``install`` writes, what ``install`` amends in a file that is there, the
options of the command line, the manual and docs/use/configuration.md are all made from this. A new
key is an entry here and a field, which holds its default, on a value class of config/__init__.py;
the compiled form for the hooks (config/cache.py) follows the fields by itself.
"""

from __future__ import annotations

from netfail_hooks.config import (
    DRILLS,
    FAILBACKS,
    MODES,
    POLICIES,
    RESELECT,
    WATCHES,
    Bond,
    Config,
    Uplink,
)
from netfail_hooks.config.kinds import (
    HOW_TARGETS,
    Choice,
    Flag,
    Hours,
    InterfaceName,
    Kind,
    List,
    MetricsFile,
    Number,
    Quorum,
    parse_address,
    parse_host_address,
    parse_prefix,
    parse_target,
)
from netfail_hooks.values import value

METRIC_MAX = 2**32 - 1  # RTA_PRIORITY is a u32, rtnetlink(7)
BOND_TARGETS_MAX = 16  # BOND_MAX_ARP_TARGETS, include/net/bonding.h
GENERAL, BOND, UPLINK = "", "bond", "uplink"  # tables: above all, of mode bond, [[uplink]]


@value
class Setting:
    """A key of config.toml: the table that it stands in, what it may hold and what it is for.

    ``field`` is the field of its value class, by default of the same name.
    """

    table: str
    key: str
    kind: Kind
    help: str
    field: str = ""

    @property
    def name(self) -> str:
        """Return it as messages have it: "table.key", or "key" in an uplink or above all."""
        return self.key if self.table in (GENERAL, UPLINK) else f"{self.table}.{self.key}"

    @property
    def attribute(self) -> str:
        """Return the field that holds it."""
        return self.field or self.key

    @property
    def default(self) -> object:
        """Return its default; None where it must be there, or depends on the rank."""
        holder = {BOND: Bond, UPLINK: Uplink}.get(self.table, Config)
        return getattr(holder, self.attribute, None)

    def held_by(self, config: Config) -> object:
        """Return its value in a config; not of an uplink, of which there are many."""
        return getattr(config.bond if self.table == BOND else config, self.attribute)


SETTINGS: tuple[Setting, ...] = (
    Setting(
        GENERAL,
        "mode",
        Choice(MODES),
        "how to fail over: a metric for each uplink, or a bond of them",
    ),
    Setting(
        GENERAL,
        "override_metric",
        Number(1, METRIC_MAX),
        "metric of our own routes; below that of every uplink",
    ),
    Setting(
        GENERAL,
        "follow_addresses",
        Flag(),
        "on one subnet, a lost uplink's addresses move to the one that carries the traffic",
    ),
    Setting(
        GENERAL,
        "close_connections",
        Flag(),
        "end TCP connections and connected UDP sockets that cannot survive (other subnet, or their "
        "address is gone), rather than let them hang",
    ),
    Setting(
        GENERAL,
        "watch",
        Choice(WATCHES),
        'have the kernel watch the gateway in use: "on", a dead one is left within a second; '
        '"fast", in half of one, with five times the questions; "off", the timer alone asks',
    ),
    Setting(
        GENERAL,
        "failback",
        Choice(FAILBACKS),
        '"auto": a better uplink takes the traffic back after its hold-down; "manual": only when '
        "the one in use fails, or by 'netfail-hooks use IF', once; \"idle\": when that one carries "
        "little (idle, below)",
    ),
    Setting(
        GENERAL,
        "failback_between",
        Hours(),
        "local hours in which a better uplink may take the traffic back while the one in use is "
        'up, such as "02:00-05:00"; empty: at any time',
    ),
    Setting(
        GENERAL,
        "multipath_tcp",
        Flag(),
        "have connections of programs that use Multipath TCP live on across different subnets: "
        "each uplink's address is an endpoint ('ip mptcp endpoint')",
    ),
    Setting(
        GENERAL,
        "dispatcher",
        Flag(),
        "have networkd-dispatcher run hooks at each event; without it the watch's socket hears of "
        "events alone: 'install --without-dispatcher'",
    ),
    Setting(
        "hold_down",
        "seconds",
        Number(0, 86400),
        "seconds a returning uplink must stay well before it takes the traffic back",
        field="hold_down",
    ),
    Setting(
        "hold_down",
        "max",
        Number(0, 86400),
        "the hold-down doubles at each further loss, up to this",
        field="hold_down_max",
    ),
    Setting(
        "hold_down",
        "quiet",
        Number(0, 604800),
        "seconds of health after which the hold-down starts small again",
    ),
    Setting(
        "check",
        "successes",
        Number(1, 100),
        "rounds of probes in a row that must go well before an uplink is up again",
    ),
    Setting(
        "check",
        "interval",
        Number(0, 3600),
        "seconds between two checks by the timer while all is well; 0: no timer",
    ),
    Setting(
        "check",
        "quick",
        Number(1, 3600),
        "the same at most while an uplink is not well, with targets, or where nothing watches",
    ),
    Setting(
        "log",
        "max_bytes",
        Number(10_000, 2**31),
        "size at which the flight recorder starts a new file; one old file is kept",
        field="log_bytes",
    ),
    Setting(
        "metrics",
        "textfile",
        MetricsFile(),
        "file of metrics for node_exporter, below /run or /var/lib/prometheus; empty: none",
    ),
    Setting(
        "idle",
        "bytes",
        Number(1, 2**40),
        'an uplink that carries no more a second, in and out, is idle: for failback = "idle"',
        field="idle_bytes",
    ),
    Setting(
        "idle",
        "seconds",
        Number(1, 86400),
        "for how long it must be, as checks see it",
        field="idle_seconds",
    ),
    Setting(
        "drill",
        "every",
        Choice(DRILLS),
        "how often 'netfail-hooks drill' is run by a timer, between 3 and 4 at night; 'install' "
        "makes it",
        field="drill_every",
    ),
    Setting(BOND, "name", InterfaceName(), "the interface that the bond is"),
    Setting(
        BOND,
        "arp_interval",
        Number(50, 5000),
        "milliseconds between two questions of the kernel's monitor",
    ),
    Setting(
        BOND,
        "reselect",
        Choice(RESELECT),
        '"always": the first uplink takes the traffic back at once; "better": if it is '
        'faster; "failure": only when the other one fails',
    ),
    Setting(
        BOND,
        "targets",
        List(parse_address, "address", most=BOND_TARGETS_MAX),
        "addresses that the monitor asks; none: the gateway",
    ),
    Setting(
        UPLINK,
        "interface",
        InterfaceName(),
        "its name, as 'networkctl' lists it; the only key that must be there",
    ),
    Setting(
        UPLINK,
        "metric",
        Number(1, METRIC_MAX),
        "of networkd's own routes through it; greater than that of the uplink before",
    ),
    Setting(
        UPLINK,
        "gateway",
        Flag(),
        "probe the gateway: ARP for IPv4, neighbour discovery for IPv6",
    ),
    Setting(
        UPLINK,
        "targets",
        List(parse_target, HOW_TARGETS),
        'and beyond it: "icmp:1.1.1.1", "tcp:9.9.9.9:53", "tcp:[2620:fe::9]:53", '
        '"dns:debian.org@9.9.9.9", "http://192.0.2.1/up 204", "exec:/PATH"',
    ),
    Setting(
        UPLINK,
        "policy",
        Quorum(POLICIES, 100),
        '"any": one target that answers is enough; "all": the gateway and all of them must; a '
        "number: so many targets",
    ),
    Setting(
        UPLINK,
        "failures",
        Number(1, 20),
        "tries in a row without an answer before the traffic moves",
    ),
    Setting(
        UPLINK,
        "timeout",
        Number(50, 5000),
        "milliseconds that the last try of a round may take",
    ),
    Setting(
        UPLINK,
        "stay",
        List(parse_prefix, "prefix, such as 10.0.0.0/8"),
        'destinations that stay with it though it is lost, such as "10.0.0.0/8"',
    ),
    Setting(
        UPLINK,
        "follow",
        List(parse_host_address, "address of a host"),
        "addresses that others than networkd set on it and that follow all the same",
    ),
    Setting(
        UPLINK,
        "metered",
        Flag(),
        "it is paid for by what it carries: without a metric it comes after those that are not, "
        "its targets are asked seldom, and what it carries is counted",
    ),
    Setting(
        UPLINK,
        "metered_interval",
        Number(1, 86400),
        "seconds between two rounds that ask the targets of a metered uplink, while it is well "
        "and has no traffic",
    ),
    Setting(
        UPLINK,
        "loss_max",
        Number(0, 99),
        "percent of questions that may be lost before it is left for a better one; 0: any",
    ),
    Setting(
        UPLINK,
        "latency_max",
        Number(0, 2500),
        "milliseconds that answers may take, on an average; 0: any",
    ),
    Setting(
        UPLINK,
        "window",
        Number(10, 1000),
        "how many of the last questions those two are about; each check asks ten",
    ),
)


def of_table(table: str) -> tuple[Setting, ...]:
    """Return the settings of a table, in file order."""
    return tuple(setting for setting in SETTINGS if setting.table == table)


def tables() -> tuple[str, ...]:
    """Return the tables in file order, GENERAL first."""
    return tuple(dict.fromkeys(setting.table for setting in SETTINGS))


def named(name: str) -> Setting:
    """Return the setting of that name, such as "check.interval"; of an uplink none has one."""
    return next(s for s in SETTINGS if s.name == name and s.table != UPLINK)
