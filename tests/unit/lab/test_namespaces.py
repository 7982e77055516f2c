"""How the lab's namespaces are entered."""

from __future__ import annotations

import pytest

from netfail_hooks.lab.namespaces import Namespaces


@pytest.mark.parametrize("user", [False, True])
def test_each_namespace_is_entered_by_its_file_the_users_first(*, user: bool) -> None:
    """By --target nsenter(1) of util-linux 2.41 enters the others first, and may not.

    Debian 13 has it: the demo of an ordinary user failed there.
    """
    inside = Namespaces.__new__(Namespaces)
    inside.user, inside.pid = user, 7
    program, *options = inside.command(["true"])
    named = [one.partition("=") for one in options[: options.index("--")]]
    files = [value for _, _, value in named if value]
    assert program == "nsenter"
    assert all(one.startswith("/proc/7/ns/") for one in files)
    assert (files[0] == "/proc/7/ns/user") == user
    bare = [name for name, mark, _ in named if not mark]
    assert bare == (["--preserve-credentials"] if user else [])
