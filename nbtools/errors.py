"""Errors that a user can act on: rule, received, remedy."""

from __future__ import annotations

from collections.abc import Collection


class UserError(ValueError):
    """Input that cannot be used, explained in one message that a biologist can act on.

    Parameters
    ----------
    rule : what must hold, as a sentence with its full stop.
    received : what was given instead, without a full stop.
    remedy : what to do now, as a sentence with its full stop.

    Examples
    --------
    >>> str(UserError("Patch size must be a multiple of 16.", (100, 96), "Use (96, 96)."))
    'Patch size must be a multiple of 16. Received: (100, 96). Use (96, 96).'
    """

    def __init__(self, rule: str, received: object, remedy: str):
        self.rule, self.received, self.remedy = rule, received, remedy
        super().__init__(f"{rule} Received: {received}. {remedy}")

    def __reduce__(self):
        return UserError, (self.rule, self.received, self.remedy)


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
