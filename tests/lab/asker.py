"""A host of the LAN that asks for the machine's addresses all the time: who has them?

    with Asker(lab, "192.168.1.252") as asked:
        lab.cable_out("eth0")
    assert asked.twice() == []
    assert asked.deaf() <= 1

It asks by ARP as any host does, and every other time without a sender's address, as ``arping -D``
does (RFC 5227, 2.1.1): so it learns nothing itself, and teaches nobody.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any, Self

from netfail_hooks.lab import Lab, topology

PACE = 0.05  # seconds between two questions for an address
_PATIENCE = 0.045  # seconds for the answers to one

# Run in the station's network. Prints [when, address, who] a question, at its end.
_AGENT = """
import json, select, socket, struct, sys, time
addresses, own, pace, patience = json.loads(sys.argv[1])
device = "station0"
asking = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
asking.bind((device, 0x0806))
with open(f"/sys/class/net/{device}/address") as file:
    mac = bytes.fromhex(file.read().strip().replace(":", ""))
log = []
print("ready", flush=True)
number = 0
while not select.select([0], [], [], 0)[0]:
    began = time.monotonic()
    sender = socket.inet_aton(own) if number % 2 else bytes(4)
    number += 1
    for address in addresses:
        body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac + sender + bytes(6)
        asking.send(b"\\xff" * 6 + mac + b"\\x08\\x06" + body + socket.inet_aton(address))
    heard = {address: [] for address in addresses}
    while (left := began + patience - time.monotonic()) > 0:
        if select.select([asking], [], [], left)[0]:
            frame = asking.recv(128)
            who = socket.inet_ntoa(frame[28:32])
            if frame[:6] == mac and frame[20:22] == b"\\0\\2" and who in heard:
                if frame[22:28].hex(":") not in heard[who]:
                    heard[who].append(frame[22:28].hex(":"))
    log += [[began, address, macs] for address, macs in heard.items()]
    time.sleep(max(0, began + pace - time.monotonic()))
print(json.dumps(log), flush=True)
"""


class Asker:
    """Asks from entering the context until leaving it; by default for all static addresses."""

    def __init__(self, lab: Lab, *addresses: str) -> None:
        self._lab = lab
        near = [port for port in lab.ports.values() if port.segment == 0]
        self._addresses = list(addresses) or [port.host for port in near]
        self._names = {port.mac: port.name for port in lab.ports.values()}
        self.log: list[tuple[float, str, list[str]]] = []

    def __enter__(self) -> Self:
        task = json.dumps([self._addresses, topology.STATION, PACE, _PATIENCE])
        self._agent: subprocess.Popen[bytes] = self._lab.namespaces.popen(
            [sys.executable, "-I", "-S", "-c", _AGENT, task], netns="station"
        )
        assert self._agent.stdout is not None
        assert self._agent.stdout.readline() == b"ready\n"
        return self

    def __exit__(self, *_exc: object) -> None:
        time.sleep(2 * PACE)
        log, _ = self._agent.communicate(b"end\n", timeout=10)
        found: list[Any] = json.loads(log or "[]")
        self.log = [
            (when, address, [self._names.get(mac, mac) for mac in macs])
            for when, address, macs in found
        ]

    def owners(self, since: float = 0, until: float = float("inf")) -> set[str]:
        """Return the uplinks that answered, of questions between two moments (``monotonic``)."""
        return {one for when, _, who in self.log if since <= when < until for one in who}

    def twice(self) -> list[tuple[float, str, list[str]]]:
        """Return the questions that more than one answered."""
        return [one for one in self.log if len(one[2]) > 1]

    def deaf(self) -> float:
        """Return the longest time in which nobody answered for an address, in seconds."""
        longest = 0.0
        for address in self._addresses:
            since = None
            for when, asked, who in self.log:
                if asked != address:
                    continue
                since = None if who else (since or when)
                longest = max(longest, when + PACE - since if since else 0.0)
        return longest
