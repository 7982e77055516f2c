"""From facts to findings: every rule of ``doctor``, in the order in which findings are told. Pure.

Causes come before what follows from them. A rule says nothing where another one's finding is the
reason, so the first finding is the one to mend first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from netfail_hooks.doctor.facts import Facts, Finding, Symptom
from netfail_hooks.doctor.rules import routes, services, setup, uplinks

BROKEN, WEAK = "broken", "weak"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its name, how bad its find is, why that matters, and the function that looks."""

    code: str
    severity: str
    why: str
    look: Callable[[Facts], Iterable[Symptom]]


RULES = (
    Rule(
        "not-installed",
        BROKEN,
        "without it an uplink that dies takes the machine's connections with it",
        setup.not_installed,
    ),
    Rule(
        "config-wrong",
        BROKEN,
        "hooks and checks refuse to run on it, so nothing moves the traffic",
        setup.config_wrong,
    ),
    Rule(
        "config-not-installed",
        BROKEN,
        "hooks and checks go by it, and networkd by files that were made for another",
        setup.config_not_installed,
    ),
    Rule(
        "foreign-manager",
        BROKEN,
        "two managers take each other's addresses and routes away, and metrics with them",
        uplinks.foreign_manager,
    ),
    Rule(
        "networkd-stopped",
        BROKEN,
        "nobody sets the uplinks up, and no event comes",
        services.networkd_stopped,
    ),
    Rule(
        "dispatcher-missing",
        BROKEN,
        "no event reaches the hooks: addresses are not announced, and what networkd does to "
        "routes is mended only by the next check",
        services.dispatcher_missing,
    ),
    Rule(
        "dispatcher-stopped",
        BROKEN,
        "no event reaches the hooks: addresses are not announced, and what networkd does to "
        "routes is mended only by the next check",
        services.dispatcher_stopped,
    ),
    Rule(
        "hook-missing",
        BROKEN,
        "the event comes, and nothing of ours is run for it",
        setup.hook_missing,
    ),
    Rule(
        "hook-skipped",
        BROKEN,
        "networkd-dispatcher runs only what is root's with mode 0755, and says so to nobody",
        setup.hook_skipped,
    ),
    Rule(
        "hook-broken",
        BROKEN,
        "every hook and every check fails as soon as it is started",
        setup.hook_broken,
    ),
    Rule(
        "file-missing",
        BROKEN,
        "what it sets will be lost with the next boot, if it is not already",
        setup.file_missing,
    ),
    Rule(
        "file-shadowed",
        BROKEN,
        "it is read first, so metrics and options that failover needs are not set",
        uplinks.file_shadowed,
    ),
    Rule(
        "uplink-unmanaged",
        BROKEN,
        "nobody gives it addresses and routes, and no event of it comes",
        uplinks.uplink_unmanaged,
    ),
    Rule(
        "uplink-failed",
        BROKEN,
        "it has no usable addresses and routes until it is set up again",
        uplinks.uplink_failed,
    ),
    Rule(
        "wifi-no-supplicant",
        BROKEN,
        "networkd gives addresses to a Wi-Fi link, but does not join it to an access point",
        uplinks.no_supplicant,
    ),
    Rule(
        "bond-missing",
        BROKEN,
        "the machine's address is on it, and so is failover",
        routes.bond_missing,
    ),
    Rule(
        "bond-mode",
        BROKEN,
        "other modes send by both links at once: right for two cables to one switch, and lost "
        "packets with wired plus Wi-Fi",
        routes.bond_mode,
    ),
    Rule(
        "bond-mac",
        BROKEN,
        "a Wi-Fi NIC can't take another hardware address on while it is associated",
        routes.bond_mac,
    ),
    Rule("bond-slave", BROKEN, "the bond can't use an uplink that is not in it", routes.bond_slave),
    Rule(
        "bond-monitor",
        BROKEN,
        "by carrier alone the bond never notices a router dead behind a live link",
        routes.bond_monitor,
    ),
    Rule(
        "metric-too-low",
        BROKEN,
        "the kernel takes the lowest metric, so traffic stays there when the uplink is dead",
        routes.metric_too_low,
    ),
    Rule(
        "metric-equal",
        BROKEN,
        "the kernel picks one by chance, and may stay with a dead one",
        routes.metric_equal,
    ),
    Rule(
        "no-gateway",
        BROKEN,
        "traffic can't go out by it when the others are lost",
        routes.no_gateway,
    ),
    Rule(
        "sysctl",
        BROKEN,
        "the kernel goes on using a dead link, answers ARP by the wrong one, or drops packets "
        "while the traffic moves",
        uplinks.wrong_sysctl,
    ),
    Rule(
        "dns-dead-link",
        BROKEN,
        "traffic has moved, but names can't be looked up",
        uplinks.dead_name_server,
    ),
    Rule(
        "timer-stopped",
        BROKEN,
        "no probe is made, so a router that died behind a live link is never noticed",
        services.timer_stopped,
    ),
    Rule(
        "check-failed",
        BROKEN,
        "probes come to nothing, so a router that died behind a live link is never noticed",
        services.check_failed,
    ),
    Rule(
        "old-systemd",
        BROKEN,
        "networkd takes the address away with the cable, or gives routes no metric: connections "
        "die",
        setup.old_systemd,
    ),
    Rule(
        "networkd-not-enabled",
        BROKEN,
        "after the next boot nobody sets the uplinks up",
        services.networkd_not_enabled,
    ),
    Rule(
        "dispatcher-not-enabled",
        BROKEN,
        "after the next boot no event reaches the hooks",
        services.dispatcher_not_enabled,
    ),
    Rule(
        "timer-not-enabled",
        BROKEN,
        "after the next boot no probe is made",
        services.timer_not_enabled,
    ),
    Rule(
        "metric-wrong",
        WEAK,
        "the order of the uplinks may not be the one you asked for",
        routes.metric_wrong,
    ),
    Rule(
        "not-probed",
        WEAK,
        "it counts as well while it has a carrier, though nobody may be there beyond it",
        routes.not_probed,
    ),
    Rule(
        "dns-one-uplink",
        WEAK,
        "when that uplink is lost, traffic moves, but names can't be looked up",
        uplinks.one_name_server,
    ),
    Rule(
        "arp-ignore",
        WEAK,
        "the LAN asks for an uplink's address by another one, and gets no answer",
        uplinks.arp_ignored,
    ),
    Rule(
        "interface-gone", WEAK, "there is one uplink less to fall back on", uplinks.interface_gone
    ),
    Rule(
        "wait-online",
        WEAK,
        "a dead uplink holds up network-online.target for two minutes at every boot",
        services.wait_online,
    ),
    Rule(
        "units-stale",
        WEAK,
        "the service manager goes by the old text until it reads the new one",
        services.units_stale,
    ),
    Rule(
        "timer-outdated",
        WEAK,
        "checks come at another interval than the configuration says",
        setup.timer_outdated,
    ),
    Rule(
        "file-changed",
        WEAK,
        "it may no longer do what failover needs, and uninstall will leave it there",
        setup.file_changed,
    ),
    Rule(
        "old-kernel",
        WEAK,
        "moved addresses can't be marked as ours before Linux 5.18, so they may be left behind",
        setup.old_kernel,
    ),
)

_SEVERITIES = (BROKEN, WEAK)


def diagnose(facts: Facts) -> tuple[Finding, ...]:
    """Return everything that is wrong: the broken before the weak, causes before effects."""
    found = [
        Finding(rule.code, rule.severity, hit.what, rule.why, hit.fix, hit.safe)
        for rule in RULES
        for hit in rule.look(facts)
    ]
    return tuple(sorted(found, key=lambda finding: _SEVERITIES.index(finding.severity)))
