"""NetworkManager with its connectivity check, as Debian ships it, on a lab's host."""

from __future__ import annotations

import sys

from bench.packages import program
from bench.stage import ROUTER, Stage
from netfail_hooks.lab.topology import FAR, Port

_POLICY = "/usr/share/dbus-1/system.d/org.freedesktop.NetworkManager.conf"
# All else is its default: a check each 300 s (NetworkManager.conf(5), "connectivity section").
_CONFIG = f"""\
[main]
plugins=keyfile
dns=none
[connectivity]
uri=http://{FAR}/
"""
# What the check expects by default (the same, "response").
_SERVER = """
import http.server
class Online(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"NetworkManager is online")
    def log_message(self, *_):
        pass
http.server.HTTPServer((%r, 80), Online).serve_forever()
"""


def prepare(stage: Stage) -> None:
    """Start it with a connection for each uplink, metrics as for a cable and Wi-Fi."""
    manager = program("NetworkManager", "network-manager")
    with open(manager.root + _POLICY, encoding="utf-8") as policy:
        stage.lab.write("/etc/dbus-1/system.d/networkmanager.conf", policy.read())
    stage.lab.write("/etc/NetworkManager/NetworkManager.conf", _CONFIG)
    for port in stage.lab.ports.values():
        path = f"/etc/NetworkManager/system-connections/{port.name}.nmconnection"
        stage.lab.write(path, _connection(port), mode=0o600)
    stage.lab.run("mkdir", "-p", "/var/lib/NetworkManager", "/run/NetworkManager")
    stage.bus()
    stage.daemon("web", [sys.executable, "-I", "-S", "-c", _SERVER % FAR], netns="lan")
    stage.daemon("nm", [manager.path, "--no-daemon"], environment=manager.environment)
    # Until an uplink has passed its check its default route has 20000 added to its metric.
    stage.wait_for_way(passed=True)


def _connection(port: Port) -> str:
    """Return a profile (nm-settings-keyfile(5)); by default a cable has metric 100, Wi-Fi 600."""
    metric = 600 if port.rank else 100
    return (
        f"[connection]\nid={port.name}\nuuid=2815492f-7e56-435e-b2e9-246bd7cdc66{port.rank}\n"
        f"type=ethernet\ninterface-name={port.name}\n\n"
        f"[ipv4]\nmethod=manual\naddress1={port.host}/24,{ROUTER}\nroute-metric={metric}\n\n"
        "[ipv6]\nmethod=link-local\n"
    )
