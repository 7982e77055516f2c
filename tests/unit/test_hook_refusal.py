"""The shell in front of the hooks: it starts Python for an uplink's news, and for nothing else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from netfail_hooks.config import Config
from netfail_hooks.config.cache import load
from netfail_hooks.config.file import render
from netfail_hooks.hook import note_received
from netfail_hooks.install import hook_file
from netfail_hooks.paths import Paths
from netfail_hooks.values import replace
from tests.conftest import Tried
from tests.support import ROOT
from tests.support.world import config_of

# Debian's and Ubuntu's /bin/sh is dash, Arch's is bash; small systems have busybox.
SHELLS = ("/bin/sh", "/bin/bash", "busybox sh")
PLACES = ("/run/netfail-hooks", "/run/systemd", "/etc/netfail-hooks", "/sys/class/net")


class Front:
    """The hook as it is installed, in a directory of its own: what it would start is a note.

    What Python notes when it has looked is noted, unless it is ``killed`` before.
    """

    killed = False

    def __init__(self, root: Path, config: Config, shell: str) -> None:
        self.paths = Paths(str(root))
        self.shell = shell
        self.started = root / "started"
        self.file = root / "hook"
        program = root / "python"
        program.write_text('#!/bin/sh\necho "$NETFAIL_UPLINKS" >"${0%/*}/started"\n')
        program.chmod(0o755)
        text = hook_file.hook_text(interpreter=str(program), package="/opt").decode()
        for place in PLACES:
            text = re.sub(rf"{place}(?=[/ ])", self.paths.at(place), text)
        self.file.write_text(text)
        self.configure(config)
        for number, name in enumerate(config.names(), start=2):
            self.write(f"/sys/class/net/{name}/ifindex", f"{number}\n")
            self.write(f"/sys/class/net/{name}/carrier_changes", "2\n")
            self.write(f"/sys/class/net/{name}/operstate", "up\n")
            self.networkd_tells(number)

    def networkd_tells(self, number: int) -> None:
        """Write an interface's file as networkd does: a new one in the place of the old."""
        self.write("/run/systemd/netif/links/new", "")
        os.rename(
            self.paths.at("/run/systemd/netif/links/new"),
            self.paths.at(f"/run/systemd/netif/links/{number}"),
        )

    def unplug(self, name: str) -> None:
        shutil.rmtree(self.paths.at(f"/sys/class/net/{name}"))

    def configure(self, config: Config) -> None:
        self.write("/etc/netfail-hooks/config.toml", render(config))
        load(self.paths)

    def write(self, path: str, text: str) -> None:
        file = Path(self.paths.at(path))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def starts(self, **environment: str) -> bool:
        """Run it; tell whether it starts Python."""
        self.started.unlink(missing_ok=True)
        done = subprocess.run(
            [*self.shell.split(), self.file],
            env=environment,
            cwd=self.paths.root,
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        if not self.started.exists():
            return False
        if not self.killed:
            note_received(self.started.read_text().strip(), self.paths)
        return True


@pytest.fixture(params=SHELLS)
def front(request: pytest.FixtureRequest, tmp_path: Path) -> Front:
    """Return one that has let an event by."""
    made = Front(tmp_path, config_of("upl0", "upl1"), request.param)
    assert made.starts(IFACE="upl0")
    return made


def test_an_uplinks_event_starts_python_each_time(front: Front) -> None:
    assert all(front.starts(IFACE=name) for name in ("upl0", "upl1", "upl0"))


def test_others_do_not_whether_they_are_there_or_not(front: Front) -> None:
    front.write("/sys/class/net/veth0/ifindex", "9\n")
    for name in ("veth0", "veth1", "upl", "upl00", "pl0", "upl0@if3", "*", "UPL0"):
        assert not front.starts(IFACE=name), name


@pytest.mark.parametrize(
    "change",
    [
        lambda front: front.write("/sys/class/net/upl1/ifindex", "12\n"),  # plugged in again
        lambda front: front.write("/sys/class/net/upl1/carrier_changes", "4\n"),  # gone and back
        lambda front: front.write("/sys/class/net/upl1/operstate", "down\n"),
        lambda front: front.networkd_tells(3),  # its addresses may be others
        lambda front: front.unplug("upl1"),
    ],
)
def test_an_uplink_that_changed_is_heard_of_at_the_next_event_once(
    front: Front, change: Callable[[Front], None]
) -> None:
    assert not front.starts(IFACE="veth0")
    change(front)
    assert front.starts(IFACE="veth0")
    front.networkd_tells(77)  # of somebody else's
    assert not front.starts(IFACE="veth0")


def test_a_run_that_was_killed_hides_no_change(front: Front) -> None:
    front.networkd_tells(3)
    front.killed = True
    assert [front.starts(IFACE="veth0") for _ in range(2)] == [True, True]
    front.killed = False
    assert [front.starts(IFACE="veth0") for _ in range(2)] == [True, False]


def test_nothing_is_noted_where_uninstall_was_quicker(front: Front) -> None:
    text = Path(front.paths.received).read_text()
    for path in (front.paths.received, front.paths.compiled_config):
        os.unlink(path)
    note_received(text, front.paths)
    assert not os.path.exists(front.paths.run)
    note_received(text, front.paths)
    assert not os.path.exists(front.paths.run)


def test_a_clock_that_was_set_back_hides_no_change(front: Front) -> None:
    os.utime(front.paths.received, (1 << 32, 1 << 32))
    assert not front.starts(IFACE="veth0")
    front.networkd_tells(3)
    assert front.starts(IFACE="veth0")


@pytest.mark.parametrize("shell", SHELLS)
def test_while_a_name_is_an_alternative_one_any_event_may_be_its_uplinks(
    tmp_path: Path, shell: str
) -> None:
    """ "lo" stands for one: the kernel knows it, the /sys of the test does not show it."""
    front = Front(tmp_path, config_of("lo", "upl1"), shell)
    assert front.starts(IFACE="upl1")
    assert not front.starts(IFACE="enx0")
    front.unplug("lo")
    assert [front.starts(IFACE="enx0") for _ in range(3)] == [True, True, True]


def test_where_nobody_can_be_asked_for_an_absent_name_python_decides(front: Front) -> None:
    front.unplug("upl1")
    assert front.starts(IFACE="veth0")
    assert not front.starts(IFACE="veth0", PATH=os.environ["PATH"])
    if "busybox" not in front.shell:  # which has an ip of its own
        assert front.starts(IFACE="veth0", PATH="/nowhere")


def test_a_bonds_event_is_ours(front: Front) -> None:
    front.configure(replace(config_of("upl0", "upl1"), mode="bond"))
    assert front.starts(IFACE="bond0")
    assert front.starts(IFACE="bond0")
    assert not front.starts(IFACE="bond1")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda paths: os.unlink(paths.compiled_config),
        lambda paths: Path(paths.compiled_config).write_text(""),
        lambda paths: Path(paths.compiled_config).write_text("netfail-hooks config 6 upl0 upl1\n"),
        lambda paths: Path(paths.compiled_config).write_text("netfail-hooks config 7\n"),
        lambda paths: os.chown(paths.compiled_config, 1, 1),
        lambda paths: os.chown(paths.run, 1, 1),
        lambda paths: os.utime(paths.config, (1 << 32, 1 << 32)),  # a config that nobody read yet
        lambda paths: os.utime(paths.config, (1 << 20, 1 << 20)),  # the same, of a backup
    ],
)
def test_with_no_names_to_go_by_python_decides(front: Front, spoil: object) -> None:
    assert not front.starts(IFACE="veth0")
    spoil(front.paths)  # type: ignore[operator]
    before = Path(front.paths.received).stat()
    assert front.starts(IFACE="veth0")
    assert front.starts(IFACE="veth0")
    assert Path(front.paths.received).stat().st_mtime_ns == before.st_mtime_ns


def test_a_config_from_before_the_clock_was_set_is_one_too(front: Front) -> None:
    """A machine without a battery compiles it in 1970, and the file seems to be of the future."""
    os.utime(front.paths.config, (1 << 32, 1 << 32))
    load(front.paths)
    assert front.starts(IFACE="upl0")
    assert not front.starts(IFACE="veth0")


def test_with_no_interface_python_complains(front: Front) -> None:
    assert front.starts()
    assert front.starts(IFACE="")


def test_what_cannot_be_noted_costs_no_event(front: Front) -> None:
    os.unlink(front.paths.received)
    os.mkdir(front.paths.received)
    assert front.starts(IFACE="veth0")
    assert front.starts(IFACE="upl0")


@pytest.mark.faults
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from(["STATE", "ADDR", "ESSID", "json", "form", "names", "now", "run", "IFS"]),
        st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
    | st.sampled_from(
        [
            "upl0 ",
            "upl0\n",
            "UPL0",
            "$(>x)",
            "`>x`",
            '";>x;"',
            "*",
            "?pl0",
            "upl[0]",
            "upl0|x",
            "\\",
        ]
    ),
)
def test_no_environment_makes_a_hook_act_for_what_is_no_uplink(
    front: Front, tried: Tried, environment: dict[str, str], interface: str
) -> None:
    tried("fuzz inputs: hook environments", 1)
    assume(interface not in ("upl0", "upl1", "upl0 upl1"))
    front.started.unlink(missing_ok=True)
    before = sorted(os.walk(front.paths.root))
    assert not front.starts(**environment, IFACE=interface)
    assert sorted(os.walk(front.paths.root)) == before


def test_the_shell_is_sound() -> None:
    text, mark, _ = (ROOT / "hooks/routable").read_text(encoding="utf-8").partition('\n":"""\n')
    assert mark
    command = ["shellcheck", "--shell=sh", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
