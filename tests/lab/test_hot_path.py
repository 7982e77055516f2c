"""Exactly which modules a hook and a check load, and when an announcement leaves."""

from __future__ import annotations

import json
import re
import sys

from bench import hot_path
from bench.hot_path import Case
from netfail_hooks.lab import Lab
from netfail_hooks.paths import package_home
from tests.lab.suite import install

# Ours, and of the standard library what we name ourselves: what those bring along is Python's.
BEGIN = {
    "netfail_hooks",
    "netfail_hooks.errors",
    "netfail_hooks.journal",
    "netfail_hooks.paths",
    "netfail_hooks.values",
    "__future__",
    "_socket",
    "gc",
    "os",
}
CONFIG = {
    "netfail_hooks.config",
    "netfail_hooks.config.cache",
    "netfail_hooks.files",
    "netfail_hooks.names",
}
LOOK = {
    "netfail_hooks.policy.answering",
    "netfail_hooks.policy.changes",
    "netfail_hooks.policy.choose",
    "netfail_hooks.policy",
    "netfail_hooks.policy.routes",
    "netfail_hooks.policy.health",
    "netfail_hooks.policy.prefixes",
    "netfail_hooks.lock",
    "netfail_hooks.policy.facts",
    "netfail_hooks.policy.state",
    "netfail_hooks.kernel",
    "netfail_hooks.kernel.observe",
    "netfail_hooks.kernel.watch",
    "netfail_hooks.reconcile",
    "netfail_hooks.recorder",
    "netfail_hooks.kernel.netlink",
    "netfail_hooks.policy.sysctls",
    "netfail_hooks.policy.watch",
    "errno",
    "fcntl",
    "struct",
    "time",
}
PROBE = {
    "netfail_hooks.kernel.announce",
    "netfail_hooks.kernel.unchanged",
    "netfail_hooks.probe",
    "netfail_hooks.probe.gateway",
    "netfail_hooks.reconcile.probing",
    "select",
}
ACT = {
    "netfail_hooks.reconcile.converge",
    "netfail_hooks.kernel.announce",
    "netfail_hooks.kernel.apply",
    "netfail_hooks.policy.places",
}
TELL = {
    "netfail_hooks.recorder.jsonline",
    "netfail_hooks.reconcile.notify",
    "netfail_hooks.recorder.repeat",
    "netfail_hooks.recorder.counters",
    "netfail_hooks.recorder.cause",
}
HOOK = {"netfail_hooks.hook"}
CHECK = {
    "netfail_hooks.check",
    "netfail_hooks.dispatcher",
    "netfail_hooks.reconcile.touched",
}

EXPECTED = {
    hot_path.idle(): BEGIN | HOOK | CONFIG | LOOK,
    hot_path.check(): BEGIN | CHECK | CONFIG | LOOK | PROBE,
    hot_path.failing_over(): BEGIN | HOOK | CONFIG | LOOK | ACT | TELL,
}

# What python3 -X importtime prints for each: "import time:  self [us] | cumulative | NAME".
_IMPORTED = re.compile(r"^import time: +\d+ \| +\d+ \| +(\S+)$", re.MULTILINE)
_PYTHON = hot_path.python_alone().argv[0]

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


def test_a_hook_and_a_check_load_what_they_need_and_no_more() -> None:
    wrong = []
    with hot_path.host() as lab:
        start = _imported(lab, hot_path.python_alone())
        for case, names in EXPECTED.items():
            if case == hot_path.failing_over():
                hot_path.pull_cable(lab)
            # With another Python more or less of them may belong to its own start.
            expected = names | _brought_along(lab, names)
            loaded = _imported(lab, case)
            came, went = loaded - expected - start, expected - loaded - start
            wrong += [f"{case.name} also loads {', '.join(sorted(came))}"] if came else []
            wrong += [f"{case.name} no longer loads {', '.join(sorted(went))}"] if went else []
        assert hot_path.has_failed_over(lab), lab.logs()
    assert not wrong, "; ".join(wrong) + ": mend that, or the table above"


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


def _brought_along(lab: Lab, names: set[str]) -> set[str]:
    """Return what the standard library's modules among the names import in turn."""
    standard = sorted(name for name in names if not name.startswith("netfail_hooks"))
    code = f"import {', '.join(standard)}"
    return _imported(lab, Case("of the standard library", (_PYTHON, "-IS", "-c", code)))


def _imported(lab: Lab, case: Case) -> set[str]:
    """Run a command that must end well; return what Python imported for it."""
    argv = list(case.argv)
    if argv[0] != _PYTHON:
        argv = [_PYTHON, "-IS", *argv]
    done = lab.run(argv[0], "-X", "importtime", *argv[1:], environment=case.environment())
    assert done.returncode == 0, done.stderr
    return set(_IMPORTED.findall(done.stderr))
