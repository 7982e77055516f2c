"""What an acting hook has loaded, and when its announcement left."""

from __future__ import annotations

import json
import sys

from netfail_hooks.lab import Lab
from netfail_hooks.paths import package_home
from tests.lab.suite import install

# The hook's own main, with a note of each announcement and of what was imported until then.
TRACE = f"""
import json, os, sys
sys.path += {[package_home(), *(path for path in sys.path if "site-packages" in path)]!r}
from netfail_hooks import hook
from netfail_hooks.kernel import announce
told = []
send = announce.Announcer.send
def note(self, change):
    send(self, change)
    told.append([change.address, "pyroute2" in sys.modules])
announce.Announcer.send = note
status = hook.main()
print(json.dumps([status, told, "pyroute2" in sys.modules]))
"""


def test_the_announcement_leaves_before_pyroute2_is_imported(lab: Lab) -> None:
    install(lab)
    assert lab.networkd is not None
    lab.networkd.stop_dispatcher()
    lab.cable_out("eth0")
    done = lab.run(sys.executable, "-IS", "-c", TRACE, environment={"IFACE": "eth0"})
    status, told, loaded = json.loads(done.stdout)
    assert status == 0, done.stderr
    assert ["192.168.1.252", False] in told
    assert not loaded


def test_nothing_heavy_is_loaded_while_all_is_well(lab: Lab) -> None:
    install(lab)
    code = TRACE.replace("hook.main()", "__import__('netfail_hooks.check').check.main()")
    code += "print(json.dumps([m for m in ('pyroute2', 'json', 'subprocess') if m in sys.modules]))"
    code = code.replace("import json, os, sys", "import sys, os").replace(
        "print(json.dumps([status, told", "import json; print(json.dumps([status, told"
    )
    done = lab.run(sys.executable, "-IS", "-c", code)
    first, heavy = done.stdout.splitlines()
    assert json.loads(first) == [0, [], False], done.stderr
    assert json.loads(heavy) == ["json"]
