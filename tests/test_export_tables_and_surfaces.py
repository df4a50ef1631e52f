"""Twin of export.surfaces and io.table_files: read back by programs of others."""

import csv
import json

import numpy as np
import pytest

from nbtools import io
from nbtools.cli import main
from nbtools.errors import UserError
from nbtools.export.surfaces import trace_surfaces
from nbtools.image import Image
from nbtools.io.table_files import type_columns, write_spreadsheet

SPACING = (0.5, 0.2, 0.2)


@pytest.fixture
def balls(tmp_path):
    """Two ellipsoids with semi-axes of 3 and 2 µm in a volume of anisotropic voxels."""
    places = np.indices((30, 80, 60)) * np.array(SPACING).reshape(3, 1, 1, 1)
    pixels = np.zeros((30, 80, 60), np.uint16)
    for number, centre, radius in ((2, (7, 4, 6), 3.0), (5, (7, 12, 6), 2.0)):
        apart = ((places - np.array(centre).reshape(3, 1, 1, 1)) ** 2).sum(0)
        pixels[apart < radius**2] = number
    io.write_label(tmp_path / "in" / "balls.tif", Image(pixels, "ZYX", spacing=SPACING))
    return tmp_path / "in" / "balls.tif"


@pytest.mark.parametrize("format", ["ply", "stl", "vtk"])
def test_surfaces_are_closed_and_have_the_volume_of_their_nucleus_in_um(balls, tmp_path, format):
    meshes = pytest.importorskip("meshio" if format == "vtk" else "trimesh")
    out = tmp_path / "out"
    assert main(["export", str(balls), "--format", format, "--out", str(out)]) == 0
    names = sorted(path.name for path in (out / "balls").iterdir())
    assert names == [f"nucleus-0002.{format}", f"nucleus-0005.{format}"]
    for name, number, radius in zip(names, (2, 5), (3.0, 2.0), strict=True):
        if format == "vtk":
            mesh = meshes.read(out / "balls" / name)
            trimesh = pytest.importorskip("trimesh")
            mesh = trimesh.Trimesh(mesh.points, mesh.cells_dict["triangle"])
        else:
            mesh = meshes.load(out / "balls" / name)
        assert mesh.is_watertight
        voxels = np.count_nonzero(io.read_label(balls).pixels == number) * np.prod(SPACING)
        # corners of voxels are cut off, which takes a few percent of small nuclei
        assert mesh.volume == pytest.approx(voxels, rel=0.06)
        assert mesh.volume == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.08)
        assert mesh.bounds.mean(axis=0) == pytest.approx((6, {2: 4, 5: 12}[number], 7), abs=0.3)


def test_a_plane_has_no_surface():
    with pytest.raises(UserError, match="one volume"):
        next(trace_surfaces(Image(np.ones((4, 4), int), "YX")))


def test_ome_zarr_labels_are_read_by_zarr_itself(balls, tmp_path):
    zarr = pytest.importorskip("zarr")
    assert main(["export", str(balls), "--format", "ome-zarr", "--out", str(tmp_path / "o")]) == 0
    group = zarr.open_group(str(tmp_path / "o" / "balls.ome.zarr"), mode="r")
    about = group.attrs["ome"]["multiscales"][0]
    assert [axis["name"] for axis in about["axes"]] == ["z", "y", "x"]
    scale = about["datasets"][0]["coordinateTransformations"][0]["scale"]
    assert scale == pytest.approx(SPACING)
    assert np.array_equal(group[about["datasets"][0]["path"]][...], io.read_label(balls).pixels)


ROWS = [
    {"image": "007", "label": "1", "area_um2": "2.5", "class": "a"},
    {"image": "007", "label": "2", "area_um2": "", "class": "b;c"},
]


def test_numbers_are_numbers_and_names_stay_words():
    columns = type_columns(ROWS)
    assert columns["image"] == ["007", "007"]
    assert columns["label"] == [1, 2]
    assert columns["area_um2"] == [2.5, None]


def test_a_csv_with_decimal_comma_is_read_by_pandas(tmp_path):
    pandas = pytest.importorskip("pandas")
    io.write_csv(tmp_path / "nuclei.csv", ROWS)
    words = ["export", str(tmp_path / "nuclei.csv"), "--format", "csv", "--out"]
    assert main([*words, str(tmp_path / "german")]) == 0
    found = pandas.read_csv(tmp_path / "german.csv", sep=";", decimal=",", dtype={"image": str})
    assert found["area_um2"].iloc[0] == 2.5
    assert np.isnan(found["area_um2"].iloc[1])
    assert found["class"].tolist() == ["a", "b;c"]
    assert found["image"].tolist() == ["007", "007"]
    more = ["--separator", "tab", "--decimal", "point"]
    assert main([*words, str(tmp_path / "tabs.csv"), *more]) == 0
    with open(tmp_path / "tabs.csv", newline="") as file:
        assert list(csv.reader(file, delimiter="\t"))[1] == ["007", "1", "2.5", "a"]


def test_a_comma_for_both_is_refused(tmp_path):
    with pytest.raises(UserError, match="different signs"):
        write_spreadsheet(tmp_path / "t.csv", {"a": [1.5]}, separator="comma", decimal="comma")


def test_the_table_of_a_result_goes_as_parquet(tmp_path, capsys):
    parquet = pytest.importorskip("pyarrow.parquet")
    io.write_csv(tmp_path / "nuclei.csv", ROWS)
    words = ["export", str(tmp_path), "--format", "parquet", "--out", str(tmp_path / "t"), "--json"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 2
    table = parquet.read_table(tmp_path / "t.parquet")
    assert [str(field.type) for field in table.schema] == ["string", "int64", "double", "string"]
    assert table.column("area_um2").to_pylist() == [2.5, None]


def test_signs_of_a_csv_are_refused_elsewhere(tmp_path, capsys):
    words = ["export", str(tmp_path), "--format", "parquet", "--out", str(tmp_path / "t")]
    assert main([*words, "--decimal", "comma"]) == 2
    assert "--format csv" in capsys.readouterr().err
