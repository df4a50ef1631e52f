"""The interval of a movie's frames, in seconds, from the metadata of its file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from xml.etree import ElementTree

from nbtools.io.units import normal_unit

SECONDS = {  # spelling of a unit of time → seconds
    **dict.fromkeys(("", "s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("µs", "us", "usec", "microsecond", "microseconds"), 1e-6),
    **dict.fromkeys(("ns", "nanosecond", "nanoseconds"), 1e-9),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
}


def to_seconds(time: object, unit: object = "s") -> float | None:
    """A time in seconds; None where it is no number above 0, or its unit is unknown.

    Parameters
    ----------
    time : number, or its text.
    unit : of the time; without one, seconds.

    Examples
    --------
    >>> to_seconds("2.5", "min"), to_seconds(30.0, None), to_seconds(0, "s")
    (150.0, 30.0, None)
    """
    factor = SECONDS.get(normal_unit(unit))
    try:
        seconds = float(time) * factor
    except (TypeError, ValueError):
        return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None


def imagej_interval(about: Mapping) -> float | None:
    """Seconds between frames of ImageJ: the interval in its unit, else from the frames per second.

    Parameters
    ----------
    about : metadata of ImageJ, by name.

    Examples
    --------
    >>> imagej_interval({"finterval": 0.5, "tunit": "min"}), imagej_interval({"fps": 4.0})
    (30.0, 0.25)
    """
    interval = to_seconds(about.get("finterval"), about.get("tunit"))
    return interval or to_seconds(1 / about["fps"] if about.get("fps") else None, "s")


def ome_interval(pixels: ElementTree.Element) -> float | None:
    """Seconds between time points of OME: its increment, else the mean from the times of planes.

    Parameters
    ----------
    pixels : the element Pixels of OME-XML.
    """
    interval = to_seconds(pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit"))
    return interval or _mean_interval(pixels)


def _mean_interval(pixels: ElementTree.Element) -> float | None:
    """Mean seconds between time points, from the time at which each plane was taken."""
    planes = [p for p in pixels.iterfind("{*}Plane") if p.get("DeltaT")]
    firsts = [p for p in planes if p.get("TheZ", "0") == p.get("TheC", "0") == "0"]
    if len(firsts) < 2:
        return None
    first, last = firsts[0], firsts[-1]
    steps = int(last.get("TheT", "0")) - int(first.get("TheT", "0"))
    span = float(last.get("DeltaT")) - float(first.get("DeltaT"))
    return to_seconds(span / steps, first.get("DeltaTUnit")) if steps > 0 else None
