"""Errors that a user can act on: rule, received, remedy."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial


class UserError(ValueError):
    """Input that cannot be used, explained in one message that a biologist can act on.

    Parameters
    ----------
    rule : what must hold, as a sentence with its full stop.
    received : what was given instead, without a full stop.
    remedy : what to do now, as a sentence with its full stop.
    command : the remedy in the words of the command line, where `remedy` speaks Python.

    Examples
    --------
    >>> str(UserError("Patch size must be a multiple of 16.", (100, 96), "Use (96, 96)."))
    'Patch size must be a multiple of 16. Received: (100, 96). Use (96, 96).'
    """

    def __init__(self, rule: str, received: object, remedy: str, *, command: str = ""):
        self.rule, self.received, self.remedy, self.command = rule, received, remedy, command
        super().__init__(f"{rule} Received: {received}. {remedy}")

    def for_command_line(self) -> UserError:
        """The same error with the remedy of the command line, where it has one."""
        return UserError(self.rule, self.received, self.command or self.remedy)

    def __reduce__(self):
        return partial(UserError, command=self.command), (self.rule, self.received, self.remedy)


def require_choice(value: object, known: Collection[str], *, rule: str) -> None:
    """Require that a value is one of the known names.

    Parameters
    ----------
    value : what was given.
    known : the names that are allowed.
    rule : of the error.

    Raises
    ------
    UserError : another value; the message lists the known names.

    Examples
    --------
    >>> require_choice("mixture", ("histogram", "mixture"), rule="Noise models are of two kinds.")
    """
    if value not in known:
        raise UserError(rule, repr(value), f"Use one of: {', '.join(known)}.")
