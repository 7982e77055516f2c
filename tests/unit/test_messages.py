"""What goes wrong is told with what to do next: of every message in the source, not of some."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from netfail_hooks import errors
from netfail_hooks.process import TooSlow
from tests.support import ROOT

PACKAGE = ROOT / "netfail_hooks"
_TOLD = {
    name
    for name, one in vars(errors).items()
    if isinstance(one, type) and issubclass(one, errors.Problem)
} | {TooSlow.__name__}
# A function that raises without a hint, and why.
_WITHOUT = {
    "process.py run": "the command that failed is what to try by hand, and its own words follow",
    "install/installer.py _give_all_back": "passes some on",
    "install/installer.py _restore_kernel": "passes some on",
    "cli/demo.py _install": "lab.harmless() says it",
    "lab/__init__.py wait_state": "lab.harmless() says it",
    "lab/__init__.py _real": "lab.harmless() says it",
    "lab/namespaces.py change": "lab.harmless() says it",
    "lab/namespaces.py until": "lab.harmless() says it",
    "lab/networkd.py daemon": "lab.harmless() says it",
    "lab/traffic.py _all": "lab.harmless() says it",
    "lab/watch.py __exit__": "lab.harmless() says it",
}


def _raised() -> Iterator[tuple[str, ast.Call]]:
    """Yield every call that makes a problem for a person, with its file and function."""
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for place, node in _within(tree, ""):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                name = ast.unparse(node.exc.func).rpartition(".")[2]
                if name in _TOLD:
                    yield f"{path.relative_to(PACKAGE)} {place}", node.exc


def _within(node: ast.AST, place: str) -> Iterator[tuple[str, ast.AST]]:
    for child in ast.iter_child_nodes(node):
        here = child.name if isinstance(child, ast.FunctionDef) else place
        yield here, child
        yield from _within(child, here)


def test_every_problem_says_what_to_do_next() -> None:
    found = list(_raised())
    assert len(found) > 150
    bare = {place for place, call in found if not any(k.arg == "hint" for k in call.keywords)}
    assert bare - set(_WITHOUT) == set()
    assert set(_WITHOUT) - bare == set(), "these have a hint by now"


def test_no_problem_is_told_as_a_sentence_of_its_own() -> None:
    """It follows "netfail-hooks: ", and its next step follows it."""
    for place, call in _raised():
        for text in (call.args[:1] or [ast.Constant("")], [k.value for k in call.keywords]):
            for part in text:
                words = part.value if isinstance(part, ast.Constant) else ""
                assert not str(words).endswith("."), place
                assert not re.match(
                    r"(Error|Please|Unable|Failed|Invalid|Illegal)\b", str(words)
                ), place


_WAITED = re.compile(r"\b(within|for|after) \{.+?\} s\b")


def test_what_took_too_long_says_what_comes_of_it_and_what_to_do_then() -> None:
    """Of "X has not answered within 3 s" a person learns neither why it matters nor what now."""
    told = [
        (place, ast.unparse(call))
        for place, call in _raised()
        if place != "process.py wait_until"  # each that waits names that
    ]
    waited = [(place, text) for place, text in told if _WAITED.search(text)]
    assert len(waited) >= 7
    for place, text in waited:
        assert re.search(r", so ", text), f"{place}: why does it matter?"
        assert "hint=" in text, f"{place}: what now?"


def test_what_install_sh_refuses_says_what_to_do_next() -> None:
    script = Path(ROOT / "install.sh").read_text(encoding="utf-8").replace('" \\\n', " ")
    told = re.findall(r"\bfail [0-9] (.*)", script)
    assert len(told) > 15
    for text in told:
        assert re.search(r"; |\bsee |\?", text), text


def test_the_words_of_status_are_in_the_glossary() -> None:
    glossary = (ROOT / "docs/use/glossary.md").read_text(encoding="utf-8").lower()
    known = {
        word.strip(" `")
        for row in re.findall(r"^\| ([^|]+) \|", glossary, re.MULTILINE)
        for word in row.split(",")
    }
    for word in (
        *("uplink", "primary", "backup", "gateway", "carrier", "metric", "hold-down", "probe"),
        *("up", "down", "recovering", "absent", "check", "watch", "target", "fire drill"),
        *("portal", "metered", "slave", "failover", "failback", "move"),
    ):
        assert word in known, word
