"""A machine in QEMU: start it, give it orders over virtio-serial, pull its cable, reboot it.

Every wait has a deadline; a panic, an early end or silence is told with the console's tail.
tcg rather than KVM: CI machines have none, or one that hangs. One processor: two that wait for
each other stall a kernel where this machine has little time for either.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from typing import Any, Self

from tests.vm.image import Image

AddressOwner = dict[str, Any]
_BOOT = 240.0  # seconds; 20 to 60 on an idle machine
_RESETS = 2
# wlan0 appears late: a device has 90 s by default (systemd-system.conf(5)), here too little.
_FAST = "mitigations=off systemd.show_status=no systemd.default_device_timeout_sec=600"
_PANICS = ("Kernel panic", "BUG: unable to handle", "emergency mode")
# What a kernel says of an emulated processor that got no time: no fault of what is tested.
_STALLS = ("soft lockup", "self-detected stall", "detected stalls on CPUs")


class Broken(Exception):  # noqa: N818 - what it is of the machine
    """The machine itself failed, not what is tested on it."""


class Machine:
    """A booted machine, from entering the context until leaving it. Its disk forgets.

    With ``login``, this port of 127.0.0.1 is the router's 22 (10.0.2.15, world.py).
    """

    def __init__(self, image: Image, payload: str, *, login: int = 0) -> None:
        self._image = image
        self._payload = payload
        self._login = login
        self._dir = tempfile.TemporaryDirectory(prefix="netfail-vm-", dir="/var/tmp")
        self.console = f"{self._dir.name}/console"
        self._heard = b""
        self._files = contextlib.ExitStack()
        self._netdevs = {"net-eth0"}
        self._number = 0
        self.boot = ""

    def __enter__(self) -> Self:
        with open(self.console, "wb") as console:
            self._qemu = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env={**os.environ, "TMPDIR": self._dir.name},
            )
        try:
            self._agent = self._connect("agent")
            self._qmp = self._connect("qmp")
            self._answers = self._files.enter_context(self._qmp.makefile("rb"))
            self._answers.readline()
            self._qmp_do("qmp_capabilities")
            self.wait_boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()
        self._qemu.kill()
        self._qemu.wait()
        self._dir.cleanup()

    def _command(self) -> list[str]:
        hub = [("eth0", "52:54:00:00:00:01", 1), ("port0", "52:54:00:00:00:02", 1)]
        nics = []
        for name, mac, number in hub:
            nics += [
                "-netdev",
                f"hubport,id=net-{name},hubid={number}",
                "-device",
                f"virtio-net-pci,id={name},netdev=net-{name},mac={mac}",
            ]
        if self._login:
            nics += [
                "-netdev",
                f"user,id=login,restrict=on,hostfwd=tcp:127.0.0.1:{self._login}-:22",
                "-device",
                "virtio-net-pci,netdev=login,mac=52:54:00:00:00:03",
            ]
        return [
            "qemu-system-x86_64",
            "-accel",
            "tcg",
            "-smp",
            "1",
            "-cpu",
            "max",
            "-m",
            "1024",
            "-display",
            "none",
            "-serial",
            "stdio",
            "-monitor",
            "none",
            "-kernel",
            self._image.kernel,
            "-initrd",
            self._image.initrd,
            "-append",
            f"console=ttyS0 root=/dev/vda rw quiet net.ifnames=0 {_FAST}",
            "-drive",
            f"file={self._image.disk},format=raw,if=virtio,snapshot=on,cache=unsafe",
            "-drive",
            f"file={self._payload},format=raw,if=virtio,readonly=on",
            "-device",
            "virtio-rng-pci",
            "-device",
            "virtio-serial-pci",
            "-chardev",
            f"socket,id=agent,path={self._dir.name}/agent,server=on,wait=off",
            "-device",
            "virtserialport,chardev=agent,name=netfail",
            "-qmp",
            f"unix:{self._dir.name}/qmp,server=on,wait=off",
            *nics,
        ]

    def _connect(self, name: str) -> socket.socket:
        made = self._files.enter_context(socket.socket(socket.AF_UNIX))
        deadline = time.monotonic() + 15
        while True:
            try:
                made.connect(f"{self._dir.name}/{name}")
            except OSError:
                self._check(f"QEMU offers no {name} channel", deadline)
                time.sleep(0.05)
            else:
                made.settimeout(15)
                return made

    def _qmp_do(self, what: str, **arguments: Any) -> Any:
        self._qmp.sendall(json.dumps({"execute": what, "arguments": arguments}).encode())
        deadline = time.monotonic() + 15
        while True:
            self._check(f"QEMU does not answer {what}", deadline)
            answer = json.loads(self._answers.readline())
            if "error" in answer:
                raise Broken(f"QEMU: {answer['error']}")
            if "return" in answer:
                return answer["return"]

    def cable(self, *, plugged: bool, ends: tuple[str, ...] = ("eth0", "port0")) -> None:
        """Plug the cable in or out: both virtio NICs see their carrier change.

        Any other NIC has port0 for its far end, too, and needs it (``plug``).
        """
        for name in ends:
            self._qmp_do("set_link", name=name, up=plugged)

    def plug(self, name: str, driver: str, **options: Any) -> None:
        """Plug a device in; one with a ``mac`` is a NIC on the LAN's hub, as eth0 is."""
        if "mac" in options:
            options["netdev"] = f"net-{name}"
            if options["netdev"] not in self._netdevs:
                self._netdevs.add(options["netdev"])
                self._qmp_do("netdev_add", type="hubport", id=options["netdev"], hubid=1)
        deadline = time.monotonic() + 20
        while True:  # the one before may be on its way out still
            try:
                self._qmp_do("device_add", driver=driver, id=name, **options)
            except Broken:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return

    def unplug(self, name: str) -> None:
        """Pull a device out. A PCI one goes when the machine has let it go."""
        self._qmp_do("device_del", id=name)

    def sleeps(self) -> bool:
        """Tell whether it is suspended to RAM."""
        return bool(self._qmp_do("query-status")["status"] == "suspended")

    def wake(self) -> None:
        """Wake a machine that sleeps."""
        self._qmp_do("system_wakeup")

    def _check(self, why: str, deadline: float) -> None:
        """Raise Broken if the machine is dead or the time is up."""
        tail = self.tail()
        panic = next((one for one in _PANICS if one in tail), "")
        if panic:
            raise Broken(f"{panic!r} on the console:\n{tail}")
        if self._qemu.poll() is not None:
            raise Broken(f"QEMU ended with status {self._qemu.returncode}:\n{tail}")
        if time.monotonic() > deadline:
            raise Broken(f"{why} in time; the console's end:\n{tail}")

    def tail(self) -> str:
        """Return the end of what the console said."""
        with open(self.console, "rb") as console:
            return console.read()[-4000:].decode("utf-8", "replace")

    def _hear(self, deadline: float, why: str) -> AddressOwner:
        while b"\n" not in self._heard:
            self._check(why, deadline)
            self._agent.settimeout(0.5)
            with contextlib.suppress(TimeoutError):
                data = self._agent.recv(1 << 20)
                if not data:
                    raise Broken(f"the agent's channel closed:\n{self.tail()}")
                self._heard += data
        line, _, self._heard = self._heard.partition(b"\n")
        try:
            answer: AddressOwner = json.loads(line)
        except ValueError:
            return {}  # cut by a reboot
        return answer

    def wait_boot(self) -> None:
        """Wait for the agent of a boot that is not the last one; reset a machine that stalls."""
        for _ in range(_RESETS):
            try:
                self._wait_boot()
            except Broken as broken:
                if not self._stalls():
                    raise
                print(f"reset, as its processor stalls: {broken}", file=sys.stderr, flush=True)
                self._qmp_do("system_reset")
            else:
                return
        self._wait_boot()

    def _stalls(self) -> bool:
        said = self.tail().rpartition("reboot: Restarting system")[2]
        return any(stall in said for stall in _STALLS)

    def _wait_boot(self) -> None:
        deadline = time.monotonic() + _BOOT
        while True:
            boot = self._hear(deadline, "the machine did not boot").get("hello", "")
            if boot and boot != self.boot:
                self.boot = boot
                return

    def ask(self, do: str, *, seconds: float = 60.0, **more: Any) -> AddressOwner:
        """Have the agent do something; return its answer. Raises Broken without one."""
        self._number += 1
        order = {"id": self._number, "do": do, "seconds": seconds, **more}
        self._agent.settimeout(15)
        self._agent.sendall(json.dumps(order).encode() + b"\n")
        deadline = time.monotonic() + seconds + 30
        while True:
            answer = self._hear(deadline, f"no answer to {do} {more}")
            if answer.get("id") == self._number:
                if "broken" in answer:
                    raise Broken(f"agent: {do} {more}: {answer['broken']}")
                return answer

    def sh(self, script: str, *, seconds: float = 60.0, check: bool = True) -> str:
        """Run a shell script; return what it printed. Raises AssertionError if it fails."""
        answer = self.ask("run", argv=["sh", "-c", script], seconds=seconds)
        assert not check or answer["status"] == 0, (
            f"{script}: status {answer['status']}: {answer['out']}{answer['err']}"
        )
        return str(answer["out"])

    def until(self, script: str, what: str, *, seconds: float = 30.0) -> float:
        """Wait until a shell condition holds; return the seconds. Raises AssertionError."""
        answer = self.ask("until", script=script, seconds=seconds)
        assert answer["true"], f"no {what} within {seconds:.0f} s; {answer['out']}"
        return float(answer["took"])

    def now(self) -> float:
        """Return the machine's boot clock."""
        return float(self.ask("now", seconds=15)["now"])

    def cut_power(self) -> None:
        """Reset it with nothing written back; return when the agent is up again."""
        self._qmp_do("system_reset")
        self.wait_boot()

    def reboot(self) -> None:
        """Reboot; return when the agent is back."""
        self.ask("run", argv=["systemctl", "--no-block", "reboot"], seconds=30)
        self.wait_boot()
