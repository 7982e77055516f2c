"""The schemas that are published are what the commands print as JSON, and nothing else is."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from pytest_mock import MockerFixture

from docs import schemas
from netfail_hooks import recorder
from netfail_hooks.cli import check
from netfail_hooks.cli.prompts import show
from netfail_hooks.demo import story
from netfail_hooks.doctor.facts import Finding
from netfail_hooks.doctor.report import Diagnosis
from netfail_hooks.recorder.drills import Outcome
from netfail_hooks.status.bond import BondReport
from netfail_hooks.status.report import report
from netfail_hooks.status.values import Report
from netfail_hooks.values import fields, plain
from tests.support import ROOT
from tests.support.drawn_values import values_of
from tests.support.runs import look, probe
from tests.support.world import STATES, World, config_of
from tests.unit.status.test_status import _sources

_TIMES = st.just("2026-11-24T18:30:00Z")


@functools.cache
def _validator(name: str) -> Draft202012Validator:
    schema = json.loads((schemas.PLACE / f"{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def accept(name: str, printed: str) -> Any:
    """Return what a command has printed as JSON, which is to be as its schema says."""
    found = json.loads(printed)
    _validator(name).validate(found)
    return found


def _accept(name: str, found: object) -> None:
    accept(name, json.dumps(found))


def _known() -> dict[str, st.SearchStrategy[Any]]:
    """Return what draws the fields of which the schemas say more than a type."""
    drawn = {}
    for name, schema in schemas.FACTS.items():
        one_of = schema.get("enum", [schema.get("const")])
        drawn[name] = _TIMES if "format" in schema else st.sampled_from(one_of)
    return drawn


@pytest.mark.parametrize("name", sorted(schemas.made()))
def test_what_is_published_is_made_of_the_code(name: str) -> None:
    """After a change run docs/schemas.py."""
    assert (schemas.PLACE / name).read_text(encoding="utf-8") == schemas.made()[name]


def test_every_schema_is_one_and_linked_and_nothing_else_is_there() -> None:
    document = (ROOT / "docs/use/json.md").read_text(encoding="utf-8")
    names = {path.name for path in schemas.PLACE.iterdir()}
    assert names == set(schemas.made())
    for name in names:
        assert f"(schemas/{name})" in document
        _validator(name.removesuffix(".json"))


def test_a_command_that_is_described_twice_or_not_at_all_is_refused(
    mocker: MockerFixture,
) -> None:
    whole = schemas.DOCUMENT
    assert schemas.described("install")
    again = whole[whole.index("## `netfail-hooks install --json`") :]
    for wrong in (whole + again, whole.replace("netfail-hooks install", "install")):
        mocker.patch.object(schemas, "DOCUMENT", wrong)
        with pytest.raises(ValueError, match="unpack"):
            schemas.described("install")


def test_which_commands_print_no_number_is_said() -> None:
    said = re.search(r"(`check`.*) print no such number", schemas.DOCUMENT, re.DOTALL)
    assert said
    without = [name for name, text in schemas.made().items() if '"schema": {' not in text]
    assert re.findall(r"`(\w+)`", said[1]) == [name.removesuffix(".json") for name in without]


def test_every_command_with_json_has_a_schema() -> None:
    found = {
        path.stem
        for path in (ROOT / "netfail_hooks/cli").glob("*.py")
        if '"--json"' in path.read_text(encoding="utf-8")
    }
    assert (found - {"prompts", "commands"}) | {"install", "uninstall"} == {
        name.removesuffix(".json") for name in schemas.made()
    }


@settings(max_examples=40)
@given(found=values_of(Report, **_known()) | values_of(BondReport, **_known()))
def test_any_status(found: Report | BondReport) -> None:
    _accept("status", plain(found))


@settings(max_examples=40)
@given(found=values_of(Diagnosis, **_known()))
def test_any_diagnosis(found: Diagnosis) -> None:
    _accept("doctor", plain(found))


@given(found=values_of(Outcome, **_known()))
def test_any_drill(found: Outcome) -> None:
    _accept("drill", plain(found))


def test_what_would_be_done_and_a_look_that_failed(capsys: pytest.CaptureFixture[str]) -> None:
    _accept("drill", {"would": ["eth0 fails for 20 s"]})
    _accept("status", {"problem": "no config"})
    show((), ("a note",), ("networkctl reload",), as_json=True)
    would = json.loads(capsys.readouterr().out)
    for name in ("install", "uninstall"):
        _accept(name, would)


@settings(max_examples=30)
@given(
    events=st.lists(
        st.tuples(st.sampled_from(["eth0", "wlan0"]), st.sampled_from([*STATES, "sick", "well"])),
        max_size=6,
    ),
    apart=st.booleans(),
    measured=st.integers(1, 60_000),
)
def test_whatever_happens_to_a_machine(
    events: list[tuple[str, str]], measured: int, *, apart: bool
) -> None:
    """The status, the check and the recorder's lines of a model of one."""
    world = World(config_of("eth0", "wlan0"), apart=("wlan0",) if apart else ())
    world.watches = 1
    runs = [probe(world, "check")]
    for name, state in events:
        world.now += measured
        if state in STATES:
            runs.append(look(world, name, state))
            continue
        (world.sick.add if state == "sick" else world.sick.discard)(name)
        runs.append(probe(world, "timer"))
    for run in runs:
        accept("check", check._json(run))
        accept("log", recorder.line(run))
    _accept("status", plain(report(_sources(world))))


def test_a_line_that_was_cut_and_one_of_an_older_version() -> None:
    run = probe(World(config_of("eth0", "wlan0")), "check")
    accept("log", recorder._dumps(recorder._shortened(run), "99999 bytes long"))
    older = json.loads(recorder.line(run))
    for key in ("drill_every", "orders"):  # later than others
        del older["config"][key]
    del older["observed"]["endpoints"]
    _accept("log", older)


def test_what_the_demo_measured() -> None:
    act = story.Outcome("cable out", 20, 9, 1, 5.0, 2.5, 2, 2)
    chapter = story.Chapter("a story", (act,), 12.5, {"eth0": (True, False)}, (0, 3))
    found = {"real": True, "recording": "", "chapters": [dataclasses.asdict(chapter)]}
    _accept("demo", found)


def test_a_key_that_is_not_published_is_refused_and_so_is_one_less() -> None:
    finding = Finding("code", "weak", "what", "why", ("fix",), True)  # noqa: FBT003 - it is safe
    found: dict[str, Any] = dict.fromkeys(fields(Diagnosis), ())
    found |= {"schema": 2, "installed": True, "healthy": False, "mode": "routes", "rules": 1}
    whole = {**found, "findings": [plain(finding)]}
    _accept("doctor", whole)
    for wrong in (
        {**whole, "more": 1},
        {**whole, "findings": [{**plain(finding), "more": 1}]},
        {key: one for key, one in whole.items() if key != "rules"},
        {**whole, "mode": "other"},
        {**whole, "healthy": "no"},
    ):
        with pytest.raises(ValidationError):
            _accept("doctor", wrong)


def test_a_time_is_one() -> None:
    found = json.loads(recorder.line(probe(World(config_of("eth0", "wlan0")), "check")))
    with pytest.raises(ValidationError):
        _accept("log", {**found, "time": 1764009000})
