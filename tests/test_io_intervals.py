"""The interval of a movie's frames, from files as microscopes write them.

Files are made here byte by byte, and read by the packages for them.
"""

import numpy as np
import pytest
from microscope_files import write_czi, write_lif, write_nd2

from nbtools import io
from nbtools.io.intervals import nikon_interval

FILM = np.arange(3 * 2 * 3 * 8 * 9, dtype=np.uint16).reshape(3, 2, 3, 8, 9)  # T, C, Z, Y, X
SIZES = {"Z": 0.5, "Y": 0.2, "X": 0.2}
RECORDED = "<Positions><Interval><Start>0</Start><Increment>{}</Increment></Interval></Positions>"
SET_UP = (
    "<TimeSeriesSetup><Switches><Interval><TimeSpan><Value>{}</Value><DefaultUnitFormat>{}"
    "</DefaultUnitFormat></TimeSpan></Interval></Switches></TimeSeriesSetup>"
)


def loop(period, mean=0.0):
    """A loop over time of ND2, in milliseconds."""
    about = {"uiCount": 3, "dStart": 0.0, "dPeriod": period, "dDuration": 3 * period}
    return {"eType": 1, "uLoopPars": about | {"dAvgPeriodDiff": mean}}


@pytest.mark.parametrize(
    ("kind", "about", "seconds"),
    [
        ("lif", {"seconds": 12.0}, 12.0),
        ("lif", {"seconds": 0.0}, None),
        ("czi", {"time": RECORDED.format(2.5)}, 2.5),
        ("czi", {"setup": SET_UP.format(2, "min")}, 120.0),
        ("czi", {"time": RECORDED.format(31.2), "setup": SET_UP.format(30, "s")}, 31.2),
        ("czi", {"setup": SET_UP.format(0, "s")}, None),
        ("czi", {}, None),
        ("nd2", {"time": loop(5000.0)}, 5.0),
        ("nd2", {"time": loop(5000.0, mean=5125.0)}, 5.125),
        ("nd2", {"time": loop(0.0)}, None),  # as fast as the camera goes
    ],
)
def test_the_interval_of_a_microscope_is_read(tmp_path, kind, about, seconds):
    """Files made byte by byte, read by the packages for them; what was recorded wins."""
    pytest.importorskip({"lif": "liffile", "czi": "czifile", "nd2": "nd2"}[kind])
    write, path = {"lif": write_lif, "czi": write_czi, "nd2": write_nd2}[kind], tmp_path / "a.x"
    path = path.with_suffix(f".{kind}")
    write(path, [FILM] if kind == "lif" else FILM, SIZES, **about)
    image = io.read_image(path)
    assert image.interval_s == (None if seconds is None else pytest.approx(seconds))
    np.testing.assert_array_equal(image.to("TCZYX").pixels, FILM)
    assert io.open_image(path, header_only=True).image.interval_s == image.interval_s


@pytest.mark.parametrize(
    ("periods", "seconds"), [([5000, 5010], 5.0), ([5000, 60000], None), ([], None)]
)
def test_phases_of_different_intervals_have_none(periods, seconds):
    """The loops of an ND2 experiment with phases, as the package gives them."""
    nd2 = pytest.importorskip("nd2.structures")
    phases = [nd2.Period(0.0, p, 3 * p, nd2.PeriodDiff(), count=3) for p in periods]
    about = nd2.NETimeLoopParams(phases)
    assert nikon_interval([nd2.NETimeLoop(6, 0, about)]) == seconds


@pytest.mark.parametrize(("unit", "seconds"), [("second", 30.0), ("minute", 1800.0), (None, None)])
def test_the_interval_of_ome_zarr_needs_a_unit(tmp_path, unit, seconds):
    """NGFF 0.4: the scale of an axis is 1 where nobody knows it, so that the unit decides."""
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=2)
    group.create_array("0", shape=(3, 8, 9), dtype=np.uint16)[...] = FILM[:, 0, 0] + 1
    time = {"name": "t", "type": "time"} | ({"unit": unit} if unit else {})
    space = [{"name": a, "type": "space", "unit": "micrometer"} for a in "yx"]
    scale = [{"type": "scale", "scale": [2.0, 0.5, 0.5]}]
    whole = [{"type": "scale", "scale": [15.0, 1.0, 1.0]}]
    level = {"path": "0", "coordinateTransformations": scale}
    about = {"version": "0.4", "axes": [time, *space], "datasets": [level]}
    group.attrs["multiscales"] = [about | {"coordinateTransformations": whole}]
    image = io.read_image(tmp_path / "a.zarr")
    assert (image.interval_s, image.spacing_um) == (seconds, (0.5, 0.5))
