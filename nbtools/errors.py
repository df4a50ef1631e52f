"""Errors that a user can act on: rule, received, remedy."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from nbtools.wording import in_python


class UserError(ValueError):
    """Input that cannot be used, explained in one message that a biologist can act on.

    The text of the error is for Python: flags of the command line in the remedy are replaced by
    their names there (`wording.in_python`). The command line shows `for_command_line`.

    Parameters
    ----------
    rule : what must hold, as a sentence with its full stop.
    received : what was given instead, without a full stop.
    remedy : what to do now, as a sentence with its full stop.
    command : the remedy on the command line, where it is another than `remedy` with its flags.

    Examples
    --------
    >>> str(UserError("Patch size must be a multiple of 16.", (100, 96), "Use (96, 96)."))
    'Patch size must be a multiple of 16. Received: (100, 96). Use (96, 96).'
    >>> error = UserError("An image has one channel.", 3, "Choose one with --channel 0.")
    >>> str(error)
    'An image has one channel. Received: 3. Choose one with InputOptions(channel=0).'
    >>> str(error.for_command_line())
    'An image has one channel. Received: 3. Choose one with --channel 0.'
    """

    def __init__(self, rule: str, received: object, remedy: str, *, command: str = ""):
        self.rule, self.received, self.remedy, self.command = rule, received, remedy, command
        super().__init__(f"{rule} Received: {received}. {in_python(remedy)}")

    def for_command_line(self) -> UserError:
        """The same error, its text with the remedy of the command line."""
        error = UserError(self.rule, self.received, self.command or self.remedy)
        error.args = (f"{error.rule} Received: {error.received}. {error.remedy}",)
        return error

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
