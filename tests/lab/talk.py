"""A conversation with a far server by Multipath TCP, or by plain TCP, and how it went.

    with Talk(lab, "mptcp") as talk:
        lab.cable_out("eth0")
    assert talk.ended == ""
    assert talk.longest < 1

The program asks for one thing that others do not: a socket of IPPROTO_MPTCP (262) instead of 0.
"""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from typing import Any, Self

from netfail_hooks.lab import Lab, topology

PORT = 7262
PACE = 0.02  # seconds between two lines that are sent
_PROTOCOLS = {"mptcp": 262, "tcp": 0}

# Run in the far server's network: answers each byte with the same.
_SERVER = """
import socket, sys, threading
host, port, protocol = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
family = socket.AF_INET6 if ":" in host else socket.AF_INET
listener = socket.socket(family, socket.SOCK_STREAM, protocol)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((host, port))
listener.listen()
print("ready", flush=True)
def serve(caller):
    try:
        while data := caller.recv(4096):
            caller.sendall(data)
    except OSError:
        pass
def accept():
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
threading.Thread(target=accept, daemon=True).start()
sys.stdin.read()
"""

# Run on the host: sends a numbered line at a time; prints when each answer came, and how it ended.
_CLIENT = """
import json, select, socket, sys, time
host, port, protocol, pace = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
family = socket.AF_INET6 if ":" in host else socket.AF_INET
caller = socket.socket(family, socket.SOCK_STREAM, protocol)
caller.settimeout(5)
caller.connect((host, port))
caller.setblocking(False)
print(json.dumps(caller.getsockname()[0]), flush=True)
number, left, text, answers, ended = 0, b"", b"", [], ""
due = time.monotonic()
try:
    while not select.select([0], [], [], 0)[0]:
        if time.monotonic() >= due:
            left += b"%d\\n" % number
            number, due = number + 1, due + pace
        wanted = select.select([caller], [caller] if left else [], [], 0.005)
        if wanted[1]:
            left = left[caller.send(left):]
        if wanted[0]:
            data = caller.recv(65536)
            if not data:
                ended = "closed"
                break
            text += data
            *whole, text = text.split(b"\\n")
            answers += [[int(line), time.monotonic()] for line in whole]
except OSError as error:
    ended = str(error)
print(json.dumps({"answers": answers, "sent": number, "ended": ended, "at": time.monotonic()}),
    flush=True)
"""


class Talk:
    """A conversation from entering the context until leaving it.

    ``ended`` says how it broke off, "" if it did not; ``longest`` is the longest time in seconds
    without an answer, ``answers`` when each came, and ``lost`` whether one is missing or doubled.
    """

    def __init__(self, lab: Lab, protocol: str, *, family: int = 4) -> None:
        self._lab = lab
        self._far = topology.FAR if family == 4 else topology.FAR6
        self._number = str(_PROTOCOLS[protocol])
        self._port = str(PORT + (protocol == "tcp"))
        self.source = ""
        self.ended = ""
        self.longest = 0.0
        self.lost = False
        self.answers: list[float] = []

    def __enter__(self) -> Self:
        where = [self._far, self._port, self._number]
        self._server = self._start(_SERVER, where, "lan")
        self._client = self._start(_CLIENT, [*where, str(PACE)], "")
        self.source = self._client[1]
        return self

    def _start(self, code: str, arguments: list[str], netns: str) -> tuple[Any, Any]:
        argv = [sys.executable, "-I", "-S", "-c", code, *arguments]
        process = self._lab.namespaces.popen(argv, netns=netns)
        assert process.stdout
        line = process.stdout.readline().decode().strip()
        assert line, "it did not start"
        return process, json.loads(line) if line != "ready" else line

    def __exit__(self, *_: object) -> None:
        output = self._client[0].communicate(b"\n", timeout=20)[0]
        self._server[0].communicate(timeout=20)
        told = json.loads(output)
        self.ended = told["ended"]
        self.answers = [when for _, when in told["answers"]]
        numbers = [number for number, _ in told["answers"]]
        self.lost = numbers != list(range(len(numbers)))
        moments = [*self.answers, told["at"]]
        self.longest = max((b - a for a, b in pairwise(moments)), default=99.0)
