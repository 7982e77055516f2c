"""From facts to findings: every rule of ``doctor``, in the order in which findings are shown. Pure.

Causes come before what follows from them, and a rule names the causes that it comes ``after``: a
symptom about the same thing is not shown beside its cause. So one cause is one finding, and the
first finding is the one to fix first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from netfail_hooks.doctor.facts import Facts, Finding, Symptom
from netfail_hooks.doctor.rules import multipath, routes, services, setup, uplinks, watch

BROKEN, WEAK = "broken", "weak"
_NO_CONFIG = ("not-installed", "config-wrong")
_NOT_YET = ("not-installed",)  # install sets it up; by hand beside another manager it does harm


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its name, why what it notices matters, and the rules whose symptoms explain it.

    ``lasts``: what it notices is not there for a moment only, while a change is being made.
    """

    code: str
    why: str
    symptoms: Callable[[Facts], Iterable[Symptom]]
    after: tuple[str, ...] = ()
    lasts: bool = False


_BROKEN = (
    Rule(
        "manager-silent",
        "networkd has the uplinks until then, and nothing of ours moves the traffic",
        setup.manager_silent,
    ),
    Rule(
        "not-installed",
        "without it an uplink that dies takes the machine's connections with it",
        setup.not_installed,
        lasts=True,
    ),
    Rule(
        "config-wrong",
        "hooks and checks refuse to run on it, so nothing moves the traffic",
        setup.config_wrong,
        lasts=True,
    ),
    Rule(
        "config-not-installed",
        "hooks and checks go by it, and networkd by files that were made for another",
        setup.config_not_installed,
    ),
    Rule(
        "foreign-manager",
        "two managers take each other's addresses and routes away, and metrics with them",
        uplinks.foreign_manager,
    ),
    Rule(
        "networkd-stopped",
        "nobody sets the uplinks up, and no event comes",
        services.networkd_stopped,
        after=_NOT_YET,
    ),
    Rule(
        "dispatcher-missing",
        "no event reaches the hooks: addresses are not announced, and what networkd does to "
        "routes is put right only by the next check",
        services.dispatcher_missing,
        after=_NOT_YET,
    ),
    Rule(
        "dispatcher-stopped",
        "no event reaches the hooks: addresses are not announced, and what networkd does to "
        "routes is put right only by the next check",
        services.dispatcher_stopped,
        after=(*_NO_CONFIG, "dispatcher-missing"),
    ),
    Rule(
        "hook-missing",
        "the event comes, and nothing of ours is run for it",
        setup.hook_missing,
        after=_NO_CONFIG,
    ),
    Rule(
        "hook-skipped",
        "networkd-dispatcher runs only what is root's with mode 0755, and says so to nobody",
        setup.hook_skipped,
        lasts=True,
    ),
    Rule(
        "hook-broken",
        "every hook and every check fails as soon as it is started",
        setup.hook_broken,
    ),
    Rule(
        "file-missing",
        "what it sets will be lost with the next boot, if it is not already",
        setup.file_missing,
    ),
    Rule(
        "file-shadowed",
        "it is read first, so metrics and options that failover needs are not set",
        uplinks.file_shadowed,
        after=("config-not-installed", "file-missing"),
    ),
    Rule(
        "uplink-unmanaged",
        "nobody gives it addresses and routes, and no event of it comes",
        uplinks.uplink_unmanaged,
        after=(
            *_NOT_YET,
            "config-not-installed",
            "foreign-manager",
            "networkd-stopped",
            "file-shadowed",
        ),
    ),
    Rule(
        "uplink-failed",
        "it has no usable addresses and routes until it is set up again",
        uplinks.uplink_failed,
    ),
    Rule(
        "uplink-enslaved",
        "what it hears goes to that, so its own addresses and gateway get no answer",
        uplinks.uplink_enslaved,
        after=_NOT_YET,
    ),
    Rule(
        "wifi-no-supplicant",
        "networkd gives addresses to a Wi-Fi link, but does not join it to an access point",
        uplinks.no_supplicant,
    ),
    Rule(
        "bond-missing",
        "the machine's address is on it, and so is failover",
        routes.bond_missing,
        after=("config-not-installed",),
    ),
    Rule(
        "bond-mode",
        "other modes send by both links at once: right for two cables to one switch, and lost "
        "packets with wired plus Wi-Fi",
        routes.bond_mode,
    ),
    Rule(
        "bond-mac",
        "a Wi-Fi NIC can't take another hardware address on while it is associated",
        routes.bond_mac,
        after=("bond-mode",),
    ),
    Rule("bond-slave", "the bond can't use an uplink that is not in it", routes.bond_slave),
    Rule(
        "bond-monitor",
        "by carrier alone the bond never notices a router dead behind a live link",
        routes.bond_monitor,
        after=("bond-mode",),
    ),
    Rule(
        "metric-too-low",
        "it is ahead of the order of uplinks: that then hangs on a route of ours at each moment",
        routes.metric_too_low,
    ),
    Rule(
        "metric-equal",
        "the kernel picks one by chance, and may stay with a dead one",
        routes.metric_equal,
        after=("metric-too-low",),
    ),
    Rule(
        "way-blocked",
        "what has no other way is refused by the kernel, as if every uplink were lost",
        routes.way_blocked,
    ),
    Rule(
        "rules-elsewhere",
        "rules are asked before the routes that failover moves: what has that address is lost",
        routes.ruled_elsewhere,
    ),
    Rule(
        "no-gateway",
        "traffic can't go out by it when the others are lost",
        routes.no_gateway,
    ),
    Rule(
        "sysctl",
        "the kernel goes on using a dead link, answers ARP by the wrong one, or drops packets "
        "while the traffic moves",
        uplinks.wrong_sysctl,
        after=_NOT_YET,
    ),
    Rule(
        "dns-dead-link",
        "traffic has moved, but names can't be looked up",
        uplinks.dead_name_server,
    ),
    Rule(
        "timer-stopped",
        "no probe is made, so a router that died behind a live link is never noticed",
        services.timer_stopped,
    ),
    Rule(
        "watch-stopped",
        "a router that died behind a live link is left by the next check, not within a second",
        watch.watch_stopped,
        after=_NO_CONFIG,
    ),
    Rule(
        "check-failed",
        "probes come to nothing, so a router that died behind a live link is never noticed",
        services.check_failed,
        after=("hook-broken",),
    ),
    Rule(
        "old-systemd",
        "networkd takes the address away with the cable, or gives routes no metric: connections "
        "die",
        setup.old_systemd,
        lasts=True,
    ),
    Rule(
        "networkd-not-enabled",
        "after the next boot nobody sets the uplinks up",
        services.networkd_not_enabled,
        after=(*_NOT_YET, "networkd-stopped"),
    ),
    Rule(
        "dispatcher-not-enabled",
        "after the next boot no event reaches the hooks",
        services.dispatcher_not_enabled,
        after=(*_NO_CONFIG, "dispatcher-missing", "dispatcher-stopped"),
    ),
    Rule(
        "timer-not-enabled",
        "after the next boot no probe is made",
        services.timer_not_enabled,
        after=("timer-stopped",),
    ),
)
_WEAK = (
    Rule(
        "metric-wrong",
        "the order of the uplinks may not be the one you asked for",
        routes.metric_wrong,
        after=("metric-too-low", "metric-equal"),
    ),
    Rule(
        "bond-flaps",
        "where the router behind it was well, the monitor is too quick for a busy machine or a "
        "poor line, and the traffic goes to and fro for nothing",
        routes.bond_flaps,
    ),
    Rule(
        "disabled-by-hand",
        "it carries nothing until somebody remembers: there is one uplink less to fail over to",
        uplinks.disabled_by_hand,
        lasts=True,
    ),
    Rule(
        "portal",
        "nothing gets out by it until somebody logs in: there is one uplink less to fail over to",
        uplinks.portal,
        lasts=True,
    ),
    Rule(
        "drill-failed",
        "what did not work when it was tried will not when it is needed",
        uplinks.drill_failed,
        lasts=True,
    ),
    Rule(
        "crowded",
        "what is left out does not follow the traffic; anybody on its LAN can ask for so much",
        routes.crowded,
    ),
    Rule(
        "no-ipv6-gateway",
        "IPv6 has nowhere to go when the other is lost: names that have an IPv6 address are slow "
        "or dead until programs fall back on IPv4",
        routes.no_ipv6_gateway,
        after=("foreign-manager", "uplink-enslaved", "no-gateway"),
    ),
    Rule(
        "not-probed",
        "it counts as well while it has a carrier, though nobody may be there beyond it",
        routes.not_probed,
    ),
    Rule(
        "dns-one-uplink",
        "when that uplink is lost, traffic moves, but names can't be looked up",
        uplinks.one_name_server,
    ),
    Rule(
        "arp-ignore",
        "the LAN asks for an uplink's address by another one, and gets no answer",
        uplinks.arp_ignored,
    ),
    Rule(
        "masquerade",
        "the kernel drops what it masquerades when that leaves by another NIC, so connections of "
        "containers and guests die with each move; translated to the shared address they live",
        routes.masquerade,
        lasts=True,
    ),
    Rule("interface-gone", "there is one uplink less to fall back on", uplinks.interface_gone),
    Rule(
        "wait-online",
        "a dead uplink holds up network-online.target for two minutes at every boot",
        services.wait_online,
        after=_NOT_YET,
    ),
    Rule(
        "units-stale",
        "the service manager goes by the old text until it reads the new one",
        services.units_stale,
    ),
    Rule(
        "timer-outdated",
        "checks come at another interval than the configuration says",
        setup.timer_outdated,
    ),
    Rule(
        "venv-outdated",
        "hooks and checks go on, but its own command no longer starts, not even to uninstall",
        setup.venv_outdated,
        after=("hook-broken",),
    ),
    Rule(
        "watch-fixed-address",
        "the kernel does not ask whether it is there; a check each few seconds does",
        watch.fixed_gateway,
    ),
    Rule(
        "watch-no-local",
        "the kernel does not ask whether it is there; a check each few seconds does",
        watch.no_local_address,
    ),
    Rule(
        "file-changed",
        "it may no longer do what failover needs, and uninstall will leave it there",
        setup.file_changed,
    ),
    Rule(
        "file-outdated",
        "networkd goes by what the file said then, so what it says now is not in effect",
        setup.file_outdated,
        after=("file-changed", "file-missing", "file-shadowed"),
    ),
    Rule(
        "old-kernel",
        "moved addresses can't be marked as ours before Linux 5.18, so they may be left behind",
        setup.old_kernel,
        lasts=True,
    ),
    Rule(
        "watch-old-kernel",
        "a check each few seconds asks the gateway in use, and leaves a dead one that much later",
        watch.old_for_watch,
        after=("old-kernel",),
        lasts=True,
    ),
    Rule(
        "no-multipath",
        "connections of Multipath TCP end with their uplink, as all others do",
        multipath.no_multipath,
        lasts=True,
    ),
    Rule(
        "foreign-endpoint",
        "connections may stay with an uplink that is lost, or use one that should be a backup",
        multipath.foreign_endpoints,
    ),
)
RULES = (*_BROKEN, *_WEAK)


def is_lasting(facts: Facts) -> bool:
    """Tell whether nothing is wrong but what cannot be there for a moment only."""
    lasting = {rule.code for rule in RULES if rule.lasts}
    return all(finding.code in lasting for finding in diagnose(facts))


def diagnose(facts: Facts, before: Facts | None = None) -> tuple[Finding, ...]:
    """Return everything that is wrong: the broken before the weak, causes before effects.

    With ``before``, what was so when somebody looked shortly before, only what was wrong then, too.
    """
    findings = []
    symptoms: dict[str, tuple[Symptom, ...]] = {}
    for rule in RULES:
        severity = BROKEN if rule in _BROKEN else WEAK
        symptoms[rule.code] = tuple(_symptoms(rule, facts, before))
        # A cause that is itself hidden by its own cause still explains what follows from it.
        causes = [cause for code in rule.after for cause in symptoms[code]]
        findings += [
            Finding(rule.code, severity, symptom.what, rule.why, symptom.fix, symptom.safe)
            for symptom in symptoms[rule.code]
            if not any(symptom.concerns_the_same(cause) for cause in causes)
        ]
    return tuple(findings)


def _symptoms(rule: Rule, facts: Facts, before: Facts | None) -> Iterator[Symptom]:
    """Yield what a rule notices of the same things both times, as it is now."""
    if before is None or rule.lasts:
        yield from rule.symptoms(facts)
        return
    earlier = list(rule.symptoms(before))
    for symptom in rule.symptoms(facts):
        if any(symptom.concerns_the_same(other) for other in earlier):
            yield symptom
