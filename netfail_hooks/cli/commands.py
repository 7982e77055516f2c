"""The table of commands: what ``--help`` and the shells' completion are made of."""

from __future__ import annotations

from netfail_hooks.errors import NotNow
from netfail_hooks.values import value


@value
class Command:
    """A command: what it does in a line, and what its exit statuses mean.

    Its module, ``netfail_hooks.cli.NAME``, has ``add_arguments(parser)`` and
    ``run(args) -> int``; ``examples`` are what follows the command's name, ``others`` what more
    exit statuses of its own mean.
    """

    name: str
    summary: str
    well: str
    unwell: str
    examples: tuple[str, ...] = ("",)
    others: tuple[tuple[int, str], ...] = ()


# What exit statuses mean that every command has; 0 and 1 are each one's own.
STATUSES = {
    2: "wrong use, or a wrong or missing configuration; the message names the right one",
    3: "not permitted: mostly 'sudo' is missing",
    130: "ended by Ctrl-C",
    141: "whoever read the output has gone, as with 'head'",
}

# The demo's recording: of 'netfail-hooks demo', and of './install.sh --demo' in its checkout.
DEMO = "~/.local/state/netfail-hooks/demo/events.jsonl"
DEMO_OF_CHECKOUT = ".demo/state/netfail-hooks/demo/events.jsonl"

COMMANDS = (
    Command(
        "install",
        "take over, or write, a systemd-networkd set-up with two or more uplinks",
        "installed, or there was nothing to do",
        "something could not be put in place",
        (
            "--primary eth0 --backup wlan0 --dry-run",
            "--primary eth0 --backup wlan0 --dhcp --yes",
            "--config fleet.toml --yes",
        ),
    ),
    Command(
        "uninstall",
        "put back, byte for byte, what was there before install",
        "all is as it was",
        "something could not be put back",
        ("--dry-run",),
    ),
    Command(
        "status",
        "show each uplink, and which one carries the traffic now",
        "every uplink is well (recovering counts), as far as can be known",
        "an uplink is not well, or the traffic has no way out, or not the chosen one",
        ("", "--json", "--watch 2"),
    ),
    Command(
        "log",
        "show past transitions, newest last",
        "shown, even if there were none",
        "the log cannot be read",
        (
            "-n 5",
            "--since '10 min ago'",
            "--json --follow",
            "--timeline --since yesterday",
            "--svg uplinks.svg",
            "--bundle bug.txt",
            f"--file {DEMO} --timeline",
            f"--file {DEMO_OF_CHECKOUT} --timeline",
        ),
    ),
    Command(
        "check",
        "probe every uplink once now, and act on it",
        "every uplink is well (recovering counts)",
        "an uplink is not well, or the kernel refused a change",
        ("", "--json"),
    ),
    Command(
        "use",
        "have an uplink carry the traffic while it is up, whatever its rank",
        "the traffic goes by it, or by rank again",
        "it is not up, or the kernel refused a change",
        ("wlan0 --for 1h", "--auto"),
    ),
    Command(
        "disable",
        "do without an uplink: traffic moves before its cable is pulled",
        "nothing goes by it while another one can",
        "no other uplink is up, or the kernel refused a change",
        ("eth0 --for 30min", "eth0 --keep"),
    ),
    Command(
        "enable",
        "use a disabled uplink again, after its hold-down",
        "it is enabled",
        "the kernel refused a change",
        ("eth0",),
    ),
    Command(
        "drill",
        "make the uplink in use fail for a moment, to see that another takes over",
        "another uplink took the traffic, and it came back where it was to",
        "it did not, or the drill is refused: another uplink is not up",
        ("", "--dry-run", "--cable --seconds 30", "--yes --json"),
    ),
    Command(
        "doctor",
        "find what is wrong on this machine, and say how to fix it",
        "nothing is wrong",
        "something is wrong",
        ("", "--fix --dry-run", "--fix", "--json"),
    ),
    Command(
        "report",
        "write a page of how the uplinks are and were: outages, availability, what doctor says",
        "written, whatever it tells",
        "the machine or its log cannot be looked at, or the file cannot be written",
        (
            "--html uplinks.html",
            "--html /run/netfail-report/index.html",
            f"--html demo.html --file {DEMO}",
            f"--html demo.html --file {DEMO_OF_CHECKOUT}",
        ),
    ),
    Command(
        "replay",
        "run the hooks for events, or make recorded decisions again",
        "the hooks ended well; the decisions are those recorded",
        "a hook failed; a decision differs from the recorded one",
        (
            "eth0=no-carrier",
            "--sandbox eth0=no-carrier eth0=routable",
            "/var/log/netfail-hooks/events.jsonl",
            DEMO,
            DEMO_OF_CHECKOUT,
        ),
    ),
    Command(
        "demo",
        "show failovers in a throw-away network; nothing here changes",
        "traffic moved each time and no connection died",
        "a failover did not come, a connection died, or the lab could not be built",
        ("",),
        ((NotNow.status, "this machine is too busy or too slow for it just now: try again later"),),
    ),
    Command(
        "metrics",
        "print what is known of the uplinks for Prometheus, or write it",
        "printed or written",
        "not known, or the file cannot be written",
        ("", "--textfile /run/netfail-hooks/netfail.prom"),
    ),
    Command(
        "completion",
        "print what a shell needs to complete this command",
        "printed",
        "never",
        ("bash >/etc/bash_completion.d/netfail-hooks",),
    ),
)


def statuses(command: Command) -> dict[int, str]:
    """Return what a command's exit statuses mean, but for 0 and 1."""
    return dict(sorted([*STATUSES.items(), *command.others]))


def calls(command: Command) -> list[str]:
    """Return a command's examples as they are typed: by sudo where only root is shown something."""
    return [
        f"{'sudo ' if _takes_root(command.name, words) else ''}netfail-hooks {command.name} "
        f"{words}".rstrip()
        for words in command.examples
    ]


def _takes_root(name: str, words: str) -> bool:
    if name in ("demo", "completion"):
        return False
    if name == "doctor":
        return "--fix" in words
    if name in ("log", "report"):
        return "--file" not in words
    return name != "replay" or ("--sandbox" not in words and ("=" in words or "/var/log/" in words))


def epilog(command: Command) -> str:
    """Return what ends a command's help: examples and exit statuses."""
    lines = ["examples:"]
    lines += [f"  {call}" for call in calls(command)]
    lines += [
        "",
        "exit status:",
        f"  0    {command.well}",
        f"  1    {command.unwell}",
        *(f"  {status:<3}  {meaning}" for status, meaning in statuses(command).items()),
    ]
    return "\n".join(lines)
