"""What can go wrong, each with the exit status it ends in.

Statuses: 0 well, 1 the thing asked about is not well, 2 wrong use or config, 3 not permitted,
75 not now (EX_TEMPFAIL, sysexits.h(3head)).
Only the outermost functions (``cli.entry``, ``hook.main``) catch a :class:`Problem`.
"""

from __future__ import annotations


class Problem(Exception):  # noqa: N818 - it is told to a person, who reads "problem"
    """Something a person has to mend: what is wrong, and the next step, in one line."""

    status = 1

    def __init__(self, text: str, *, hint: str = "") -> None:
        super().__init__(text)
        self.hint = hint

    def __str__(self) -> str:
        text = str(self.args[0])
        return f"{text}: {self.hint}" if self.hint else text

    def lines(self) -> tuple[str, ...]:
        """Return it as lines for a person: mostly one."""
        return (str(self),)


class Misuse(Problem):
    """The command line, the config or the environment of a hook is wrong."""

    status = 2


class Faults(Misuse):
    """Things that are wrong with one file: ``name`` says which, each fault where in it and what."""

    def __init__(self, name: str, faults: tuple[str, ...], *, hint: str) -> None:
        super().__init__(f"{name}: {'; '.join(faults)}", hint=hint)
        self.faults = tuple([f"{name}: {fault}" for fault in faults])

    def lines(self) -> tuple[str, ...]:
        """Return a line for each of several faults, then the next step."""
        return (*self.faults, self.hint) if len(self.faults) > 1 else (str(self),)


class NotPermitted(Problem):
    """The kernel or the file system refused us."""

    status = 3


class NotNow(Problem):
    """The machine has too much else to do, or is too slow: the same may go well later."""

    status = 75


class PortalError(OSError):
    """A network that wants a login has answered in the place of somebody beyond it."""
