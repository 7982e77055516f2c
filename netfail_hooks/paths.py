"""Where everything lives, under one root that tests and ``--root`` may move.

Root's own files follow the FHS, not platformdirs: that would name ``/etc/xdg``.
"""

from __future__ import annotations

import os

from netfail_hooks.values import value


@value
class Paths:
    """The files of one machine; ``root`` is "" for the running one."""

    root: str = ""

    def at(self, path: str) -> str:
        """Return an absolute path of the machine, below the root.

        A link on the way to it is followed there, the one that it may be itself isn't.
        """
        return self._chased(path, last=False) if self.root else path

    def through(self, path: str) -> str:
        """Return the same of what is to be read: a link at its end is followed below the root."""
        return self._chased(path, last=True) if self.root else path

    def _chased(self, path: str, *, last: bool) -> str:
        from netfail_hooks.chase import chase  # no hook has a root

        return chase(self.root, path, last=last)

    @property
    def config(self) -> str:
        """Return the configuration that a person edits."""
        return self.at("/etc/netfail-hooks/config.toml")

    @property
    def notify(self) -> str:
        """Return the directory of other people's hooks."""
        return self.at("/etc/netfail-hooks/notify.d")

    @property
    def sysctls(self) -> str:
        """Return the file by which the kernel's settings are ours at boot (sysctl.d(5))."""
        return self.at("/etc/sysctl.d/60-netfail-hooks.conf")

    @property
    def protocol(self) -> str:
        """Return the file by which ``ip route`` gives our routes' protocol a name."""
        return self.at("/etc/iproute2/rt_protos.d/netfail-hooks.conf")

    @property
    def run(self) -> str:
        """Return the directory of what is lost at boot."""
        return self.at("/run/netfail-hooks")

    @property
    def lock(self) -> str:
        """Return the file whose lock a hook, a check or an install holds."""
        return self.run + "/lock"

    @property
    def turn(self) -> str:
        """Return the file whose lock an install or uninstall holds from its begin to its end."""
        return self.run + "/turn"

    @property
    def state(self) -> str:
        """Return what a run remembers for the next one."""
        return self.run + "/state"

    @property
    def compiled_config(self) -> str:
        """Return the configuration in the form that a hook reads quickly."""
        return self.run + "/config"

    @property
    def received(self) -> str:
        """Return how the uplinks were when a hook last looked, in hooks/routable's words."""
        return self.run + "/received"

    @property
    def silence(self) -> str:
        """Return what is there once the journal was told that no event will come."""
        return self.run + "/silence"

    @property
    def counters(self) -> str:
        """Return how often what changed since boot."""
        return self.run + "/counters"

    @property
    def recorded(self) -> str:
        """Return the line that was recorded last, so that its like is not recorded again."""
        return self.run + "/recorded"

    @property
    def metrics_failed(self) -> str:
        """Return what the journal was last told of metrics that can't be written."""
        return self.run + "/metrics.failed"

    @property
    def sources(self) -> str:
        """Return which files of networkd's were looked at last, and what was said of them."""
        return self.run + "/sources"

    @property
    def rollback(self) -> str:
        """Return the way back from a switch of modes that is under way."""
        return self.run + "/rollback.json"

    @property
    def waits(self) -> str:
        """Return what a way back waits for, while it does: everybody may read it."""
        return self.run + "/waits"

    @property
    def quick(self) -> str:
        """Return what is there while checks come more quickly than by the timer."""
        return self.run + "/quick"

    @property
    def orders(self) -> str:
        """Return what a person asked for by hand, until the next boot."""
        return self.run + "/orders"

    @property
    def kept_orders(self) -> str:
        """Return the same of what is to outlive a boot."""
        return self.at("/var/lib/netfail-hooks/orders")

    @property
    def metered(self) -> str:
        """Return what is there while a metered uplink carries the traffic: other units ask."""
        return self.run + "/metered"

    @property
    def carried(self) -> str:
        """Return what metered uplinks carried today, to outlive a boot."""
        return self.at("/var/lib/netfail-hooks/carried")

    @property
    def counted(self) -> str:
        """Return what was touched when that was last kept, or begun."""
        return self.run + "/counted"

    @property
    def drill(self) -> str:
        """Return what is there while an uplink is made to fail: a fire drill."""
        return self.run + "/drill"

    @property
    def drilled(self) -> str:
        """Return how the last fire drill went."""
        return self.at("/var/lib/netfail-hooks/drill")

    @property
    def drills(self) -> str:
        """Return how it and those before it went, a line each."""
        return self.at("/var/lib/netfail-hooks/drills")

    @property
    def uninstalling(self) -> str:
        """Return what is there while uninstall is at work: hooks and checks then do nothing."""
        return self.run + "/uninstalling"

    def pending(self, interface: str) -> str:
        """Return what is there while networkd reconfigures an uplink because of us."""
        return f"{self.run}/pending.{interface}"

    def taken(self, interface: str) -> str:
        """Return what is there from when an uplink is taken from its manager until that is over."""
        return f"{self.run}/taken.{interface}"

    def notification(self, process: str) -> str:
        """Return the event that a process leaves for the hooks in ``notify``."""
        return f"{self.run}/notify.{process}"

    def is_volatile(self, path: str) -> bool:
        """Tell whether a path in ``run`` is a file of ours: one of the above."""
        begun = (self.pending(""), self.taken(""), self.notification(""))
        return path.startswith(begun) or path in (
            self.lock,
            self.turn,
            self.state,
            self.compiled_config,
            self.received,
            self.silence,
            self.counters,
            self.recorded,
            self.metrics_failed,
            self.rollback,
            self.waits,
            self.sources,
            self.quick,
            self.orders,
            self.drill,
            self.metered,
            self.counted,
            self.uninstalling,
        )

    @property
    def log(self) -> str:
        """Return the directory of the flight recorder."""
        return self.at("/var/log/netfail-hooks")

    @property
    def manifest(self) -> str:
        """Return the list of what install made and what was there before."""
        return self.at("/var/lib/netfail-hooks/manifest.json")

    @property
    def network(self) -> str:
        """Return the directory of the administrator's .network files."""
        return self.at("/etc/systemd/network")

    @property
    def dispatcher(self) -> str:
        """Return the directory that holds networkd-dispatcher's state directories."""
        return self.at("/etc/networkd-dispatcher")

    def starters(self) -> tuple[str, ...]:
        """Return what has us started: a hook, and the unit of the timer's check."""
        return (
            self.dispatcher + "/routable.d/50-netfail-hooks",
            self.at("/etc/systemd/system/netfail-hooks-check.service"),
        )

    @property
    def condition(self) -> str:
        """Return where it says without which file another manager has the uplinks, if one had."""
        return self.starters()[1] + ".d/50-netfail-hooks.conf"


def package_home() -> str:
    """Return the directory that holds our package: what must be on a path to import it."""
    return os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
