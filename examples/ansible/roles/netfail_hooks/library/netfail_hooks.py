#!/usr/bin/python3
# ruff: noqa: EXE001, E402 - Ansible wants modules to look like this
"""Set a machine up by a ready config.toml, or give back what it was before."""

DOCUMENTATION = """
module: netfail_hooks
short_description: Fail over between the uplinks that a config.toml names
description:
  - Runs C(netfail-hooks install --config), or C(install.sh --config) of a checkout, and
    C(uninstall). In check mode it shows what they would change, and changes nothing.
options:
  state:
    description: Whether it is to be installed.
    choices: [present, absent]
    default: present
    type: str
  config:
    description: The text of config.toml; needed for C(present).
    type: str
  options:
    description: More options of C(netfail-hooks install), such as C(--dhcp).
    type: list
    elements: str
    default: []
  checkout:
    description: A directory with C(install.sh); without it the installed command is used.
    type: path
  prefix:
    description: Where C(install.sh) puts the program.
    type: path
    default: /usr/local
  wheels:
    description: A directory from which C(install.sh) takes the libraries.
    type: path
  pending:
    description:
      - In check mode, that an earlier task would have put another package in place. What is there
        then knows nothing of the new one's settings, so only the change of config.toml is told.
    type: bool
    default: false
"""
RETURN = """
did:
  description: What was done, or in check mode would be.
  type: list
  returned: always
notes:
  description: What else a person should know.
  type: list
  returned: always
"""

import json
import os

from ansible.module_utils.basic import AnsibleModule

COMMAND = "netfail-hooks"
CONFIG = "/etc/netfail-hooks/config.toml"
NEW_PROGRAM = "install.sh: would put the command"
MANIFEST = "/var/lib/netfail-hooks/manifest.json"


def main() -> None:
    """Do as the task says."""
    module = AnsibleModule(
        argument_spec={
            "state": {"choices": ["present", "absent"], "default": "present"},
            "config": {"type": "str"},
            "options": {"type": "list", "elements": "str", "default": []},
            "checkout": {"type": "path"},
            "prefix": {"type": "path", "default": "/usr/local"},
            "wheels": {"type": "path"},
            "pending": {"type": "bool", "default": False},
        },
        required_if=[("state", "present", ["config"])],
        supports_check_mode=True,
    )
    if module.params["state"] == "present":
        module.exit_json(**present(module))
    module.exit_json(**absent(module))


def present(module: AnsibleModule) -> dict:
    """Install by the config; return what the task is to tell."""
    config = module.params["config"]
    if not is_there(module) or (module.check_mode and module.params["pending"]):
        return {  # by the program that an earlier task would have put in place
            "changed": True,
            "did": [f"write {CONFIG}, and all that follows from it"],
            "notes": [],
            "diff": {
                "before": text_of(CONFIG),
                "after": config,
                "before_header": CONFIG,
                "after_header": CONFIG,
            },
        }
    path = f"{module.tmpdir}/config.toml"  # a directory of root's own, which Ansible removes
    with open(path, "w", encoding="utf-8") as file:
        file.write(config)
    os.chmod(path, 0o644)  # the installed one is no more open than this one
    argv = [*command(module, "install"), "--config", path, *module.params["options"]]
    return run(module, argv)


def absent(module: AnsibleModule) -> dict:
    """Uninstall what there is; return what the task is to tell."""
    if module.params["checkout"]:
        there = os.path.exists(MANIFEST) or os.path.isdir(libraries(module))
    else:
        there = module.get_bin_path(COMMAND) is not None
    if not there:
        return {"changed": False, "did": [], "notes": []}
    if not is_there(module):
        return {"changed": True, "did": [f"remove {libraries(module)}"], "notes": []}
    return run(module, command(module, "uninstall"))


def is_there(module: AnsibleModule) -> bool:
    """Tell whether the program is, which in check mode an earlier task may not have brought.

    Fails where that is no reason.
    """
    checkout = module.params["checkout"]
    if os.path.exists(f"{checkout}/install.sh") if checkout else module.get_bin_path(COMMAND):
        return True
    if not module.check_mode:
        wanted = f"there is no command {COMMAND}: install the package, or name a checkout"
        module.fail_json(msg=f"there is no install.sh in {checkout}" if checkout else wanted)
    return False


def command(module: AnsibleModule, what: str) -> list[str]:
    """Return the command line that installs, or uninstalls."""
    params = module.params
    if not params["checkout"]:
        return [module.get_bin_path(COMMAND, required=True), what]
    argv = [f"{params['checkout']}/install.sh", "--prefix", params["prefix"]]
    if what == "uninstall":
        return [*argv, "--uninstall"]
    return [*argv, *(["--wheels", params["wheels"]] if params["wheels"] else [])]


def libraries(module: AnsibleModule) -> str:
    """Return where install.sh keeps the program."""
    return f"{module.params['prefix']}/lib/netfail-hooks"


def stamp(module: AnsibleModule) -> str:
    """Return what tells one version of the program there from another, "" for none."""
    return text_of(f"{libraries(module)}/packages/stamp")


def text_of(path: str) -> str:
    """Return what a file holds, "" if it is not there."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def run(module: AnsibleModule, argv: list[str]) -> dict:
    """Run the command, or see what it would change; return what the task is to tell."""
    result = {}
    if module.check_mode or module._diff:  # noqa: SLF001 - Ansible's own modules ask so, too
        shown, said = told(module, [*argv, "--dry-run"])
        # Of its own files install.sh says so; the rest is what 'install' would change.
        program = [line for line in said.splitlines() if line.startswith(NEW_PROGRAM)]
        if module.params["checkout"] and module.params["state"] == "absent":
            program = [f"remove {libraries(module)}"]
        did = [*program, *shown["would"]]
        result = {"changed": bool(did), "did": did, "notes": shown["notes"]}
        result["diff"] = {"prepared": shown.get("diff", "")}
    if module.check_mode:
        return result
    before = stamp(module)
    done, _ = told(module, [*argv, "--yes"])
    changed = bool(done["changed"] or stamp(module) != before)
    return result | {"changed": changed, "did": done["did"], "notes": done["notes"]}


def told(module: AnsibleModule, argv: list[str]) -> tuple[dict, str]:
    """Return what a command tells as JSON, and what else it says."""
    status, out, said = module.run_command([*argv, "--json"])
    if status:
        msg = (said.strip() or out).replace(module.tmpdir + "/", "")
        module.fail_json(msg=msg, rc=status, cmd=argv)
    return json.loads(out), said


if __name__ == "__main__":
    main()
