"""The interval of a movie's frames, in seconds, from the metadata of its file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
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

ALIKE = 0.01  # relative difference between phases of a movie that have one interval


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


def zeiss_interval(about: ElementTree.Element) -> float | None:
    """Seconds between time points of CZI: as they were recorded, else as they were set up.

    Parameters
    ----------
    about : the metadata of the file.

    Examples
    --------
    >>> image = "<Image><Dimensions><T><Positions><Interval><Increment>2.5</Increment></Interval>"
    >>> image += "</Positions></T></Dimensions></Image>"
    >>> zeiss_interval(ElementTree.fromstring(f"<Metadata>{image}</Metadata>"))
    2.5
    """
    recorded = to_seconds(about.findtext(".//Dimensions/T/Positions/Interval/Increment"))
    spans = [e for setup in about.iter("TimeSeriesSetup") for e in setup.iter("TimeSpan")]
    set_up = [to_seconds(e.findtext("Value"), e.findtext("DefaultUnitFormat")) for e in spans]
    return recorded or (set_up[0] if len(set(set_up)) == 1 else None)


def nikon_interval(loops: Iterable[object]) -> float | None:
    """Seconds between time points of ND2: as they were recorded, else as they were set up.

    Parameters
    ----------
    loops : of the experiment, as the package nd2 gives them.

    Returns
    -------
    None without a loop over time, and where its phases have different intervals.
    """
    found = [one.parameters for one in loops if type(one).__name__ in ("TimeLoop", "NETimeLoop")]
    phases = [phase for one in found for phase in getattr(one, "periods", (one,))]
    recorded = [getattr(phase.periodDiff, "avg", 0) for phase in phases]
    times = [
        to_seconds(mean, "ms") or to_seconds(phase.periodMs, "ms")
        for mean, phase in zip(recorded, phases, strict=True)
    ]
    same = bool(times) and all(t and math.isclose(t, times[0], rel_tol=ALIKE) for t in times)
    return times[0] if same else None


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
