"""Units of length and resolution tags: everything becomes µm here."""

from __future__ import annotations

import math
import re
import sys
from fractions import Fraction
from itertools import chain

_SPELLINGS = {  # µm in one unit → its spellings
    1e-6: "pm picometer picometre",
    1e-4: "å angstrom ångström",
    1e-3: "nm nanometer nanometre nanometers nanometres",
    1.0: "um µm µ mum micron microns micrometer micrometre micrometers micrometres mikrometer",
    1e3: "mm millimeter millimetre millimeters millimetres",
    1e4: "cm centimeter centimetre centimeters centimetres",
    25400.0: 'inch in inches "',
    1e6: "m meter metre meters metres",
}
UM_PER_UNIT = dict(
    chain.from_iterable(
        dict.fromkeys(words.split(), um).items() for um, words in _SPELLINGS.items()
    )
)
PIXEL = ("pixel", "pixels", "px")
PAPER = tuple(chain.from_iterable(_SPELLINGS[um].split() for um in (1e4, 25400.0)))
# Coarser than this, a resolution in inch or cm is that of a screen or a printer (1200 dpi is 21
# µm), not of a microscope.
COARSEST_UM = 20.0


def um_per_unit(unit: object) -> float | None:
    """Micrometres in one unit, None for an unknown unit.

    Parameters
    ----------
    unit : name or symbol in any spelling. Fiji escapes µ as six characters, and some programs
        write the Greek letter instead of the micro sign.

    Examples
    --------
    >>> um_per_unit("micron"), um_per_unit("nm"), um_per_unit("parsec")
    (1.0, 0.001, None)
    """
    return UM_PER_UNIT.get(normal_unit(unit))


def normal_unit(unit: object) -> str:
    """The name of a unit in lower case, in one spelling."""
    word = str(unit or "").strip().strip("\x00").strip().rstrip(".")
    word = re.sub(r"\\u(00b5|03bc)", "µ", word, flags=re.IGNORECASE)
    # the Greek letter, and the micro sign after one encoding was read as another
    for spoiled in ("μ", "Âµ", "Î¼", "\ufffd", "&#181;", "&micro;"):
        word = word.replace(spoiled, "µ")
    return word.replace("Å", "å").lower()


def to_number(value: object) -> float | None:
    """A finite number, also from text with a decimal comma; None where it is none.

    Parameters
    ----------
    value : from the metadata of a file.

    Examples
    --------
    >>> to_number("0,25"), to_number("unknown")
    (0.25, None)
    """
    if isinstance(value, str):
        value = value.strip().strip("\x00").replace(",", ".")
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def is_plausible(spacing_um: float, unit: object) -> bool:
    """Whether a microscope can have pixels of this size.

    Only sizes from inch and cm are doubted, since screens and printers use these units.

    Parameters
    ----------
    spacing_um : pixel size in µm.
    unit : in which the file gives it.

    Examples
    --------
    >>> is_plausible(0.2, "inch"), is_plausible(25400 / 72, "inch")
    (True, False)
    """
    limit = COARSEST_UM if normal_unit(unit) in PAPER else sys.float_info.max
    return 0 < spacing_um <= limit


def resolution_tag(spacing: float) -> tuple[int, int]:
    """Pixels per unit as the nearest fraction of two 32-bit numbers.

    Parameters
    ----------
    spacing : pixel size, in any unit.

    Examples
    --------
    >>> resolution_tag(0.2)
    (5, 1)
    """
    largest = 2**32 - 1
    fraction = 1 / Fraction(spacing)
    if fraction > largest:
        return largest, 1
    near = fraction.limit_denominator(max(1, int(largest / max(1, fraction))))
    return (near.numerator, near.denominator) if near else (1, largest)
