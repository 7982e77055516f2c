"""A machine for a person to try README on, as a newcomer does: its LAN, a login, faults by word."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable

from tests.vm import image, payload
from tests.vm.bench import Bench, said
from tests.vm.handover import MANAGERS
from tests.vm.machine import Machine

_ADDRESS = "ip -4 -o address show dev eth0 | grep -o '192\\.168\\.1\\.[0-9]*/'"
_SSH = """\
Host vm
    HostName 127.0.0.1
    Port {port}
    User pi
    IdentityFile {place}/key
    IdentitiesOnly yes
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
"""
# As Raspberry Pi OS has it: a user who may do anything by sudo. What pip would fetch is here.
_PREPARE = """
useradd --create-home --shell /bin/bash --groups sudo pi
echo 'pi ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/010_pi-nopasswd
install -d -m 700 /home/pi/.ssh
echo '{key}' >/home/pi/.ssh/authorized_keys
cp -a /opt/vm/checkout /home/pi/netfail-hooks
chown -R pi:pi /home/pi
printf '[global]\\nno-index = true\\nfind-links = /opt/vm/wheels\\n' >/etc/pip.conf
units=/etc/systemd/system
cat >$units/vm-login.socket <<'END'
[Unit]
Description=The router's port 22
[Socket]
ListenStream=10.0.2.15:22
NetworkNamespacePath=/run/netns/lan
END
cat >$units/vm-login.service <<'END'
[Unit]
Description=From the router to the machine
[Service]
ExecStart=/usr/lib/systemd/systemd-socket-proxyd {address}:22
NetworkNamespacePath=/run/netns/lan
END
systemctl daemon-reload
systemctl start vm-login.socket
"""
_TOLD = """
{what} is up. Log in from its router's side, in another terminal:

    ssh -F {place}/ssh vm

You are pi there, and may do anything by sudo. README's commands can be typed in ~/netfail-hooks:

    sudo ./install.sh --primary eth0 --backup wlan0 --dry-run

There is no Internet: libraries and packages are in the machine. Type here, or Ctrl-C to end it all:

    {orders}
"""


def run(suite: str, *, managed: bool) -> None:
    """Boot a machine, tell how to use it, and do as told until the end."""
    manager = MANAGERS[suite] if managed else image.LOGIN
    what = f"{image.SUITES[suite]}, run by {'NetworkManager' if managed else 'systemd-networkd'},"
    # A shell that has put us in the background has Ctrl-C ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as up:
        place = up.enter_context(tempfile.TemporaryDirectory(prefix="netfail-try-", dir="/var/tmp"))
        payload.write(f"{place}/payload.tar", image.wheels(), manager=manager)
        made, port = image.image(suite, manager), _free_port()
        said(f"{what} boots: half a minute, or two on a busy machine")
        machine = up.enter_context(Machine(made, f"{place}/payload.tar", login=port))
        machine.until(_ADDRESS, "address of eth0", seconds=120)
        address = machine.sh(_ADDRESS).split("/")[0]
        machine.sh(_PREPARE.format(key=_make_key(place), address=address), seconds=120)
        with open(f"{place}/ssh", "w", encoding="utf-8") as file:
            file.write(_SSH.format(port=port, place=place))
        orders = _orders(Bench(machine, suite, "routes", []))
        print(_TOLD.format(what=what, place=place, orders=", ".join(orders)), flush=True)
        for line in sys.stdin:
            _obey(orders, " ".join(line.split()))
        signal.pause()  # nobody is to say more


def _orders(bench: Bench) -> dict[str, Callable[[], None]]:
    return {
        "cable out": lambda: bench.cable(plugged=False),
        "cable in": lambda: bench.cable(plugged=True),
        "router dead": lambda: bench.gateway("eth0", alive=False),  # behind the cable, link up
        "router back": lambda: bench.gateway("eth0", alive=True),
        "wifi off": lambda: bench.access_point(on=False),
        "wifi on": lambda: bench.access_point(on=True),
    }


def _obey(orders: dict[str, Callable[[], None]], order: str) -> None:
    if order in orders:
        orders[order]()
        said(order)
    elif order:
        said(f"{order!r} is none of: {', '.join(orders)}")


def _make_key(place: str) -> str:
    """Return the public half of a new key."""
    key = f"{place}/key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    with open(f"{key}.pub", encoding="ascii") as file:
        return file.read().strip()


def _free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])
