"""The configuration as values, with the defaults of every setting (settings.py lists those)."""

from __future__ import annotations

from netfail_hooks.values import value

MODES = ("routes", "bond")
POLICIES = ("any", "all")
SLOW = ("http", "https", "exec")  # kinds of a Target that need more than a packet or two
TARGETS = ("dns", *SLOW)
WATCHES = ("on", "fast", "off")
FAILBACKS = ("auto", "idle", "manual")
DRILLS = ("never", "weekly", "monthly")
USE, DISABLE = "use", "disable"  # kinds of an Order
RESELECT = ("always", "better", "failure")  # IFLA_BOND_PRIMARY_RESELECT: 0, 1, 2
FIRST_METRIC = 100
METRIC_STEP = 500


@value
class Bond:
    """What a bond is to be. ``arp_interval`` is in milliseconds; no ``targets``: the gateway."""

    name: str = "bond0"
    arp_interval: int = 100
    reselect: str = "always"
    targets: tuple[str, ...] = ()


@value
class Target:
    """Something beyond the gateway to probe.

    ``kind`` is "" for a TCP port, or with port 0 an ICMP echo; else one of TARGETS. A web page is
    at ``address`` or of the server ``host``, whose address is looked up; ``status`` (0: any 2xx)
    and ``text`` within it are expected. "dns" asks the server ``address`` for the name ``host``.
    "exec" runs the program ``path``.
    """

    family: int
    address: str
    port: int = 0
    kind: str = ""
    host: str = ""
    path: str = ""
    status: int = 0
    text: str = ""

    def __str__(self) -> str:
        expected = f" {self.status}" if self.status else ""
        path = self.path if self.kind in ("http", "https") else ""
        return self.name + path + expected + (f" {self.text}" if self.text else "")

    @property
    def name(self) -> str:
        """Return what is asked, without what is expected; it is told, to everybody.

        So a page's path is left out, which may be a secret.
        """
        six = "6" if self.family == 6 and not self.address else ""
        host = f"[{self.address}]" if ":" in self.address else self.address
        if self.kind == "dns":
            return f"dns:{self.host}@{self.address}"
        if self.kind == "exec":
            return f"exec{six}:{self.path}"
        if self.kind:
            port = f":{self.port}" if self.port else ""
            return f"{self.kind}{six}://{self.host or host}{port}"
        return f"tcp:{host}:{self.port}" if self.port else f"icmp:{self.address}"

    @property
    def slow(self) -> bool:
        """Tell whether to ask it takes a while: no hook does."""
        return self.kind in SLOW


@value
class Order:
    """What a person asked for by hand: to USE an uplink, or to DISABLE it.

    ``until`` is in milliseconds since boot, 0 for until it is taken back.
    """

    kind: str
    interface: str
    until: int = 0


@value
class Uplink:
    """A way out. Its place in ``Config.uplinks`` is its rank.

    A round of probes asks the gateway (``gateway``) and the ``targets``; with policy "any" one
    target's answer is enough, with "all" everyone must answer, with a number so many targets of a
    family (or all of its fewer ones). ``failures`` tries in a row
    without an answer are a failure, each round that many, the last with ``timeout`` (ms).
    With ``loss_max`` (percent) or ``latency_max`` (ms) not 0 its line is measured, over the last
    ``window`` questions (policy/quality.py).
    ``stay`` are prefixes whose routes by this uplink don't follow when it is lost, ``follow``
    addresses on it that others than networkd set and that follow all the same. ``metered``: it is
    paid for by what it carries; its targets are asked each ``metered_interval`` seconds then.
    """

    interface: str
    metric: int
    gateway: bool = True
    targets: tuple[Target, ...] = ()
    policy: str = "any"
    failures: int = 2
    timeout: int = 500
    stay: tuple[str, ...] = ()
    follow: tuple[str, ...] = ()
    metered: bool = False
    metered_interval: int = 600
    loss_max: int = 0
    latency_max: int = 0
    window: int = 60

    @property
    def measured(self) -> bool:
        """Tell whether it has a limit of what its line may lose, or how long it may take."""
        return bool(self.loss_max or self.latency_max)

    @property
    def probed(self) -> bool:
        """Tell whether there is anything to ask."""
        return self.gateway or bool(self.targets)


@value
class Config:
    """Everything a decision may depend on, most preferred uplink first.

    ``override_metric`` is the metric of our own routes, below that of every uplink.
    A returning uplink is held down for ``hold_down`` seconds, twice as long at each further
    loss up to ``hold_down_max``, and again ``hold_down`` once it was well for ``quiet`` seconds.
    ``successes`` rounds in a row must go well before it takes the traffic back.
    ``failback`` says whether it does so by itself while the active uplink is up: "manual" has a
    person do it (``netfail-hooks use``), "idle" waits until that one carried no more than
    ``idle_bytes`` a second for ``idle_seconds``; ``failback_between`` are local hours for it.
    ``watch`` says whether the kernel keeps asking the gateways, and how quickly it gives one up.
    ``multipath_tcp`` has endpoints of Multipath TCP follow the uplinks (policy/multipath.py).
    ``dispatcher`` says whether networkd-dispatcher runs our hooks, or the socket alone hears.
    ``interval`` is the seconds between two checks by the timer while all is well (0: no timer),
    ``quick`` what it is at most while something is not, or must be asked by us; ``log_bytes``
    the size at which the flight recorder starts a new file, ``textfile`` the file of metrics ("":
    none). ``bond`` counts in mode "bond" alone. ``orders`` are what a person asked for by hand
    (orders.py): no key of config.toml. ``drill_every`` says how often a timer has a drill made.
    """

    uplinks: tuple[Uplink, ...]
    mode: str = "routes"
    override_metric: int = 50
    follow_addresses: bool = True
    close_connections: bool = True
    hold_down: int = 10
    hold_down_max: int = 300
    quiet: int = 600
    successes: int = 2
    failback: str = "auto"
    watch: str = "on"
    multipath_tcp: bool = False
    dispatcher: bool = True
    interval: int = 60
    quick: int = 5
    log_bytes: int = 1_000_000
    textfile: str = ""
    bond: Bond = Bond()
    orders: tuple[Order, ...] = ()
    drill_every: str = "never"
    failback_between: str = ""
    idle_bytes: int = 2000
    idle_seconds: int = 60

    def names(self) -> tuple[str, ...]:
        """Return the interface names in rank order."""
        return tuple(uplink.interface for uplink in self.uplinks)

    def orders_at(self, now: int) -> list[Order]:
        """Return the orders that have not ended ``now`` (milliseconds since boot)."""
        return [order for order in self.orders if not order.until or order.until > now]

    def ordered(self, kind: str, now: int) -> list[str]:
        """Return the uplinks that a person asked to USE, or to DISABLE, and still would."""
        return [order.interface for order in self.orders_at(now) if order.kind == kind]

    @property
    def waits(self) -> bool:
        """Tell whether a better uplink may have to wait for its traffic."""
        return self.failback != "auto" or bool(self.failback_between)

    @property
    def counts(self) -> bool:
        """Tell whether it matters how many bytes an uplink carries."""
        return self.failback == "idle" or self.metered

    @property
    def metered(self) -> bool:
        """Tell whether an uplink is paid for by what it carries: of a bond nobody counts it."""
        return self.mode == "routes" and any(uplink.metered for uplink in self.uplinks)

    @property
    def watched(self) -> bool:
        """Tell whether the kernel is to watch gateways for us: a bond watches them by itself."""
        return self.mode == "routes" and self.watch != "off"

    @property
    def drilled(self) -> bool:
        """Tell whether a timer has fire drills made: not of a bond."""
        return self.mode == "routes" and self.drill_every != "never"

    @property
    def period(self) -> int:
        """Return the seconds between two checks by the timer, 0 for no timer.

        ``quick`` where the kernel's watch does not cover all that a round asks: targets, quality.
        """
        more = any(uplink.targets or uplink.measured for uplink in self.uplinks)
        covered = self.watched and not more
        return self.interval if covered else min(self.interval, self.quick)


def default_metrics(interfaces: tuple[str, ...]) -> tuple[Uplink, ...]:
    """Return the interfaces as uplinks with metrics 100, 600, 1100 and so on."""
    return tuple(
        Uplink(name, FIRST_METRIC + rank * METRIC_STEP) for rank, name in enumerate(interfaces)
    )
