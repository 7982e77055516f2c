"""Runs in the machine: does what lines of JSON on the virtio-serial port say.

``run`` a command, wait ``until`` a condition holds, ``traffic`` and ``measure``: start and end a
measurement of what gets through, ``routes``: what the kernel said of default routes.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

sys.path[:0] = ["/opt/vm/checkout"]
from netfail_hooks.lab import topology  # noqa: E402 - found by the line above
from netfail_hooks.lab.topology import Port  # noqa: E402 - found by the line above
from netfail_hooks.lab.traffic import Traffic  # noqa: E402 - found by the line above
from netfail_hooks.lab.watch import story  # noqa: E402 - found by the line above

_PORT = "/dev/virtio-ports/netfail"
_WATCH = "/run/vm-watch.log"
_ECHO = 7
_PACE = 0.01
_HELD = 0.05  # seconds that a sleeper may be late without being noted


class _Holder:
    """Starts a pulse's parts in the machine's own network namespaces."""

    def popen(self, argv: list[str], *, netns: str = "") -> subprocess.Popen[bytes]:
        inside = ["ip", "netns", "exec", netns] if netns else []
        return subprocess.Popen([*inside, *argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


class Agent:
    """All orders, each a method."""

    def __init__(self) -> None:
        self._pulse: Traffic | None = None
        self._held: list[tuple[float, float]] = []
        self.answered: float = 0.0  # when a host beyond the router first answered, since boot
        threading.Thread(target=self._knock, daemon=True).start()

    def _knock(self) -> None:
        """Send to a host beyond the router from boot on until it answers."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as knock:
            knock.settimeout(0.05)
            while not self.answered:
                try:
                    knock.sendto(b"?", (topology.FAR, _ECHO))
                    knock.recv(8)
                    self.answered = time.monotonic()
                except OSError:
                    time.sleep(0.02)

    def _sleep(self) -> None:
        """Sleep as briefly as the pulse does, and note when the processor woke us late."""
        while self._pulse:
            began = time.monotonic()
            time.sleep(_PACE)
            if time.monotonic() - began > _PACE + _HELD:
                self._held.append((began, time.monotonic()))

    def do_run(self, argv: list[str], seconds: float) -> dict[str, Any]:
        try:
            done = subprocess.run(
                argv, capture_output=True, check=False, timeout=seconds, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired:
            return {"status": 124, "out": "", "err": f"not done in {seconds:.0f} s"}
        return {
            "status": done.returncode,
            "out": done.stdout.decode("utf-8", "replace"),
            "err": done.stderr.decode("utf-8", "replace"),
        }

    def do_until(self, script: str, seconds: float) -> dict[str, Any]:
        began = time.monotonic()
        while True:
            done = self.do_run(["sh", "-c", script], seconds)
            took = time.monotonic() - began
            if done["status"] == 0 or took > seconds:
                told = done["out"] + done["err"]
                return {"true": done["status"] == 0, "took": took, "out": told}
            time.sleep(0.1)

    def do_now(self, seconds: float) -> dict[str, Any]:  # noqa: ARG002 - every order has it
        return {"now": time.monotonic()}

    def do_pulse(
        self,
        seconds: float,  # noqa: ARG002 - every order has it
        address: str = "",
        interval: float = _PACE,
    ) -> dict[str, Any]:
        ports = {"eth0": Port("eth0", 0), "wlan0": Port("wlan0", 1)}
        lab: Any = SimpleNamespace(namespaces=_Holder(), ports=ports, read=_read)
        os.makedirs("/run/lab", exist_ok=True)
        self._pulse = Traffic(lab, address=address, interval=interval)
        self._pulse.__enter__()
        self._held = []
        threading.Thread(target=self._sleep, daemon=True).start()
        return {"now": time.monotonic()}

    def do_measure(self, windows: list[list[float]], seconds: float) -> dict[str, Any]:  # noqa: ARG002
        """End the pulse; return what it measured in each window of the boot clock."""
        traffic = self._pulse
        if traffic is None:
            raise RuntimeError("no pulse was started")
        self._pulse = None
        traffic.__exit__(None)
        ends = [(begin, end or traffic.window[1]) for begin, end in windows]
        return {
            "results": [
                {**asdict(traffic.result(between=window)), "held_ms": self._held_up(window)}
                for window in ends
            ]
        }

    def _held_up(self, window: tuple[float, float]) -> float:
        """Return the longest time (ms) in which the processor let nobody work who had slept."""
        spans = [min(end, window[1]) - max(begin, window[0]) for begin, end in self._held]
        return 1000 * max([span for span in spans if span > 0], default=0.0)

    def do_routes(self, since: float, table: bool, seconds: float) -> dict[str, Any]:  # noqa: ARG002, FBT001
        """Return the spans without an IPv4 default route since a moment, and its first one.

        One whose link the kernel doesn't send by is none; with ``table`` it is.
        """
        with open(_WATCH, encoding="ascii") as log:
            moments = list(story([json.loads(line) for line in log if line.endswith("\n")]))
        gaps, first = [], 0.0
        ends = [moment.when for moment in moments[1:]] + [time.monotonic()]
        for moment, end in zip(moments, ends, strict=True):
            if moment.best(4) or (table and any(route[0] == 4 for route in moment.routes)):
                first = first or moment.when
            elif end > since:
                gaps.append((max(moment.when, since), end))
        return {"gaps": gaps, "first": first, "answered": self.answered}

    def answer(self, order: dict[str, Any]) -> dict[str, Any]:
        number, what = order.pop("id"), order.pop("do")
        try:
            return {"id": number, **getattr(self, f"do_{what}")(**order)}
        except Exception as error:  # noqa: BLE001 - told to whoever ordered it
            return {"id": number, "broken": f"{type(error).__name__}: {error}"}


def _read(path: str) -> str:
    with contextlib.suppress(OSError), open(path, encoding="utf-8") as file:
        return file.read()
    return ""


def main() -> None:
    """Serve for ever."""
    agent = Agent()
    boot = _read("/proc/sys/kernel/random/boot_id").strip()
    with open(_PORT, "r+b", buffering=0) as port:
        _write(port, {"hello": boot})
        heard = b""
        while True:
            data = port.read(1 << 16)
            if not data:
                time.sleep(0.05)  # nobody on the other side
                continue
            heard += data
            while b"\n" in heard:
                line, _, heard = heard.partition(b"\n")
                _write(port, agent.answer(json.loads(line)))


def _write(port: Any, answer: dict[str, Any]) -> None:
    data = json.dumps(answer).encode() + b"\n"
    while data:
        data = data[port.write(data) :]


if __name__ == "__main__":
    main()
