"""Policy rules (ip-rule(8)) and other people's places in tables, as values; and changes of rules.

Apart from policy/facts.py and policy/changes.py, since on most machines there are none.
"""

from __future__ import annotations

from netfail_hooks.policy.facts import MAIN, PROTOCOL
from netfail_hooks.values import value


@value
class Taken:
    """A place that a route has which is no uplink's: of another interface, or a blackhole's."""

    family: int
    destination: str
    metric: int
    table: int = MAIN


@value
class Rule:
    """A policy rule that looks up a table (ip-rule(8)). ``sender``: a prefix, "" for any.

    ``whole``: the table's default routes count, too; else only its longer prefixes do
    (``suppress_prefixlength 0``).
    """

    family: int
    priority: int
    table: int
    sender: str = ""
    whole: bool = True
    protocol: int = PROTOCOL

    @property
    def ours(self) -> bool:
        """Tell whether we made it."""
        return self.protocol == PROTOCOL


@value
class AddRule:
    """Add a policy rule of ours."""

    rule: Rule

    def __str__(self) -> str:
        return f"add rule {_rule(self.rule)}"


@value
class DropRule:
    """Remove a policy rule of ours."""

    rule: Rule

    def __str__(self) -> str:
        return f"drop rule {_rule(self.rule)}"


def _rule(rule: Rule) -> str:
    table = "main" if rule.table == MAIN else str(rule.table)
    less = "" if rule.whole else " suppress_prefixlength 0"
    return f"{rule.priority} from {rule.sender or 'all'} lookup {table}{less}"
