"""The systemd units: of the check a one-shot service and its timer, of the watch a socket and one.

``systemd-analyze security --offline=yes`` calls both services' exposure OK; what is left out has
its reason beside it, and what a line costs, for whoever reads the unit on a machine.
"""

from __future__ import annotations

from collections.abc import Sequence

from netfail_hooks.install.hook_file import base_python, refuse_odd, search_path

SERVICE, TIMER = "netfail-hooks-check.service", "netfail-hooks-check.timer"
UNITS = "/etc/systemd/system"
WANTED = f"{UNITS}/timers.target.wants/{TIMER}"
QUICK = "netfail-hooks-quick.timer"
DRILL, DRILL_TIMER = "netfail-hooks-drill.service", "netfail-hooks-drill.timer"
DRILL_WANTED = f"{UNITS}/timers.target.wants/{DRILL_TIMER}"
WATCH, SOCKET = "netfail-hooks-watch.service", "netfail-hooks-watch.socket"
SOCKET_WANTED = f"{UNITS}/sockets.target.wants/{SOCKET}"

# Named so that a drop-in of the user's own, such as override.conf, comes later and counts, and
# netplan's 10-netplan.conf, which waits for every uplink, before.
ONLINE = f"{UNITS}/systemd-networkd-wait-online.service.d"
ONLINE_FILE = f"{ONLINE}/50-netfail-hooks.conf"

# libdbus ends a program that has lost the system bus (dbus_connection_set_exit_on_disconnect()).
# networkd connects to the bus once (manager_connect_bus() of systemd's networkd-manager.c) and is
# deaf on a later one; a bus asked for it waits 25 s in vain, and the dispatcher, which asks about
# each interface before it is ready, comes to its 90 s of TimeoutStartSec=, again and again.
DISPATCHER = f"{UNITS}/networkd-dispatcher.service.d"
DISPATCHER_FILE = f"{DISPATCHER}/10-netfail-hooks.conf"
DISPATCHER_TEXT = """\
# Made by netfail-hooks install. networkd-dispatcher ends when dbus is restarted, and would stay
# failed: it comes back, however and how often it ends, but for a stop (systemd.service(5)). Its
# start has the hooks look at everything, so what happened meanwhile is made up for.
[Unit]
StartLimitIntervalSec=0

[Service]
Restart=always
RestartSec=1
# A systemd-networkd older than the bus is never on it, no event comes of it, and the dispatcher
# waits for it in vain: it is started anew, once for each bus. At boot it may be only late.
ExecStartPre=-/bin/sh -c '\\
since() { systemctl show --property=ActiveEnterTimestampMonotonic --value "$$1"; }; \\
deaf() { test "$$(busctl --timeout=3 call org.freedesktop.DBus /org/freedesktop/DBus \\
org.freedesktop.DBus NameHasOwner s org.freedesktop.network1)" = "b false"; }; \\
systemctl is-active --quiet systemd-networkd || exit 0; \\
for _ in 1 2 3 4 5; do deaf || exit 0; sleep 1; done; \\
test "$$(since dbus)" -gt "$$(since systemd-networkd)" || exit 0; \\
echo "netfail-hooks: systemd-networkd has lost the bus, restarting it"; \\
exec timeout 30 systemctl try-restart systemd-networkd'
"""

# seccomp filters of whatever we start.
_FILTERS = """\
MemoryDenyWriteExecute=yes
# netlink; ARP; probes; the journal and, for notify.d, systemd-run
RestrictAddressFamilies=AF_NETLINK AF_PACKET AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
"""

_SERVICE = (
    """\
# Made by netfail-hooks install; 'systemctl edit' it rather than change it here.
[Unit]
Description=Look at the uplinks and probe them
Documentation=man:netfail-hooks(8)
After=systemd-networkd.service
ConditionPathExists=/etc/netfail-hooks/config.toml
# More starts than the default's five in ten seconds are no fault where the timer says so.
StartLimitIntervalSec=0

[Service]
Type=oneshot
ExecStart={command}
TimeoutStartSec=30
# Stopped on the way is no failure; a one-shot's would be (systemd.service(5)).
SuccessExitStatus=SIGTERM
# Nothing in the journal while all is well: this drops what the service manager says about the
# unit, too (systemd.exec(5)). A switch is a notice, what goes wrong an error.
LogLevelMax=notice

RuntimeDirectory=netfail-hooks
RuntimeDirectoryPreserve=yes
LogsDirectory=netfail-hooks
UMask=0077

# Once a minute, so each line has its price: the CPU time of a start, measured with /bin/true.
# A start without any of them takes 5 ms, with all of them 13, with each directive there is 33.
# prctl(2), less than 0.1 ms each:
# Routes, addresses and ending connections; ARP and ICMP probes. What ProtectKernelModules=,
# ProtectKernelLogs=, ProtectClock= and ProtectHostname= would keep it from doing needs other
# capabilities (capabilities(7)), and those four cost 1 to 3 ms each; so does ProtectProc=, since
# without CAP_SYS_PTRACE it may look into no process that has more than it.
CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW
NoNewPrivileges=yes
LockPersonality=yes
KeyringMode=private
# A mount namespace, 3 ms: everything is read-only but our own directories and /proc/sys/net.
# ProtectKernelTunables= and ProtectControlGroups= say nearly the same as the second line, as thirty
# mounts, each of which is looked for in all of /proc/self/mountinfo: 8 to 12 ms.
ProtectSystem=strict
ReadOnlyPaths=/proc /sys
ReadWritePaths=/proc/sys/net{writable}
# No disks, which root may write to whatever the file systems are: 3 ms. ProtectHome= and
# PrivateTmp= would hide what can only be read, for 2 to 4 ms each.
PrivateDevices=yes
# seccomp filters, 3 ms for all of them:
"""
    + _FILTERS
)

_PROGRAMS = """\
# By these a program of exec:, such as ping(8), gives up what it does not need; nothing is gained.
# setuid32 is what setuid(2) calls on 32-bit machines, a Raspberry Pi OS of armhf among them.
SystemCallFilter=capset setuid setuid32
"""

_TIMER = """\
# Made by netfail-hooks install from check.interval and .quick in /etc/netfail-hooks/config.toml.
[Unit]
Description=Look at the uplinks every {interval} s
Documentation=man:netfail-hooks(8)

[Timer]
OnActiveSec={interval}
OnUnitActiveSec={interval}
# The default would gather a minute's wake-ups (systemd.timer(5)).
AccuracySec=100ms

[Install]
WantedBy=timers.target
"""

SOCKET_TEXT = """\
# Made by netfail-hooks install.
[Unit]
Description=Hear the kernel's word of a dead gateway, or of an uplink
Documentation=man:netfail-hooks(8)

[Socket]
# RTMGRP_LINK, _NEIGH, _IPV4_IFADDR and _IPV6_IFADDR (rtnetlink(7)). A filter that the service sets
# passes the gateway in use and the uplinks alone.
ListenNetlink=route 277
# A burst of words is no fault for which to stop listening: the service hears them out.
TriggerLimitIntervalSec=0

[Install]
WantedBy=sockets.target
"""

# Between the word and the switch nothing may wait, so it is hardened by what costs little there.
_WATCH = (
    """\
# Made by netfail-hooks install; 'systemctl edit' it rather than change it here.
[Unit]
Description=Look at the uplinks on the kernel's word
Documentation=man:netfail-hooks(8)
After=systemd-networkd.service
# See TriggerLimitIntervalSec= of the socket; what fails comes again after RestartSec= below.
StartLimitIntervalSec=0

[Service]
Type=oneshot
ExecStart={command}
TimeoutStartSec=60
# What cannot start, or dies, leaves the word in the socket: without a pause it would be started
# again at once, for ever. With one the socket waits as long, and never fails.
Restart=on-failure
RestartSec=5
SuccessExitStatus=SIGTERM
LogLevelMax=notice

RuntimeDirectory=netfail-hooks
RuntimeDirectoryPreserve=yes
LogsDirectory=netfail-hooks
UMask=0077

# No mount namespace, so no Protect*= or Private*= that needs one: it costs 40 to 100 ms, half of
# all the time from the word to the switch. The check, for which nobody waits, has a small one.
# prctl(2) before the start, each less than 0.1 ms:
CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW
NoNewPrivileges=yes
LockPersonality=yes
# seccomp filters, which the service manager compiles at each start: 7 ms for all of them.
"""
    + _FILTERS
)

_QUICK = """\
# Made by netfail-hooks install from check.quick in /etc/netfail-hooks/config.toml. A hook or check
# that sees that something is not well starts it, one that sees that all is stops it.
[Unit]
Description=Look at the uplinks every {interval} s until all is well
Documentation=man:netfail-hooks(8)

[Timer]
Unit={service}
OnActiveSec={interval}
OnUnitActiveSec={interval}
AccuracySec=100ms
"""

_DRILL = (
    """\
# Made by netfail-hooks install, for drill.every in /etc/netfail-hooks/config.toml.
[Unit]
Description=Make the uplink in use fail for a moment, to see that another takes over
Documentation=man:netfail-hooks(8)
After=systemd-networkd.service
ConditionPathExists=/etc/netfail-hooks/config.toml

[Service]
Type=oneshot
ExecStart={command}
TimeoutStartSec=15min
# What it has to tell is in the journal already, by itself.
StandardOutput=null
RuntimeDirectory=netfail-hooks
RuntimeDirectoryPreserve=yes
LogsDirectory=netfail-hooks
StateDirectory=netfail-hooks
UMask=0077
CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW
NoNewPrivileges=yes
LockPersonality=yes
ProtectSystem=strict
ReadOnlyPaths=/proc /sys
ReadWritePaths=/proc/sys/net{writable}
PrivateDevices=yes
"""
    + _FILTERS
)

_DRILL_TIMER = """\
# Made by netfail-hooks install from drill.every in /etc/netfail-hooks/config.toml.
[Unit]
Description=A fire drill of the uplinks, {every}
Documentation=man:netfail-hooks(8)

[Timer]
OnCalendar={calendar}
# Not all machines of a place at once. One that is off then waits for the next time.
RandomizedDelaySec=1h

[Install]
WantedBy=timers.target
"""
_CALENDARS = {"weekly": "Sun *-*-* 03:00", "monthly": "*-*-01 03:00"}  # systemd.time(7)

_ONLINE = """\
# Made by netfail-hooks install: one uplink is enough to be online. By default each is waited for,
# a dead one for two minutes at every boot (systemd-networkd-wait-online.service(8)).
[Service]
ExecStart=
ExecStart={program} --any{interfaces}
"""
_STATE = "/var/lib/netfail-hooks"
_ONLINE_PROGRAM = "/usr/lib/systemd/systemd-networkd-wait-online"


def service_text(
    *,
    interpreter: str = "",
    places: Sequence[str] = (),
    textfile: str = "",
    counts: bool = False,
    programs: bool = False,
) -> str:
    """Return the service, by default for this very Python and package. Raises Problem.

    It may write the file of metrics and, if it ``counts``, what metered uplinks carried; it may
    run ``programs``.
    """
    line = command("netfail_hooks.check", interpreter=interpreter, places=places)
    # The minus: a directory that is not there is no reason not to look (systemd.exec(5)).
    writable = f" -{textfile.rpartition('/')[0]}" if textfile else ""
    writable += f" -{_STATE}" if counts else ""
    text = _SERVICE.format(command=line, writable=writable)
    return text + _PROGRAMS if programs else text


def command(module: str, *, interpreter: str = "", places: Sequence[str] = ()) -> str:
    """Return what ExecStart= is to run: a module's main(). Raises Problem."""
    program, places = interpreter or base_python(), tuple(places) or search_path()
    for place in (program, *places):
        refuse_odd(place)
    listed = ", ".join(f"'{place}'" for place in places)
    # gc.disable and os._exit for the reasons that hooks/routable gives.
    code = f"import gc, os, sys; gc.disable(); sys.path += [{listed}]; "
    return f'{program} -IS -c "{code}from {module} import main; os._exit(main())"'


def timer_text(interval: int) -> str:
    """Return the timer for a check every ``interval`` seconds."""
    return _TIMER.format(interval=interval)


def watch_text(places: Sequence[str] = ()) -> str:
    """Return the service, by default for this very Python and package. Raises Problem."""
    return _WATCH.format(command=command("netfail_hooks.watch", places=places))


def quick_text(interval: int) -> str:
    """Return the timer for a check every ``interval`` seconds while something is not well."""
    return _QUICK.format(interval=interval, service=SERVICE)


def drill_text(places: Sequence[str] = (), textfile: str = "") -> str:
    """Return the service of the fire drill. Raises Problem."""
    writable = f" -{textfile.rpartition('/')[0]}" if textfile else ""
    line = command("netfail_hooks.cli.drill", places=places)
    return _DRILL.format(command=line, writable=writable)


def drill_timer_text(every: str) -> str:
    """Return the timer for it."""
    return _DRILL_TIMER.format(every=every, calendar=_CALENDARS[every])


def online_text(interfaces: Sequence[str]) -> str:
    """Return the drop-in by which any one of these interfaces makes the machine online.

    No state is named, so RequiredForOnline= of the ``.network`` files goes on to count, and no
    time-out: with every uplink dead the machine is offline, and waits as it did before us.
    """
    listed = "".join(f" --interface={name}" for name in interfaces)
    return _ONLINE.format(program=_ONLINE_PROGRAM, interfaces=listed.replace("%", "%%"))
