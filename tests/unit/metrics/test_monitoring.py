"""The examples for Prometheus and Grafana: rules that promtool has tried, and a dashboard's shape.

What the dashboard asks is asked of a real Prometheus in tests/lab/test_monitoring.py.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from netfail_hooks.cli import parser
from netfail_hooks.config import Order
from netfail_hooks.install import units
from netfail_hooks.metrics import text as metrics_text
from netfail_hooks.metrics.text import Known
from netfail_hooks.policy.state import Active, Metered, Quality, State, UplinkState
from netfail_hooks.recorder.counters import Counter
from netfail_hooks.recorder.drills import Family, Flow, Outcome
from tests.support import ROOT, dashboard
from tests.support.prometheus import program

RULES = ROOT / "examples/prometheus/netfail-hooks.rules.yml"
CASES = ROOT / "tests/unit/metrics/alerts.yml"
CASES_FOR_DAYS = ROOT / "tests/unit/metrics/alerts_for_days.yml"
DOCUMENT = (ROOT / "docs/use/metrics.md").read_text(encoding="utf-8")
FLEET = (ROOT / "docs/use/fleet.md").read_text(encoding="utf-8")
_NAME = re.compile(r"\bnetfail_[a-z_]+")
_WIDTH = 24  # of Grafana's grid
# What no panel shows, and why.
UNSHOWN: dict[str, str] = {}


def _alerts() -> dict[str, str]:
    """Return the text of each alert by its name."""
    _, *blocks = RULES.read_text(encoding="utf-8").split("- alert: ")
    return {block.split("\n", 1)[0]: block for block in blocks}


ALERTS = _alerts()
BOARD = dashboard.load()
PANELS: list[Any] = BOARD["panels"]


def _promtool(*words: object) -> str:
    done = subprocess.run(
        [program("promtool"), *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _written() -> set[str]:
    """Return the names of all metrics that there can be."""
    drill = Outcome(
        7, "passed", "cable", "x", "eth0", 20, True,  # noqa: FBT003
        (Family(4, "wlan0", 7, 9),), (Flow("echo", "9.9.9.9", 9, 1, 7),),
    )  # fmt: skip
    state = State(
        uplinks=(UplinkState("eth0", 4, "up", 1, probed=9, rtt=4),),
        active=(Active(4, "eth0", 1),),
        metered=(Metered("eth0", 4, 20261128, 5, 0, 0),),
        qualities=(Quality("eth0", 4, 1, "10:8:160"),),
    )
    known = Known(
        "routes", ("eth0",), state, (Counter("eth0", 4, 1, 1),), 5, 6.0,
        drill=drill, orders=(Order("use", "eth0"),), interval=60,
    )  # fmt: skip
    text = metrics_text.render(known, volatile=True)
    return set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))


# --- metrics ------------------------------------------------------------------------------------


def test_the_document_has_every_metric_and_no_other() -> None:
    listed = re.findall(r"^\| `(netfail_[a-z_]+)` \|", DOCUMENT, re.MULTILINE)
    assert len(set(listed)) == len(listed)
    assert set(listed) == _written()


def test_the_document_has_the_labels_and_kinds_of_each() -> None:
    drill = "interface", "fault"
    rows = re.findall(r"^\| `(netfail_\w+)` \| (\w+) \| ([^|]*)\|", DOCUMENT, re.MULTILINE)
    labels = {name: tuple(re.findall(r"`(\w+)`", text)) for name, _, text in rows}
    assert labels["netfail_drill_passed"] == drill
    for name, kind, _ in rows:
        assert (kind == "counter") is name.endswith("_total")


# --- alerts -------------------------------------------------------------------------------------


def test_promtool_takes_the_rules() -> None:
    assert f"{len(ALERTS)} rules found" in _promtool("check", "rules", RULES)


@pytest.mark.parametrize("cases", [CASES, CASES_FOR_DAYS], ids=lambda cases: cases.stem)
def test_each_alert_comes_when_it_is_to_and_no_other(cases: Path) -> None:
    _promtool("test", "rules", cases)


def test_each_alert_is_tried_and_told_of() -> None:
    cases = CASES.read_text(encoding="utf-8")
    fired = set(re.findall(r'alertname="(\w+)", alertstate="firing"', cases))
    fired |= set(re.findall(r"alertname: (\w+)\n +eval_time: \w+\n +exp_alerts:\n", cases))
    assert fired == set(ALERTS)
    assert set(re.findall(r"^\| `(Netfail\w+)` \|", FLEET, re.MULTILINE)) == set(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_what_why_and_what_to_type(name: str) -> None:
    text = ALERTS[name]
    for kind in ("summary", "description", "command"):
        assert re.search(rf"^ +{kind}: \S", text, re.MULTILINE), kind
    assert re.search(r"^ +severity: (critical|warning|info)$", text, re.MULTILINE)
    assert "$labels.instance" in text.partition("description:")[0]
    found = re.search(r"^ +command: (.+)$", text, re.MULTILINE)
    assert found
    words = shlex.split(found[1])
    if words[:2] == ["sudo", "netfail-hooks"]:
        parser(filled=(words[2],)).parse_args(words[2:])
    else:
        assert words[:2] == ["systemctl", "status"]
        assert set(words[2:]) <= {units.SERVICE, units.TIMER, units.DRILL_TIMER}
    for quoted in re.findall(r"'netfail-hooks ([^']+)'", " ".join(text.split())):
        words = quoted.replace("{{ $labels.interface }}", "eth0").split()
        parser(filled=(words[0],)).parse_args(words)


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_asks_for_metrics_that_there_are(name: str) -> None:
    expression = ALERTS[name].partition("expr:")[2].partition("labels:")[0]
    assert set(_NAME.findall(expression)) <= _written()


# --- the dashboard ------------------------------------------------------------------------------


def test_the_dashboard_asks_for_metrics_that_there_are_and_for_all_of_them() -> None:
    asked = {name for query in dashboard.queries(BOARD) for name in _NAME.findall(query.expression)}
    assert asked == _written() - set(UNSHOWN)


def test_no_two_panels_have_the_same_number_or_place() -> None:
    numbers = [panel["id"] for panel in PANELS]
    assert len(set(numbers)) == len(numbers)
    for panel in PANELS:
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= _WIDTH
        assert place["h"] > 0
    for one, other in combinations([panel["gridPos"] for panel in PANELS], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, (one, other)


def test_a_row_of_all_machines_and_then_one_of_a_machine() -> None:
    rows = [panel for panel in PANELS if panel["type"] == "row"]
    assert [row["title"] for row in rows] == ["All machines", "$instance"]
    border = rows[1]["gridPos"]["y"]
    for panel in PANELS:
        below = panel["gridPos"]["y"] > border
        for target in panel.get("targets", ()):
            assert ('instance="$instance"' in target["expr"]) is below
            assert 'job=~"$job"' in target["expr"]


def test_each_panel_says_what_it_is_and_asks_whichever_prometheus_is_chosen() -> None:
    variables = {one["name"]: one for one in BOARD["templating"]["list"]}
    assert list(variables) == ["datasource", "job", "instance"]
    source = {"type": "prometheus", "uid": "${datasource}"}
    for panel in PANELS:
        if panel["type"] == "row":
            continue
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["datasource"] == source
        references = [target["refId"] for target in panel["targets"]]
        assert references == list("ABCDEFGH"[: len(references)])
        for target in panel["targets"]:
            assert target["datasource"] == source
            assert target["instant"] is not target["range"]
            assert target["range"] is (panel["type"] in ("timeseries", "state-timeline"))
            assert (target["format"] == "table") is (panel["type"] == "table")
            used = set(re.findall(r"\$\{?(\w+)", target["expr"] + target.get("legendFormat", "")))
            assert used <= set(variables)


def test_it_needs_nothing_beyond_what_it_says() -> None:
    needed = {one["id"] for one in BOARD["__requires"] if one["type"] == "panel"}
    assert needed == {panel["type"] for panel in PANELS} - {"row"}
    assert BOARD["uid"] == "netfail-hooks"
    links = re.findall(r'"url": "([^"]+)"', dashboard.PATH.read_text(encoding="utf-8"))
    assert links
    assert all(link.startswith(f"/d/{BOARD['uid']}?var-instance=") for link in links)


def test_a_table_names_its_columns_after_labels_that_there_are() -> None:
    known = {"instance", "interface", "family", "fault", "version", "mode", "alertname"}
    known |= {"alertstate", "Value", *(f"Value #{reference}" for reference in "ABCD")}
    for panel in PANELS:
        if panel["type"] == "table":
            organized = panel["transformations"][-1]["options"]["renameByName"]
            assert set(organized) <= known
            matched = [one["matcher"]["options"] for one in panel["fieldConfig"]["overrides"]]
            assert set(matched) <= set(organized.values())
