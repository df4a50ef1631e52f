"""Twin of export.results: a folder like that of `nbtools predict`, of all images of a set."""

import json

import numpy as np
import pytest

from nbtools import data, export, io, measure, methods, report
from nbtools.data import DataSet, Sample
from nbtools.errors import UserError
from nbtools.image import Image


@pytest.fixture(scope="module")
def images():
    return data.samples("simulated2d")[:2]


@pytest.fixture(scope="module")
def otsu():
    return methods.load("otsu")


@pytest.fixture(scope="module")
def result(images, otsu, tmp_path_factory):
    folder = tmp_path_factory.mktemp("result") / "found"
    return export.save_results(folder, images, model=otsu, source="otsu")


def test_each_image_has_labels_an_overlay_and_outlines(result, images, otsu):
    for sample in images:
        label = io.read_label(result / f"{sample.name}.tif")
        np.testing.assert_array_equal(label.pixels, otsu.predict(sample.image).labels.pixels)
        assert label.spacing == sample.image.spacing
        assert io.read_image(result / "overlays" / f"{sample.name}.png").is_rgb
        assert (result / "rois" / f"{sample.name}.zip").stat().st_size > 100


def test_the_tables_agree_with_the_labels(result, images):
    summary = io.read_csv(result / "summary.csv")
    nuclei = measure.read_table(result / "nuclei.csv")
    objects = io.read_csv(result / "objects.csv")
    for row in summary:
        count = len(np.unique(io.read_label(result / f"{row['name']}.tif").pixels)) - 1
        assert int(row["nuclei"]) == count > 10
        assert (nuclei["image"] == row["name"]).sum() == count
        assert sum(one["image"] == row["name"] for one in objects) == count
    assert "area_um2" in nuclei
    about = json.loads((result / "result.json").read_text())
    assert (about["model"], about["method"]) == ("otsu", "otsu")
    assert [row["name"] for row in about["images"]] == images.names


def test_labels_of_the_images_are_not_looked_at(images, otsu, tmp_path):
    bare = [Sample(s.name, s.image) for s in images]
    folder = export.save_results(tmp_path / "r", bare, model=otsu)
    html = report.write(folder).read_text("utf-8")
    assert "Not scored: nobody has labelled nuclei" in html
    assert not (folder / "scores").exists()


def test_an_image_that_cannot_be_predicted_costs_itself_alone(images, otsu, tmp_path):
    odd = Sample("odd", Image(np.zeros((40, 40, 2), np.uint8), "YXC"))
    folder = export.save_results(
        tmp_path / "r", [odd, images[0]], model=methods.load("nuclei2d_small")
    )
    about = json.loads((folder / "result.json").read_text())
    assert [one["name"] for one in about["failed"]] == ["odd"]
    assert len(about["images"]) == 1
    assert "left out: " in report.write(folder).read_text("utf-8")
    with pytest.raises(UserError, match="at least one image"):
        export.save_results(tmp_path / "none", [], model=otsu)
    assert not (tmp_path / "none").exists()


def test_scores_of_test_images_stand_in_the_report_beside_those_of_others(images, otsu, tmp_path):
    folder = export.save_results(tmp_path / "r", images, model=otsu)
    right = [Sample(s.name, s.image, label=s.label) for s in images]
    found = {"own": [otsu.predict(s.image) for s in right], "perfect": right_labels(right)}
    path = export.save_scores(folder, right, found=found)
    scores = json.loads(path.read_text())
    assert scores["others_mean_ap"] == {"perfect": 1.0}
    assert 0.1 < scores["mean_ap"] < 1
    assert len(list((folder / "scores" / "errors").glob("*.png"))) == 2
    html = report.write(folder).read_text("utf-8")
    assert f"{scores['mean_ap']:.3f}" in html
    assert "On the same images it was 1.000 with perfect." in html
    assert "Not scored" not in html


class Found:
    def __init__(self, labels):
        self.labels = labels


def right_labels(samples):
    return [Found(s.label) for s in samples]


def test_without_test_images_no_score_is_written(images, tmp_path):
    assert export.save_scores(tmp_path, images[:0], found={"own": []}) is None
    assert list(tmp_path.iterdir()) == []


def test_volumes_and_movies_have_their_columns(tmp_path, otsu):
    volume = data.samples("simulated3d")[:1]
    folder = export.save_results(tmp_path / "v", volume, model=otsu)
    assert "volume_um3" in measure.read_table(folder / "nuclei.csv")
    plane = data.samples("simulated2d")[0].image
    pixels = np.stack([plane.pixels, plane.pixels[::-1]])
    movie = DataSet.of([Sample("movie", Image(pixels, "TYX", plane.spacing))])
    folder = export.save_results(tmp_path / "m", movie, model=otsu)
    assert [row["frame"] for row in io.read_csv(folder / "summary.csv")] == ["0", "1"]
    assert set(measure.read_table(folder / "nuclei.csv")["frame"].astype(int)) == {0, 1}
