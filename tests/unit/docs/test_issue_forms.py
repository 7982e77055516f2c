"""The forms for issues: ones that GitHub takes, and what they tell people to type is so.

The keys: docs.github.com, "Syntax for issue forms", "Syntax for GitHub's form schema" and
"Configuring issue templates for your repository".
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from typing import Any

import pytest

from netfail_hooks.cli import completion, parser
from tests.support import ROOT

PLACE = ROOT / ".github/ISSUE_TEMPLATE"
FORMS = sorted(path for path in PLACE.iterdir() if path.name != "config.yml")
TOP = {"name", "description", "body", "assignees", "labels", "projects", "title", "type"}
# Of each kind of element, the attributes that it must have, and those that it may.
ATTRIBUTES = {
    "markdown": ({"value"}, set()),
    "textarea": ({"label"}, {"description", "placeholder", "value", "render"}),
    "input": ({"label"}, {"description", "placeholder", "value"}),
    "dropdown": ({"label", "options"}, {"description", "multiple", "default"}),
    "checkboxes": ({"label", "options"}, {"description"}),
}
READ = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))"


def read(name: str) -> Any:
    """Return what a file holds, as Debian's python3-yaml reads it: it is no library of ours."""
    done = subprocess.run(
        ["/usr/bin/python3", "-c", READ],
        input=(PLACE / name).read_text(encoding="utf-8"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def texts(value: Any) -> list[str]:
    """Return all texts in what was read, however deep."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for one in value for text in texts(one)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("path", FORMS, ids=lambda path: str(path.name))
def test_a_form_has_the_keys_that_it_must_have_and_no_other(path: Any) -> None:
    form = read(path.name)
    assert {"name", "description", "body"} <= form.keys() <= TOP
    assert all(text.strip() for text in texts(form))
    names = [element["id"] for element in form["body"] if "id" in element]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", name) for name in names)
    labels = [one["attributes"]["label"] for one in form["body"] if one["type"] != "markdown"]
    assert len(set(labels)) == len(labels) > 0, "of two alike none can be told"
    for element in form["body"]:
        must, may = ATTRIBUTES[element["type"]]
        assert must <= element["attributes"].keys() <= must | may
        assert element.keys() <= {"type", "id", "attributes", "validations"}
        assert element.get("validations", {}).keys() <= {"required"}
        options = element["attributes"].get("options", [])
        assert len(set(options)) == len(options)


@pytest.mark.parametrize("path", FORMS, ids=lambda path: str(path.name))
def test_a_command_that_a_form_tells_is_one(path: Any) -> None:
    grammar = completion.grammar()
    told = []
    for text in texts(read(path.name)):
        for line in re.findall(r"`([^`]+)`", text):
            command, *words = shlex.split(line.removeprefix("sudo "))
            if command == "./install.sh":
                command, words = "netfail-hooks", ["install", *words]
            assert command == "netfail-hooks", line
            assert words[0] in grammar, line
            parser(filled=(words[0],)).parse_args(words)
            told.append(words)
    assert ["log", "--bundle", "bug.txt"] in told
    assert ["doctor"] in told


def test_the_bundle_is_asked_for_and_nothing_goes_without_it() -> None:
    elements = {element.get("id"): element for element in read("bug.yml")["body"]}
    assert elements["bundle"]["validations"]["required"]
    assert "netfail-hooks log --bundle" in elements["bundle"]["attributes"]["description"]


def test_the_chooser_has_only_keys_that_there_are() -> None:
    chooser = read("config.yml")
    assert chooser.keys() <= {"blank_issues_enabled", "contact_links"}
    assert isinstance(chooser["blank_issues_enabled"], bool)
