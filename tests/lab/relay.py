"""A cable by which packets come late, or not at all, as a manner says: both ways, of any protocol.

    with Relay(lab, "eth0", Manner(least=0.3, most=0.5, lost=0.3)):
        ...

The far end of an uplink's cable is taken out of the LAN's bridge; whatever comes there is handed
on to the bridge by a process, and back. No ``netem``: many a machine's kernel has none.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import Self

from netfail_hooks.errors import Problem
from netfail_hooks.lab import Lab

# Run in the LAN's network. Of what it is told: the two devices, seconds there and back, what part
# of the answers is lost, and a seed. A frame that we send ourselves is told of, too (packet(7)).
_AGENT = """
import heapq, json, random, select, socket, sys, time
near, far, manner, seed = json.loads(sys.argv[1])
chance = random.Random(seed)
ends = []
for name in near, far:
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    made.bind((name, 3))
    ends.append(made)
coming, number = [], 0
print("ready", flush=True)
while True:
    wait = max(coming[0][0] - time.monotonic(), 0) if coming else None
    ready = select.select([0, *ends], [], [], wait)[0]
    if 0 in ready:
        break
    for end in ready:
        frame, (_, _, kind, _, _) = end.recvfrom(65536)
        outward = end is ends[0]
        if kind == socket.PACKET_OUTGOING or not outward and chance.random() < manner["lost"]:
            continue
        number += 1
        due = time.monotonic() + chance.uniform(manner["least"], manner["most"]) / 2
        heapq.heappush(coming, (due, number, ends[outward], frame))
    while coming and coming[0][0] <= time.monotonic():
        _, _, end, frame = heapq.heappop(coming)
        end.send(frame)
"""


@dataclass(frozen=True)
class Manner:
    """Seconds that it takes at least and at most, there and back; the part of answers lost."""

    least: float = 0.0
    most: float = 0.0
    lost: float = 0.0


class Relay:
    """Stands in for an uplink's cable while the context lasts."""

    def __init__(self, lab: Lab, name: str, manner: Manner, seed: int = 0) -> None:
        self._lab, self._manner, self._seed = lab, manner, seed
        self._port = lab.ports[name]
        self._far = f"relay{self._port.peer}"[:15]

    def __enter__(self) -> Self:
        port, bridge = self._port.peer, f"lan{self._port.segment}"
        self._do(
            f"""
            ip link add {self._far} type veth peer name {self._far}b
            ip link set {self._far}b master {bridge} up
            ip link set {self._far} promisc on up
            ip link set {port} nomaster promisc on
            """
        )
        given = json.dumps([port, self._far, asdict(self._manner), self._seed])
        self._agent = self._lab.namespaces.popen(
            [sys.executable, "-IS", "-c", _AGENT, given], netns="lan"
        )
        assert self._agent.stdout is not None
        assert self._agent.stdout.readline() == b"ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._agent.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self._agent.kill()
            raise
        port, bridge = self._port.peer, f"lan{self._port.segment}"
        self._do(f"ip link set {port} promisc off master {bridge}; ip link del {self._far}")

    def _do(self, script: str) -> None:
        done = self._lab.run_lan("sh", "-ec", script)
        if done.returncode:
            raise Problem(f"{script}: {done.stderr}")
