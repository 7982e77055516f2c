"""examples/ansible by the real Ansible, over SSH by the very uplinks that it installs for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.booted import Booted, running
from tests.lab.suite import FILES, ROUTES, SETTINGS, shape, used, wait, wait_used
from tests.support import ROOT
from tests.support.install_sh import copy_checkout
from tests.vm import image

_PLAYBOOK = f"{ROOT}/examples/ansible/playbook.yml"
_CONFIG = "/etc/netfail-hooks/config.toml"
_CHECKOUT, _PREFIX, _HOME = "/run/checkout", "/run/usr", "/run/controller"
_ADDRESS = "192.168.1.252"
# A machine's root has a home that can be written to; the controller has one of its own.
_SSH = f"""
mkdir -p -m 700 /run/root/.ssh {_HOME}
sed -i 's,^root:\\(.*\\):/root:,root:\\1:/run/root:,' /etc/passwd
echo /bin/bash /bin/sh | tr ' ' '\\n' >/etc/shells
ssh-keygen -q -t ed25519 -N '' -f {_HOME}/key
cp {_HOME}/key.pub /run/root/.ssh/authorized_keys
dropbearkey -t ed25519 -f /run/host.key >/dev/null 2>&1
"""
_ANSIBLE = f"""\
[defaults]
host_key_checking = False
private_key_file = {_HOME}/key
interpreter_python = /usr/bin/python3
[ssh_connection]
pipelining = True
transfer_method = piped
"""
_ALL = FILES + ROUTES + SETTINGS + f"ls -R {_PREFIX} /run/netfail-hooks 2>&1\n"


class Controller:
    """Ansible on another host of the LAN, and what it is told of the machine."""

    def __init__(self, lab: Booted) -> None:
        self.lab = lab
        self.variables: dict[str, Any] = {
            "ansible_host": _ADDRESS,
            "ansible_user": "root",
            "ansible_become": False,
            "netfail_hooks_checkout": _CHECKOUT,
            "netfail_hooks_prefix": _PREFIX,
            "netfail_hooks_wheels": image.wheels(),
            "netfail_hooks_uplinks": ["eth0", "wlan0"],
        }

    def play(self, *words: str) -> tuple[int, str]:
        """Play once; return how many tasks changed something, and all that was told."""
        told = self.tell(*words)
        counts = re.findall(r"ok=\d+ +changed=(\d+) +unreachable=0 +failed=0", told)
        assert len(counts) == 1, told
        return int(counts[0]), told

    def tell(self, *words: str) -> str:
        """Return what a play tells, whatever comes of it."""
        hosts = {"uplinks": {"hosts": {"machine": self.variables}}}
        self.lab.write(f"{_HOME}/inventory.json", json.dumps(hosts))
        environment = (f"HOME={_HOME}", f"ANSIBLE_CONFIG={_HOME}/ansible.cfg")
        asked = ("ansible-playbook", "--inventory", f"{_HOME}/inventory.json", _PLAYBOOK, *words)
        done = self.lab.run_station("env", *environment, *asked, seconds=120)
        return done.stdout + done.stderr

    def checked(self) -> str:
        """Have a change looked at: it is told, and nothing is changed. Return what is told."""
        before = shape(self.lab, _ALL)
        changed, told = self.play("--check", "--diff")
        assert changed == 1, told
        assert shape(self.lab, _ALL) == before
        return told

    def changes(self) -> None:
        """Play where there is something to change."""
        changed, told = self.play()
        assert changed == 1, told

    def changes_nothing(self) -> None:
        """Play where all is as it is to be."""
        before = shape(self.lab, _ALL)
        changed, told = self.play()
        assert changed == 0, told
        assert shape(self.lab, _ALL) == before


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[Controller]:
    copy_checkout(tmp_path / "checkout")
    with running() as lab:
        lab.run("cp", "-R", str(tmp_path / "checkout"), _CHECKOUT).check_returncode()
        lab.run("sh", "-euc", _SSH).check_returncode()
        lab.write(f"{_HOME}/ansible.cfg", _ANSIBLE)
        listen = ("dropbear", "-F", "-E", "-r", "/run/host.key", "-P", "/run/ssh.pid")
        lab.run("systemd-run", "--unit=ssh", *listen).check_returncode()
        asked = ("bash", "-c", f"</dev/tcp/{_ADDRESS}/22")
        wait(lambda: lab.run_station(*asked).returncode == 0, "a server of SSH")
        yield Controller(lab)


def test_a_role_installs_changes_upgrades_and_gives_all_back(controller: Controller) -> None:
    lab, variables = controller.lab, controller.variables
    before, way = shape(lab, _ALL), used(lab)
    told = controller.checked()
    assert '+interface = "eth0"' in told
    assert "+Metric=600" in told
    controller.changes()
    wait_used(lab, "eth0")
    lab.systemctl("is-active", "--quiet", "netfail-hooks-check.timer")
    controller.changes_nothing()

    variables["netfail_hooks_uplinks"] = [
        {"interface": "wlan0", "failures": 3},
        {"interface": "eth0", "targets": ["icmp:192.168.1.7"]},
    ]
    variables["netfail_hooks_settings"] = {"watch": "fast", "hold_down": {"seconds": 1}}
    told = controller.checked()
    assert '+watch = "fast"' in told
    assert "-Metric=600" in told
    controller.changes()
    wait_used(lab, "wlan0")
    assert lab.read(_CONFIG).endswith('targets = ["icmp:192.168.1.7"]\n')

    lab.write(f"{_CHECKOUT}/netfail_hooks/new.py", "# of the next version\n")
    controller.changes()
    assert lab.read(f"{_PREFIX}/lib/netfail-hooks/packages/netfail_hooks/new.py")

    installed = shape(lab, _ALL)
    variables["netfail_hooks_settings"] = {"check": {"intervall": 1}}
    told = controller.tell()
    assert "check.intervall: unknown key, did you mean check.interval?" in told
    assert "failed=1" in told
    assert shape(lab, _ALL) == installed

    variables["netfail_hooks_state"] = "absent"
    assert "-watch" in controller.checked()
    controller.changes()
    assert shape(lab, _ALL) == before
    assert used(lab) == way
    controller.changes_nothing()
