"""The example dashboard for Grafana: what it asks of Prometheus, and how it is laid out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.support import ROOT

PATH = ROOT / "examples/grafana/netfail-hooks.json"
_VARIABLE = re.compile(r"\$(\w+|\{\w+\})")


@dataclass(frozen=True)
class Query:
    """What a panel asks. ``over_time``: at each step of the time shown, not only for now."""

    panel: str
    expression: str
    over_time: bool

    @property
    def of_one_machine(self) -> bool:
        return "$instance" in self.expression

    def filled(self, **variables: str) -> str:
        """Return the expression with its variables in place, as Grafana would send it."""
        return _VARIABLE.sub(lambda found: variables[found[1].strip("{}")], self.expression)


def load() -> Any:
    return json.loads(PATH.read_text(encoding="utf-8"))


def queries(board: Any) -> Iterator[Query]:
    """Yield what its panels ask, from the top on."""
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield Query(panel["title"], target["expr"], bool(target["range"]))
