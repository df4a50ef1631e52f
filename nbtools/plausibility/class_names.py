"""Names of classes that truth and result do not share, so that no answer can be right."""

from __future__ import annotations

from nbtools.plausibility.finding import Finding

SHOWN = 4  # names of a side


class ClassNames:
    """Collects the names of classes of truths and results, image by image.

    Parameters
    ----------
    who : the result in words.
    """

    def __init__(self, who: str = "result"):
        self.who, self.true, self.found = who, set(), set()

    def add(self, truth: object, found: object | None) -> None:
        """Add an image: classes, points, boxes or labels; others have no names and add nothing."""
        self.true |= list_names(truth)
        self.found |= list_names(found)

    def describe(self) -> list[Finding]:
        """What is to be said; [] where one side has no names, or names are shared."""
        spelled = {name.strip().casefold(): name for name in self.found - self.true}
        alike = {name for name in self.true - self.found if name.strip().casefold() in spelled}
        if not self.true or not self.found or (self.true & self.found and not alike):
            return []
        return [
            Finding(
                "class_names_differ",
                f"The truth has the classes {_join(self.true)}, the {self.who} "
                f"{_join(self.found)}; of another spelling, every answer counts as wrong.",
                "Give each class the same name in both tables.",
            )
        ]


def list_names(one: object | None) -> set[str]:
    """Names of the classes that occur in a truth or a result.

    Parameters
    ----------
    one : classes, points, boxes or labels; None has none.
    """
    known = getattr(one, "best", None) or getattr(one, "classes", None) or ()
    values = known.values() if hasattr(known, "values") else known
    return {str(name) for name in values if name}


def _join(names: set[str]) -> str:
    """The first names in words."""
    rest = ["…"] if len(names) > SHOWN else []
    return ", ".join([*map(repr, sorted(names)[:SHOWN]), *rest])
