"""Tracks of `nbtools track` for other programs."""

from pathlib import Path

import numpy as np
import pytest

from nbtools import cli, io, tracking
from nbtools.export import open_tracks
from nbtools.image import Image


@pytest.fixture
def tracks(tmp_path) -> Path:
    """A folder of tracks: a nucleus that divides after its first frame."""
    pixels = np.zeros((3, 20, 30), np.int32)
    pixels[0, 8:12, 10:20] = 1
    pixels[1:, 8:12, 10:14], pixels[1:, 8:12, 17:20] = 2, 3
    movie = Image(pixels, "TYX", spacing=(0.5, 0.5), interval_s=60.0, name="m")
    made = tracking.from_labels(movie, parents={2: 1, 3: 1}, tracked=True)
    folder = tmp_path / "tracks"
    tracking.write_table(made, folder / "m.csv")
    tracking.write_trackmate(made, folder / "m.xml")
    io.write_label(folder / "m.tif", movie)
    io.write_json(folder / "tracks.json", {"images": [{"name": "m"}]})
    return folder


def export(place: Path, format: str, out: Path) -> int:
    return cli.main(["export", str(place), "--format", format, "--out", str(out)])


def test_tracks_come_back_with_who_divided_into_whom(tracks):
    found = open_tracks(tracks)["m"]()
    assert found.track.tolist() == [1, 2, 3, 2, 3]
    assert found.frame.tolist() == [0, 1, 1, 2, 2]
    assert found.parents == {2: 1, 3: 1}
    assert (found.interval_s, found.grid.spacing_um) == (60.0, (0.5, 0.5))


def test_trackmate_gets_the_file_that_track_writes(tracks, tmp_path):
    assert export(tracks, "trackmate", tmp_path / "out.xml") == 0
    assert (tmp_path / "out.xml").read_text() == (tracks / "m.xml").read_text()


def test_geff_is_a_folder_of_its_name(tracks, tmp_path):
    zarr = pytest.importorskip("zarr")
    assert export(tracks, "geff", tmp_path / "out") == 0
    group = zarr.open_group(str(tmp_path / "out.geff"), mode="r")
    assert group["edges/ids"][:].tolist() == [[1, 3], [2, 4], [0, 1], [0, 2]]
    assert group["nodes/props/x/values"][0] == 14.5
    assert group.attrs["geff"]["axes"][0]["scale"] == 60


def test_a_movie_whose_table_is_gone_is_named(tracks, tmp_path, capsys):
    (tracks / "m.csv").unlink()
    assert export(tracks, "geff", tmp_path / "out") == 2
    assert "m.csv, which is not there" in capsys.readouterr().err


def test_labels_without_tracks_are_told_to_be_tracked(tracks, tmp_path, capsys):
    assert export(tracks / "m.tif", "geff", tmp_path / "out") == 2
    assert "nbtools track RESULT --out TRACKS" in capsys.readouterr().err
