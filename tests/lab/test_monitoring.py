"""Two machines watched by a real Prometheus: what the dashboard asks for, and what is alerted."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netfail_hooks.lab import Lab
from netfail_hooks.lab.topology import FAR
from tests.lab.suite import install, used, wait, wait_used
from tests.support import ROOT, dashboard
from tests.support.dashboard import Query
from tests.support.prometheus import TEXTFILES, Prometheus, exporting

_RULES = ROOT / "examples/prometheus/netfail-hooks.rules.yml"
_FILE = "/run/netfail-hooks/netfail.prom"
_CONFIG = "/etc/netfail-hooks/config.toml"


def _machine(make_lab: Callable[..., Lab]) -> Lab:
    """Return a host whose metrics stand where node_exporter looks, as docs/use/metrics.md says."""
    lab = make_lab(segments={"wlan0": 1})
    textfile = f'[metrics]\ntextfile = "{_FILE}"\n'
    install(lab, targets=f'["icmp:{FAR}"]\nloss_max = 10', interval=1, more=textfile)
    lab.run("mkdir", "-p", TEXTFILES)
    lab.run("ln", "-s", _FILE, f"{TEXTFILES}/").check_returncode()
    as_prometheus = ("setpriv", "--reuid=65534", "--clear-groups")
    lab.run(*as_prometheus, "cat", f"{TEXTFILES}/netfail.prom").check_returncode()
    return lab


@pytest.fixture
def well(make_lab: Callable[..., Lab]) -> Lab:
    """Return a machine that is well, and has had a fire drill."""
    lab = _machine(make_lab)
    with lab.timer(0.2):
        assert lab.netfail("drill", "--yes", "--seconds", "5").returncode == 0
        wait_used(lab, "eth0")
    return lab


@pytest.fixture
def backed_up(make_lab: Callable[..., Lab]) -> Lab:
    """Return a machine that has but its backup, which is metered; and is wanted by hand."""
    lab = _machine(make_lab)
    lab.write(_CONFIG, lab.read(_CONFIG) + "metered = true\n")
    lab.tick()
    lab.cable_out("eth0")
    wait_used(lab, "wlan0")
    lab.netfail("use", "wlan0")
    assert used(lab) == "wlan0"
    return lab


def _fill(prometheus: Prometheus, query: Query, instance: str = "") -> list[Any]:
    """Return what a query of the dashboard gives."""
    expression = query.filled(job=".+", instance=instance)
    if not query.over_time:
        return prometheus.samples(expression)
    now = time.time()
    span = {"start": f"{now - 3600:.3f}", "end": f"{now:.3f}", "step": "1"}
    return list(prometheus.ask("query_range", query=expression, **span)["result"])


def _empty(prometheus: Prometheus, instance: str) -> list[str]:
    """Return the panels, of one machine or of all, with a query that gives nothing."""
    return [
        query.panel
        for query in dashboard.queries(dashboard.load())
        if query.of_one_machine is bool(instance) and not _fill(prometheus, query, instance)
    ]


def _figures(prometheus: Prometheus) -> dict[str, str]:
    """Return the single figures of the dashboard's first row."""
    found = {}
    for query in dashboard.queries(dashboard.load()):
        answer = [] if query.of_one_machine or query.over_time else _fill(prometheus, query)
        if len(answer) == 1 and not answer[0]["metric"]:
            found[query.panel] = answer[0]["value"][1]
    return found


def _alerts(prometheus: Prometheus) -> set[tuple[str, str]]:
    """Return the alerts that there are, or soon will be, and their machines."""
    alerts = prometheus.ask("alerts")["alerts"]
    for one in alerts:
        for text in one["annotations"].values():
            assert not re.search(r"<no value>|<error|\{\{", text), text
    return {(one["labels"]["alertname"], one["labels"]["instance"]) for one in alerts}


def test_each_query_of_the_dashboard_has_data_and_what_is_wrong_is_alerted(
    well: Lab, backed_up: Lab, tmp_path: Path
) -> None:
    board = dashboard.load()
    with (
        well.timer(0.5),
        backed_up.timer(0.5),
        exporting(well) as first,
        contextlib.ExitStack() as second,
        Prometheus(
            tmp_path,
            _RULES,
            {"well": first, "backed-up": second.enter_context(exporting(backed_up))},
        ) as prometheus,
    ):
        wait(lambda: not _empty(prometheus, ""), "data in the panels of all machines")
        for name, query in (("job", "node"), ("instance", "backed-up well")):
            variable = next(one for one in board["templating"]["list"] if one["name"] == name)
            match = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["definition"])
            assert match
            selector = match[1].replace("$job", ".+")
            answer = prometheus.ask(f"label/{match[2]}/values", **{"match[]": selector})
            assert " ".join(answer) == query
        wait(lambda: not _empty(prometheus, "backed-up"), "data in those of a machine in trouble")
        wait(
            lambda: _empty(prometheus, "well") == ["By hand", "Carried by metered uplinks"],
            "data in those of a machine that is well, but for what it has not",
        )
        assert _figures(prometheus) == {
            "Machines": "2",
            "Can't be reached": "0",
            "On a backup": "1",
            "Uplinks down": "1",
            "On a metered uplink": "1",
            "Alerts": "0",
        }
        since = "time() - netfail_check_last_run_timestamp_seconds"
        assert len(prometheus.samples(f"{since} < netfail_check_interval_seconds + 30")) == 2
        wrong = {"NetfailOnBackup", "NetfailMeteredCarries", "NetfailByHand"}
        assert _alerts(prometheus) == {(name, "backed-up") for name in wrong}
        second.close()
        wait(lambda: _figures(prometheus)["Can't be reached"] == "1", "a machine that is missed")
        wait(
            lambda: _alerts(prometheus) == {("NetfailMachineUnreachable", "backed-up")},
            "an alert that it is missed, and none of what nobody knows",
        )
