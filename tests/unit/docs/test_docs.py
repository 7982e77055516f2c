"""What the documents say must be so: every setting, option, path and link in them."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bench import table
from bench.contenders import OURS, TITLES
from bench.picture import picture
from bench.results import load
from netfail_hooks.cli import completion
from netfail_hooks.config import default_metrics
from netfail_hooks.config.file import parse
from netfail_hooks.config.settings import SETTINGS, Setting
from netfail_hooks.paths import Paths
from netfail_hooks.policy import sysctls
from tests.lab.test_failover import DATAGRAMS, MOST_LOST
from tests.support import ROOT, corpus
from tests.support.links import dead_links

_BELOW = [path for name in ("docs", "examples", "tools") for path in (ROOT / name).rglob("*.md")]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *_BELOW])
CONFIGURATION = (ROOT / "docs/use/configuration.md").read_text(encoding="utf-8")
MANUAL = (ROOT / "man/netfail-hooks.8").read_text(encoding="utf-8")

# A row of a table: the key, its default, its range.
ROWS = {
    key: (default.strip(), span.strip())
    for key, default, span in re.findall(
        r"^\| `([a-z_.]+)` \|([^|]*)\|([^|]*)\|", CONFIGURATION, re.MULTILINE
    )
}


def test_every_setting_is_documented_and_nothing_else() -> None:
    assert list(ROWS) == [setting.name for setting in SETTINGS]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: str(setting.name))
def test_a_setting_is_documented_as_it_is(setting: Setting) -> None:
    default, span = ROWS[setting.name]
    if setting.key not in ("interface", "metric"):
        shown = "[]" if setting.default == () else str(setting.default)
        shown = shown.lower() if isinstance(setting.default, bool) else shown
        is_text = isinstance(setting.default, str)
        assert default == (f'`"{shown}"`' if is_text else f"`{shown}`")
    assert span.replace("`", "") == setting.kind.span
    plain = CONFIGURATION.replace("`", "").replace("'", "")
    assert f"| {setting.help}".replace("'", "") in plain


def test_every_kind_of_files_is_in_the_table() -> None:
    shown = re.findall(r"^\| ([^|]+) \|", (ROOT / "docs/how/files.md").read_text(), re.MULTILINE)
    kinds = [one.kind for one in corpus.read()]
    assert sorted(kind for kind in shown if kind != "kind") == sorted(kinds)
    assert len(set(kinds)) == len(kinds)


def test_the_metrics_are_documented_as_they_are() -> None:
    first = [uplink.metric for uplink in default_metrics(("a", "b", "c"))]
    assert ROWS["metric"][0] == ", ".join(str(one) for one in first) + ", ... by rank"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.name))
def test_an_example_of_the_config_is_one(document: Path) -> None:
    for text in re.findall(r"```toml\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL):
        assert parse(tomllib.loads(text))[1] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.name))
def test_a_link_leads_somewhere(document: Path) -> None:
    assert dead_links(document) == []


def test_the_list_of_documents_has_them_all() -> None:
    here = ROOT / "docs"
    listed = set(
        re.findall(r"\]\(([^)#]+\.md)\)", (here / "README.md").read_text(encoding="utf-8"))
    )
    there = {str(path.relative_to(here)) for path in here.rglob("*.md")} - {"README.md"}
    assert listed - {"../README.md"} == there


def test_a_link_to_what_is_not_there_is_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# It's *two* `words`\n## A\n## A\n```\n# no\n```\n")
    lead = ["other.md", "other.md#its-two-words", "other.md#a-1", "#own", "https://host.invalid/#x"]
    dead = ["none.md", "other.md#no", "other.md#a-2", "#other"]
    document = tmp_path / "document.md"
    document.write_text("# Own\n" + "".join(f"[it]({link})\n" for link in (*lead, *dead)))
    assert dead_links(document) == dead


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.name))
def test_an_option_named_in_passing_is_one_that_the_command_has(document: Path) -> None:
    grammar = completion.grammar()
    for named in re.findall(r"`([^`\n]*)`", document.read_text(encoding="utf-8")):
        command, *words = named.removeprefix("netfail-hooks ").split() or [""]
        known = {word.text for word in grammar.get(command, ())}
        named_options = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert not known or named_options <= known, named


def test_what_is_made_from_the_code_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs/reference.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr + "run docs/reference.py"


def test_the_manual_has_every_command_option_key_and_path() -> None:
    sections = re.split(r"^\.SS ([a-z]+)\n", MANUAL.partition(".SH EXIT")[0], flags=re.MULTILINE)
    grammar = completion.grammar()
    assert sections[1::2] == list(grammar)
    for name, text in zip(sections[1::2], sections[2::2], strict=True):
        plain = text.replace("\\-", "-")
        for word in grammar[name]:
            assert word.text in (*re.findall(r"[\w-]+", plain), "-h", "--help")
    settings = MANUAL.partition(".SH CONFIGURATION")[2].partition(".SH FILES")[0]
    named = re.findall(r"^\.B (?:uplink\.)?(\S+)$", settings, re.MULTILINE)
    assert set(ROWS) <= set(named)
    paths = Paths()
    for path in (paths.config, paths.notify, paths.run, paths.log, paths.manifest, paths.network):
        assert path in MANUAL


def test_the_manual_uses_only_macros_that_there_are() -> None:
    used = set(re.findall(r"^\.([A-Z]+)", MANUAL, re.MULTILINE))
    assert used <= {"TH", "SH", "SS", "PP", "TP", "B", "I", "BI", "BR", "RI"}


def test_what_is_changed_names_every_sysctl() -> None:
    text = (ROOT / "docs/use/start.md").read_text(encoding="utf-8")
    changes = text.partition("## What it changes")[2]
    for setting in sysctls.wanted("eth0"):
        assert setting.key.rpartition("/")[2] in changes


def test_what_was_measured_is_told_as_it_was() -> None:
    """After a change: cd docs/how; bench/run --from bench.json --svg bench.svg --markdown ..."""
    found = load((ROOT / "docs/how/bench.json").read_text(encoding="utf-8"))
    costs = (ROOT / "docs/how/costs.md").read_text(encoding="utf-8")
    assert table.summary(found, TITLES) in costs
    assert table.markdown(found, TITLES) == (ROOT / "docs/how/bench.md").read_text(encoding="utf-8")
    drawn = (ROOT / "docs/how/bench.svg").read_text(encoding="utf-8")
    assert picture(found, TITLES, OURS) == drawn


def test_a_report_of_a_bug_gets_what_is_redacted() -> None:
    text = (ROOT / "docs/use/troubleshooting.md").read_text(encoding="utf-8")
    asked = text.partition("In a report of a bug")[2]
    assert "netfail-hooks log --bundle FILE" in asked
    assert "--json" not in asked


def test_no_more_is_promised_of_a_pulled_cable_than_is_tested() -> None:
    promise = f"{MOST_LOST} of {DATAGRAMS} datagrams"
    texts = {
        path: (ROOT / path).read_text(encoding="utf-8")
        for path in (
            "README.md",
            "README.id.md",
            "docs/how/costs.md",
            "docs/how/guarantees.md",
            "man/netfail-hooks.8",
            "packaging/debian/control",
            "netfail_hooks/cli/__init__.py",
        )
    }
    assert f"at most {promise}" in texts["README.md"]
    assert f"at most {promise}" in texts["docs/how/costs.md"]
    assert f"at most {promise}" in texts["docs/how/guarantees.md"]
    assert f"paling banyak {promise.replace('of', 'dari')[:-1]}" in texts["README.id.md"]
    for path, text in texts.items():
        assert not re.search(r"\bno packet\b|\b0 (of|dari) \d+ datagram", text), path


def test_every_dependency_earns_its_place() -> None:
    text = (ROOT / "docs/dev/dependencies.md").read_text(encoding="utf-8")
    with open(ROOT / "pyproject.toml", "rb") as file:
        project = tomllib.load(file)["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    for requirement in wanted:
        name = re.match(r"[a-z0-9-]+", requirement)
        assert name, requirement
        assert name[0] in text, requirement
