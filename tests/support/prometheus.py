"""A real Prometheus, and the real node_exporter by which it hears of a lab's host."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import shutil
import socket
import subprocess
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from netfail_hooks.lab import Lab
from netfail_hooks.process import wait_until

TEXTFILES = "/var/lib/prometheus/node-exporter"  # Debian's, as docs/use/metrics.md says
# Until its input ends: a kill reaches only nsenter.
_HANDED = """
(exec 3<&%d; LISTEN_FDS=1 LISTEN_PID=$BASHPID exec "$@") &
cat
kill $!
wait
"""
_DEADLINE = 60  # seconds for the whole of it, started on a busy machine


def program(name: str) -> str:
    """Return the path of one of Prometheus' programs."""
    found = shutil.which(name)
    assert found, f"no {name}: tests/run fetches it"
    return found


@contextlib.contextmanager
def exporting(lab: Lab) -> Iterator[int]:
    """Have node_exporter tell of a lab's host meanwhile; yield its port on our own loopback.

    It reads the host's files, in there, and answers by a socket of ours that is handed to it
    (sd_listen_fds(3)): the lab's networks are for what is tested.
    """
    arguments = [
        program("prometheus-node-exporter"),
        "--web.systemd-socket",
        "--collector.disable-defaults",
        "--collector.textfile",
        f"--collector.textfile.directory={TEXTFILES}",
    ]
    with socket.create_server(("127.0.0.1", 0)) as server:
        exporter = subprocess.Popen(
            lab.namespaces.command(["bash", "-c", _HANDED % server.fileno(), "sh", *arguments]),
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(server.fileno(),),
        )
        try:
            yield int(server.getsockname()[1])
        finally:
            exporter.communicate(timeout=10)


class Prometheus:
    """One that asks ``machines`` (name and port on the loopback) each second, with some rules."""

    def __init__(self, home: Path, rules: Path, machines: Mapping[str, int]) -> None:
        config = {
            "global": {
                "scrape_interval": "1s",
                "scrape_timeout": "1s",
                "evaluation_interval": "1s",
            },
            "rule_files": [str(rules)],
            "scrape_configs": [
                {
                    "job_name": "node",
                    "static_configs": [
                        {"targets": [f"127.0.0.1:{port}"], "labels": {"instance": name}}
                        for name, port in machines.items()
                    ],
                }
            ],
        }
        (home / "prometheus.yml").write_text(json.dumps(config))  # YAML is a superset of JSON
        self._log = home / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "timeout", str(_DEADLINE), program("prometheus"),
                    f"--config.file={home}/prometheus.yml",
                    f"--storage.tsdb.path={home}/data",
                    "--web.listen-address=127.0.0.1:0",
                ],
                stdout=log,
                stderr=log,
            )  # fmt: skip
        wait_until(lambda: bool(self._port()), 20, "Prometheus")
        wait_until(lambda: self._get("/-/ready")[0] == 200, 20, "Prometheus to be ready")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)

    def ask(self, path: str, **words: str) -> Any:
        """Return the data that its HTTP API gives."""
        status, text = self._get(f"/api/v1/{path}?{urllib.parse.urlencode(words)}")
        assert status == 200, (words, text)
        return json.loads(text)["data"]

    def samples(self, expression: str) -> list[Any]:
        """Return the samples that an expression gives now."""
        return list(self.ask("query", query=expression)["result"])

    def log(self) -> str:
        """Return what it said."""
        return self._log.read_text()

    def _get(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port(), timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()

    def _port(self) -> int:
        told = re.search(r'msg="Listening on" address=127\.0\.0\.1:(\d+)', self.log())
        return int(told[1]) if told else 0
