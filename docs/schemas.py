#!/usr/bin/env python3
"""Write docs/use/schemas/*.json: what each command's --json is, as JSON Schema (draft 2020-12).

    .venv/bin/python docs/schemas.py             after a change of what a command prints as JSON
    .venv/bin/python docs/schemas.py --check     what the tests do: exit status 1 and the names

Keys and types come from the classes that are printed, what a key means from docs/use/json.md. No
other key is allowed anywhere: a new one is published here, or the tests fail.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
import types
import typing
from pathlib import Path
from typing import Any, Union

HOME = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HOME))

from netfail_hooks import recorder, values  # noqa: E402
from netfail_hooks.config import Config  # noqa: E402
from netfail_hooks.demo.story import Chapter  # noqa: E402
from netfail_hooks.doctor import report  # noqa: E402
from netfail_hooks.doctor.facts import Finding  # noqa: E402
from netfail_hooks.doctor.report import Diagnosis  # noqa: E402
from netfail_hooks.doctor.rules import BROKEN, WEAK  # noqa: E402
from netfail_hooks.policy import changes  # noqa: E402
from netfail_hooks.policy.facts import Observation, Result  # noqa: E402
from netfail_hooks.policy.state import STATES, State, UplinkState  # noqa: E402
from netfail_hooks.recorder.drills import FAULTS, VERDICTS, Outcome  # noqa: E402
from netfail_hooks.status.bond import BondReport  # noqa: E402
from netfail_hooks.status.values import SCHEMA, UNKNOWN, Family, Report, UplinkReport  # noqa: E402

Schema = dict[str, Any]
PLACE = HOME / "docs/use/schemas"
DOCUMENT = (HOME / "docs/use/json.md").read_text(encoding="utf-8")
_PLAIN: dict[Any, Schema] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    type(None): {"type": "null"},
}
TEXTS: Schema = {"type": "array", "items": _PLAIN[str]}
DID: dict[str, Schema] = {"changed": _PLAIN[bool], "did": TEXTS, "notes": TEXTS}
WOULD: dict[str, Schema] = {
    "changed": _PLAIN[bool],
    "would": TEXTS,
    "notes": TEXTS,
    "diff": _PLAIN[str],
}
TEXT, TIME = _PLAIN[str], {"type": "string", "format": "date-time"}
# What a type alone does not say: of a class's field, or of any class's.
FACTS: dict[str, Schema] = {
    "family": {"enum": [4, 6]},
    "Report.schema": {"const": SCHEMA},
    "Report.time": TIME,
    "Report.state": {"enum": ["known", "empty", UNKNOWN]},
    "BondReport.schema": {"const": SCHEMA},
    "BondReport.time": TIME,
    "BondReport.mode": {"const": "bond"},
    "SlaveReport.state": {"enum": ["active", "backup", ""]},
    "Family.state": {"enum": [*STATES, UNKNOWN]},
    "Failover.time": TIME,
    "Drilled.time": TIME,
    "Drilled.verdict": {"enum": list(VERDICTS)},
    "Drilled.fault": {"enum": list(FAULTS)},
    "Diagnosis.mode": {"enum": ["routes", "bond", ""]},
    "Diagnosis.schema": {"const": report.SCHEMA},
    "Finding.severity": {"enum": [BROKEN, WEAK]},
    "Outcome.verdict": {"enum": list(VERDICTS)},
    "Outcome.fault": {"enum": list(FAULTS)},
    "Flow.kind": {"enum": ["echo", "tcp"]},
    "UplinkState.state": {"enum": list(STATES)},
}


# Which of its command's tables in json.md tell of a class, the later one first of all.
TABLES: dict[Any, tuple[int, ...]] = {
    Report: (0,),
    UplinkReport: (1,),
    Family: (2,),
    BondReport: (0, 3),
    Diagnosis: (0,),
    Finding: (1,),
    Outcome: (0,),
}


def described(name: str) -> list[dict[str, str]]:
    """Return what json.md says of a command's keys, table by table.

    Raises ValueError unless it does so at one place.
    """
    _, section = re.split(rf"^## `netfail-hooks {name} --json`.*\n", DOCUMENT, flags=re.MULTILINE)
    found: list[dict[str, str]] = []
    for line in section.partition("\n## ")[0].splitlines():
        if line == "| key | is |":
            found.append({})
        elif row := re.fullmatch(r"\| (`.*?) \| (.*) \|", line):
            text = re.sub(r"`|\[(.*?)\]\(.*?\)", r"\1", row[2])
            found[-1] |= dict.fromkeys(re.findall(r"`(\w+)`", row[1]), text)
    return found


class Maker:
    """Makes the schema of one command: classes become ``$defs``.

    ``lenient``: what has a default may be missing, as in lines that an older version wrote.
    """

    def __init__(self, name: str, *, lenient: bool = False) -> None:
        self._tables = described(name)
        self._lenient = lenient
        self.definitions: dict[str, Schema] = {}
        self._made: dict[str, Any] = {}

    def of(self, hint: Any) -> Schema:  # noqa: ANN401 - any annotation
        """Return the schema of what is annotated so."""
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin in (Union, types.UnionType):
            return {"anyOf": [self.of(one) for one in arguments]}
        if origin is tuple:
            return {"type": "array", "items": self.of(arguments[0])}
        if origin is dict:
            return {"type": "object", "additionalProperties": self.of(arguments[1])}
        return _PLAIN[hint] if hint in _PLAIN else self._class(hint)

    def _class(self, cls: Any) -> Schema:  # noqa: ANN401 - a class of values
        name = cls.__name__
        if self._made.setdefault(name, cls) is not cls:
            raise ValueError(f"two classes {name}")
        if name not in self.definitions:
            self.definitions[name] = {}
            tables = TABLES.get(cls, ())
            self.definitions[name] = self.object(self.fields(cls), self._required(cls), tables)
        return {"$ref": f"#/$defs/{name}"}

    def fields(self, cls: Any) -> dict[str, Schema]:  # noqa: ANN401 - a class of values
        """Return the schema of each field of a class."""
        names, hints = _names(cls), typing.get_type_hints(cls)
        facts = ((name, FACTS.get(f"{cls.__name__}.{name}") or FACTS.get(name)) for name in names)
        return {name: known or self.of(hints[name]) for name, known in facts}

    def object(
        self,
        fields: dict[str, Schema],
        required: typing.Iterable[str],
        tables: tuple[int, ...] = (),
    ) -> Schema:
        """Return the schema of an object with these keys and no other.

        Where there are ``tables`` of what they mean, each is in one. Raises KeyError.
        """
        said = {key: text for at in tables for key, text in self._tables[at].items()}
        told = {
            key: {**schema, "description": said[key]} if tables else schema
            for key, schema in fields.items()
        }
        return {
            "type": "object",
            "properties": told,
            "required": list(required),
            "additionalProperties": False,
        }

    def _required(self, cls: Any) -> list[str]:  # noqa: ANN401 - a class of values
        return [name for name in _names(cls) if not (self._lenient and name in cls.__dict__)]

    def changes(self) -> Schema:
        """Return the schema of a change in the recorder's lines: its class, and its fields."""
        kinds = [kind for kind in vars(changes).values() if _is_change(kind)]
        each = [
            self.object(
                {"change": {"const": kind.__name__}, **self.fields(kind)},
                ["change", *self._required(kind)],
            )
            for kind in kinds
        ]
        return {"type": "array", "items": {"oneOf": each}}


def _names(cls: Any) -> list[str]:  # noqa: ANN401 - a class of values
    if dataclasses.is_dataclass(cls):
        return [field.name for field in dataclasses.fields(cls)]
    return list(values.fields(cls))


def _is_change(kind: object) -> bool:
    own = isinstance(kind, type) and kind.__module__ == changes.__name__
    return own and hasattr(kind, "__match_args__")


# --- one for each command -------------------------------------------------------------------------


def status(maker: Maker) -> Schema:
    """Return that of one look; with --watch one that failed is a problem."""
    problem = maker.object({"problem": TEXT}, ["problem"])
    return {"oneOf": [maker.of(Report), maker.of(BondReport), problem]}


def doctor(maker: Maker) -> Schema:
    """Return that of the diagnosis."""
    return maker.of(Diagnosis)


def drill(maker: Maker) -> Schema:
    """Return that of how it went, or with --dry-run of what would be done."""
    return {"oneOf": [maker.of(Outcome), maker.object({"would": TEXTS}, ["would"])]}


def check(maker: Maker) -> Schema:
    """Return that of what was observed and done."""
    active = maker.object({"ipv4": TEXT, "ipv6": TEXT}, [])
    keys = {
        "uplinks": maker.of(tuple[UplinkState, ...]),
        "active": active,
        "did": TEXTS,
        "failed": TEXTS,
        "probes": maker.of(tuple[Result, ...]),
    }
    return maker.object(keys, keys, (0,))


def install(maker: Maker) -> Schema:
    """Return that of what was done, or with --dry-run would be."""
    did = {**DID, "live": _PLAIN[bool]}
    return {"oneOf": [maker.object(did, did, (0,)), maker.object(WOULD, WOULD, (0,))]}


def uninstall(maker: Maker) -> Schema:
    """Return that of what was put back, or with --dry-run would be."""
    return {"oneOf": [maker.object(DID, DID, (0,)), maker.object(WOULD, WOULD, (0,))]}


def log(maker: Maker) -> Schema:
    """Return that of a line of the flight recorder."""
    keys: dict[str, Schema] = {
        "schema": {"const": recorder.SCHEMA},
        "time": TIME,
        "boot": TEXT,
        "trigger": TEXT,
        "summary": TEXT,
        "active": maker.object({"ipv4": TEXT, "ipv6": TEXT}, ["ipv4", "ipv6"]),
        "did": TEXTS,
        "failed": TEXTS,
        "took_ms": _PLAIN[int],
        "cut": TEXT,
        "config": maker.of(Config),
        "observed": maker.of(Observation),
        "before": maker.of(State),
        "after": maker.of(State),
        "changes": maker.changes(),
    }
    return maker.object(keys, recorder.KEYS, (0,))


def demo(maker: Maker) -> Schema:
    """Return that of what was measured."""
    keys = {
        "real": _PLAIN[bool],
        "recording": TEXT,
        "chapters": maker.of(tuple[Chapter, ...]),
    }
    return maker.object(keys, keys, (0,))


COMMANDS = (check, demo, doctor, drill, install, log, status, uninstall)


def made() -> dict[str, str]:
    """Return the text of each schema, by its file's name."""
    texts = {}
    for command in COMMANDS:
        name = command.__name__
        maker = Maker(name, lenient=command is log)
        schema = command(maker)
        whole = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": f"urn:netfail-hooks:{name}",
            "title": f"netfail-hooks {name} --json",
            **schema,
            **({"$defs": maker.definitions} if maker.definitions else {}),
        }
        texts[f"{name}.json"] = json.dumps(whole, indent=2, ensure_ascii=False) + "\n"
    return texts


def main() -> int:
    """Write the schemas, or name those that are out of date."""
    PLACE.mkdir(exist_ok=True)
    there = {path.name: path.read_text(encoding="utf-8") for path in PLACE.glob("*.json")}
    wanted = made()
    stale = sorted(name for name in there | wanted if there.get(name) != wanted.get(name))
    if sys.argv[1:] == ["--check"]:
        sys.stdout.writelines(f"{name} is not as the code has it\n" for name in stale)
        return int(bool(stale))
    for name in stale:
        if name in wanted:
            (PLACE / name).write_text(wanted[name], encoding="utf-8")
        else:
            (PLACE / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
