"""Movies go through every verb in one piece, and a stack written as a movie is asked about.

The true numbers come from how the images are made here: discs and ellipsoids at known places.
"""

import csv
import json

import numpy as np
import pytest
import roifile
import tifffile

from nbtools import checks, io, tasks
from nbtools.data import DataSet, InputOptions, Sample, doubt_time
from nbtools.errors import UserError
from nbtools.export import save_run
from nbtools.image import Image
from nbtools.measure import measure
from nbtools.results import Boxes, Grid, Labels, Points
from nbtools.show import result_rgb

CENTRES = [(12, 12), (12, 44), (40, 20), (44, 50), (28, 64)]
GONE = 4  # the fifth nucleus is there in the first two frames of three
FRAMES = [5, 5, 4]  # nuclei of each time point
INTERVAL = 30.0


def draw(centres, shape=(60, 80), radius=6) -> np.ndarray:
    y, x = np.indices(shape)
    label = np.zeros(shape, np.int32)
    for number, (cy, cx) in enumerate(centres, 1):
        label[(y - cy) ** 2 + (x - cx) ** 2 <= radius**2] = number
    return label


def truth() -> np.ndarray:
    return np.stack([draw(CENTRES), draw(CENTRES), draw(CENTRES[:GONE])])


def light(label: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).normal(100, 6, label.shape)
    return ((label > 0) * 800 + noise).clip(0).astype(np.uint16)


def write_imagej(path, pixels, axes, **metadata):
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {"axes": axes, "unit": "um"} | metadata
    tifffile.imwrite(path, pixels, imagej=True, resolution=(2, 2), metadata=about)


def write_ome(path, pixels, axes, **metadata):
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {"axes": axes, "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5} | metadata
    tifffile.imwrite(path, pixels, metadata=about)


def read(path) -> list[dict]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def movie(axes: str) -> np.ndarray:
    """The movie on other axes: two slices of equal content, or a channel of nothing beside it."""
    pixels = light(truth())
    if axes == "TYX":
        return pixels
    if axes == "TZYX":
        return np.stack([pixels, pixels], axis=1)
    return np.stack([pixels, np.full_like(pixels, 7)], axis=1)


@pytest.fixture
def place(tmp_path):
    write_imagej(tmp_path / "m" / "a.tif", light(truth()), "TYX", finterval=INTERVAL)
    io.write_label(tmp_path / "labels" / "a.tif", Image(truth(), "TYX", (0.5, 0.5)))
    return tmp_path


# --- the interval of the frames


@pytest.mark.parametrize(
    ("write", "name", "metadata", "seconds"),
    [
        (write_imagej, "a.tif", {"finterval": 30.0}, 30.0),
        (write_imagej, "a.tif", {"finterval": 0.5, "tunit": "min"}, 30.0),
        (write_imagej, "a.tif", {"fps": 4.0}, 0.25),
        (write_imagej, "a.tif", {}, None),
        (write_imagej, "a.tif", {"finterval": 0.0}, None),
        (write_ome, "a.ome.tif", {"TimeIncrement": 30}, 30.0),
        (write_ome, "a.ome.tif", {"TimeIncrement": 2, "TimeIncrementUnit": "min"}, 120.0),
        (write_ome, "a.ome.tif", {"Plane": {"DeltaT": [1.0, 6.0, 11.0]}}, 5.0),
    ],
)
def test_the_interval_of_the_file_is_kept_from_file_to_file(
    tmp_path, write, name, metadata, seconds
):
    write(tmp_path / name, light(truth()), "TYX", **metadata)
    image = io.read_image(tmp_path / name)
    assert image.interval_s == seconds
    assert image.select(T=0).interval_s is None
    assert image.to("YXT").to("TYX").interval_s == seconds
    for copy in ("copy.tif", "copy.ome.tif", "copy.ome.zarr", "label.tif"):
        pixels = image.pixels.astype(np.int32) if copy == "label.tif" else image.pixels
        io.write_image(tmp_path / copy, image.replace(pixels=pixels))
        assert io.read_image(tmp_path / copy).interval_s == seconds


# --- predict, measure, outlines, pictures, report


@pytest.mark.parametrize("axes", ["TYX", "TZYX"])
def test_predict_counts_each_time_point_and_adds_nothing_up(run, tmp_path, axes):
    write_imagej(tmp_path / "m" / "a.tif", movie(axes), axes, finterval=INTERVAL)
    code, out, _ = run("predict", "otsu", tmp_path / "m", "--roi", "--out", tmp_path / "r")
    assert code == 0
    assert "a: 3 time points, counted one by one." in out
    assert "slices of a volume" not in out  # a file with an interval is a movie
    summary = read(tmp_path / "r" / "summary.csv")
    assert [int(row["nuclei"]) for row in summary] == FRAMES
    assert [(row["frame"], float(row["time_s"])) for row in summary] == [
        ("0", 0.0),
        ("1", 30.0),
        ("2", 60.0),
    ]
    objects = read(tmp_path / "r" / "objects.csv")
    assert list(objects[0])[:5] == ["image", "frame", "label", "score", "class"]
    assert [sum(row["frame"] == str(t) for row in objects) for t in range(3)] == FRAMES
    assert {row["time_s"] for row in objects if row["frame"] == "2"} == {"60.0"}
    label = io.read_label(tmp_path / "r" / "a.tif")
    assert (label.axes, label.interval_s) == (axes, INTERVAL)
    rois = roifile.roiread(tmp_path / "r" / "rois" / "a.zip")
    planes = 2 if axes == "TZYX" else 1
    assert [sum(r.t_position == t for r in rois) for t in (1, 2, 3)] == [n * planes for n in FRAMES]
    about = json.loads((tmp_path / "r" / "result.json").read_text())
    assert about["images"][0]["nuclei"] == pytest.approx(np.mean(FRAMES), abs=1e-3)
    run("report", tmp_path / "r")
    report = json.loads((tmp_path / "r" / "report.json").read_text())
    assert (report["images"]["count"], report["time_points"]) == (1, 3)
    assert report["nuclei_per_time_point"] == 4.7
    assert "nuclei" not in report


def test_one_channel_of_a_movie_goes_the_same_way(run, tmp_path):
    write_imagej(tmp_path / "m" / "a.tif", movie("TCYX"), "TCYX", finterval=INTERVAL)
    run("predict", "otsu", tmp_path / "m", "--channel", "0", "--out", tmp_path / "r")
    assert [int(row["nuclei"]) for row in read(tmp_path / "r" / "summary.csv")] == FRAMES
    run("measure", tmp_path / "r", "--images", tmp_path / "m", "--out", tmp_path / "n.csv")
    rows = read(tmp_path / "n.csv")
    assert len(rows) == sum(FRAMES)
    assert {float(row["mean_1"]) for row in rows} == {7.0}  # the second channel is even


@pytest.mark.parametrize("predicted", [[], ["--time", "all"], ["--time", "2"]])
@pytest.mark.parametrize("measured", [[], ["--time", "all"]])
def test_measure_reads_what_predict_wrote_with_or_without_time(run, place, predicted, measured):
    run("predict", "otsu", place / "m", *predicted, "--out", place / "r")
    images = ["--images", place / "m", *measured]
    code, out, err = run("measure", place / "r", *images, "--out", place / "n.csv", "--json")
    assert (code, json.loads(out)["missing"], err.count("Received")) == (0, [], 0)
    rows = read(place / "n.csv")
    assert len(rows) == (FRAMES[2] if "2" in predicted else sum(FRAMES))
    assert all(850 < float(row["mean_0"]) < 950 for row in rows)  # 800 above a background of 100
    if not predicted:
        assert list(rows[0])[:4] == ["image", "frame", "time_s", "label"]
        assert [sum(row["frame"] == str(t) for row in rows) for t in range(3)] == FRAMES
        assert {float(row["time_s"]) for row in rows if row["frame"] == "1"} == {INTERVAL}
    if "2" in predicted:
        assert {row["frame"] for row in rows} == {"2"}


def test_one_time_point_is_measured_where_one_is_asked_for(run, place):
    run("predict", "otsu", place / "m", "--out", place / "r")
    how = ["--images", place / "m", "--time", "2"]
    run("measure", place / "r", *how, "--out", place / "n.csv")
    assert [row["frame"] for row in read(place / "n.csv")] == ["2"] * FRAMES[2]
    code, _, err = run("measure", place / "r", "--time", "9", "--out", place / "x.csv")
    assert (code, "9 of 3" in err) == (2, True)


def test_remedies_speak_the_language_of_the_place(run, tmp_path):
    write_imagej(tmp_path / "m" / "a.tif", light(truth()), "TYX")
    io.write_label(tmp_path / "still" / "a.tif", Image(draw(CENTRES), "YX"))
    images = ["--images", tmp_path / "m"]
    code, _, err = run("measure", tmp_path / "still", *images, "--out", tmp_path / "n.csv")
    assert (code, "--time 0" in err, "select" in err) == (2, True, False)
    with pytest.raises(UserError, match="select") as caught:
        measure(Image(draw(CENTRES), "YX"), io.read_image(tmp_path / "m" / "a.tif"))
    assert "--" not in caught.value.remedy
    # the remedy works
    code, *_ = run(
        "measure", tmp_path / "still", *images, "--time", "0", "--out", tmp_path / "n.csv"
    )
    assert (code, len(read(tmp_path / "n.csv"))) == (0, 5)


@pytest.mark.parametrize("text", ["first", "-1", "1.5"])
def test_a_time_that_is_none_is_refused(run, place, text):
    code, _, err = run("predict", "otsu", place / "m", f"--time={text}", "--out", place / "r")
    assert (code, "--time" in err) == (2, True)


def test_a_time_point_of_a_single_image_is_refused(run, tmp_path):
    io.write_image(tmp_path / "m" / "a.tif", Image(light(draw(CENTRES)), "YX"))
    code, _, err = run("predict", "otsu", tmp_path / "m", "--time", "1", "--out", tmp_path / "r")
    assert (code, "A time point is chosen in a movie" in err) == (2, True)


def test_python_measures_a_movie_as_the_command_line_does():
    table = measure(Image(truth(), "TYX", (0.5, 0.5), interval_s=INTERVAL))
    assert [int((table["frame"] == t).sum()) for t in range(3)] == FRAMES
    assert table["time_s"].tolist() == [0.0] * 5 + [30.0] * 5 + [60.0] * 4
    with pytest.raises(UserError, match="same time points"):
        measure(Image(truth(), "TYX"), Image(light(truth()[:2]), "TYX"))


def test_the_picture_of_a_movie_shows_frames_beside_each_other():
    image, label = Image(light(truth()), "TYX"), Labels(Image(truth(), "TYX"))
    one = result_rgb(image.select(T=0), label.frames()[0])
    assert result_rgb(image, label).shape == (one.shape[0], 3 * one.shape[1] + 2 * 4, 3)


def test_a_saved_run_of_a_movie_has_a_row_per_time_point(tmp_path):
    image = Image(light(truth()), "TYX", interval_s=INTERVAL)
    label = Image(truth(), "TYX")
    folder = save_run(tmp_path / "run", Sample("a", image, label), label)
    assert [int(row["nuclei"]) for row in read(folder / "summary.csv")] == FRAMES
    scores = json.loads((folder / "scores" / "scores.json").read_text())
    assert (scores["images"], scores["pooled"]["0.50"]["tp"]) == (3, sum(FRAMES))


# --- scores


def test_labels_of_a_movie_are_scored_frame_by_frame(run, place):
    # each frame numbers its nuclei anew: as a volume, label 1 would be one nucleus of all frames
    again = truth().copy()
    again[1] = np.where(again[1] > 0, 6 - again[1], 0)
    io.write_label(place / "found" / "a.tif", Image(again, "TYX"))
    code, out, _ = run("evaluate", place / "found", place / "labels", "--json")
    scores = json.loads(out)
    assert (code, scores["pooled"]["0.50"]["tp"], scores["mean_ap"]) == (0, sum(FRAMES), 1.0)
    assert [row["name"] for row in scores["per_image"]] == ["a_t0", "a_t1", "a_t2"]
    assert scores["interval_95"]["mean_ap"] == [0.0, 1.0]  # one movie is one unit
    code, *_ = run("evaluate", place / "found", place / "labels", "--task", "semantic", "--json")
    assert code == 0


def test_a_comparison_draws_whole_movies(run, place):
    for name in ("one", "two"):
        io.write_label(place / name / "a.tif", Image(truth(), "TYX"))
    words = ["compare", place / "one", place / "two", "--truth", place / "labels", "--json"]
    told = json.loads(run(*words)[1])
    assert (told["units"], told["scores"]["one"]["pooled"]["0.50"]["tp"]) == (1, sum(FRAMES))


def test_centres_of_a_data_set_have_their_frame(run, place):
    (place / "s" / "images").mkdir(parents=True)
    (place / "m" / "a.tif").rename(place / "s" / "images" / "a.tif")
    rows = [(t, y, x) for t, count in enumerate(FRAMES) for y, x in CENTRES[:count]]
    (place / "s" / "centres").mkdir()
    lines = ["frame,y,x", *(",".join(map(str, row)) for row in rows)]
    (place / "s" / "centres" / "a.csv").write_text("\n".join(lines))
    run("predict", "otsu", place / "s", "--out", place / "r")
    _, out, _ = run("evaluate", place / "r", place / "s", "--task", "detection", "--json")
    told = json.loads(out)
    assert (told["tp"], told["fp"], told["fn"], told["images"]) == (sum(FRAMES), 0, 0, 3)


def test_a_result_of_time_points_as_images_is_scored_against_the_movie(run, place):
    (place / "s" / "images").mkdir(parents=True)
    (place / "m" / "a.tif").rename(place / "s" / "images" / "a.tif")
    (place / "labels").rename(place / "s" / "labels")
    for name, options, found in (("one", ["--time", "2"], 4), ("all", ["--time", "all"], 14)):
        run("predict", "otsu", place / "s", *options, "--out", place / name)
        code, out, _ = run("evaluate", place / name, place / "s", "--save", "--json")
        assert (code, json.loads(out)["pooled"]["0.50"]["tp"]) == (0, found)


def test_other_time_points_than_those_of_the_truth_are_refused():
    pair = ("a", Labels(Image(truth(), "TYX")), Labels(Image(truth()[:2], "TYX")))
    with pytest.raises(UserError, match="same time points"):
        tasks.INSTANCES.evaluate([pair])


def make_points(kind, frames):
    """A point, or a box, at each of the five places, in the given frames."""
    places = np.array(CENTRES, float)
    grid = Grid("YX", (60, 80), name="a")
    if kind is Points:
        return Points(places, grid, frame=np.array(frames))
    edges = np.concatenate([places - 5, places + 5], axis=1)
    return Boxes(edges, grid, frame=np.array(frames))


@pytest.mark.parametrize("kind", [Points, Boxes])
def test_points_and_boxes_of_other_frames_do_not_match(kind):
    true = make_points(kind, [0, 0, 1, 1, 2])
    right = tasks.DETECTION.evaluate([("a", true, make_points(kind, [0, 0, 1, 1, 2]))])
    wrong = tasks.DETECTION.evaluate([("a", true, make_points(kind, [1, 1, 2, 2, 0]))])
    assert (right["tp"], right["fp"], right["fn"]) == (5, 0, 0)
    assert (wrong["tp"], wrong["fp"], wrong["fn"]) == (0, 5, 5)


def test_points_keep_their_frame_and_time_in_the_file(run, tmp_path):
    image = Image(light(truth()), "TYX", (0.5, 0.5), name="a", interval_s=INTERVAL)
    found = make_points(Points, [0, 0, 1, 1, 2])
    row = tasks.DETECTION.write(found, image, folder=tmp_path)
    assert [one["nuclei"] for one in row["frames"]] == [2, 2, 1]
    rows = read(tmp_path / "a.csv")
    assert [(one["frame"], float(one["time_s"])) for one in rows][-1] == ("2", 60.0)
    back = tasks.DETECTION.read(tmp_path / "a.csv").read("a")
    assert back.frame.tolist() == [0, 0, 1, 1, 2]
    assert run("evaluate", tmp_path / "a.csv", tmp_path / "a.csv", "--task", "detection")[0] == 0


def test_scores_and_classes_of_a_movie_come_back_from_its_folder(tmp_path):
    image = Image(truth(), "TYX", name="a")
    keys = [(t, label) for t, count in enumerate(FRAMES) for label in range(1, count + 1)]
    score = {key: 0.5 + key[0] / 10 for key in keys}
    names = {key: "old" if key[0] else "young" for key in keys}
    result = Labels(image, score, names)
    row = tasks.INSTANCES.write(result, image, folder=tmp_path)
    columns = [*tasks.INSTANCES.tables["objects.csv"]]
    io.write_csv(tmp_path / "objects.csv", row["tables"]["objects.csv"], columns=columns)
    back = tasks.INSTANCES.read(tmp_path / "a.tif").read("a")
    assert (back.score, back.classes) == (score, names)
    assert [one["mean_score"] for one in row["frames"]] == [0.5, 0.6, 0.7]


# --- a stack written as a movie


def ellipsoids() -> np.ndarray:
    z, y, x = np.indices((12, 60, 80))
    label = np.zeros(z.shape, np.uint16)
    for number, (cz, cy, cx) in enumerate([(6, 15, 15), (5, 40, 30), (6, 20, 60)], 1):
        label[((z - cz) / 4) ** 2 + ((y - cy) / 8) ** 2 + ((x - cx) / 8) ** 2 < 1] = number
    return label


@pytest.fixture(params=["imagej", "ome", "channels"])
def stack(tmp_path, request):
    pixels, folder = light(ellipsoids()), tmp_path / "s"
    if request.param == "imagej":
        write_imagej(folder / "images" / "a.tif", pixels, "TYX")
    elif request.param == "ome":
        write_ome(folder / "images" / "a.ome.tif", pixels, "TYX")
    else:
        write_imagej(folder / "images" / "a.tif", pixels[:, None].repeat(2, axis=1), "TCYX")
    (folder / "labels").mkdir()
    tifffile.imwrite(folder / "labels" / "a.tif", ellipsoids(), photometric="minisblack")
    return folder, "ZCYX" if request.param == "channels" else "ZYX"


def test_every_verb_asks_whether_time_points_are_slices(run, stack, tmp_path):
    folder, axes = stack
    channel = ["--channel", "0"] if "C" in axes else []
    name = "ZYX" if channel else axes  # of one channel
    code, out, _ = run("check", folder, *channel)
    assert (code, f"--axes {name}" in out, "--time 0" in out) == (1, True, True)
    assert "go on from plane to plane" in out
    _, out, _ = run("predict", "otsu", folder, *channel, "--out", tmp_path / "r")
    assert "12 time points, counted one by one" in out
    assert (f"--axes {name}" in out, "--time N" in out) == (True, True)
    _, out, _ = run("measure", tmp_path / "r", "--out", tmp_path / "n.csv")
    assert f"--axes {name}" in out
    _, out, _ = run("evaluate", tmp_path / "r", folder)
    assert f"--axes {name}" in out
    code, _, err = run("train", "unet", folder, *channel, "--out", tmp_path / "model")
    assert (code, f"--axes {name}" in err) == (2, True)


def test_the_remedy_finds_the_three_nuclei_of_the_volume(run, stack, tmp_path):
    folder, axes = stack
    channel = ["--channel", "0"] if "C" in axes else []
    how = ["--axes", axes, *channel]
    _, out, _ = run("predict", "otsu", folder, *how, "--out", tmp_path / "r", "--json")
    assert [row["nuclei"] for row in json.loads(out)["images"]] == [3]
    run("measure", tmp_path / "r", "--images", folder, "--out", tmp_path / "n.csv")
    rows = read(tmp_path / "n.csv")
    assert (len(rows), "frame" in rows[0]) == (3, False)
    _, out, _ = run("evaluate", tmp_path / "r", folder, "--json")
    assert json.loads(out)["pooled"]["0.50"]["tp"] == 3


@pytest.mark.parametrize("metadata", [{"finterval": 30.0}, {"fps": 2.0}])
def test_a_movie_that_states_its_interval_is_not_doubted(tmp_path, metadata):
    write_imagej(tmp_path / "a.tif", light(truth()), "TYX", **metadata)
    assert doubt_time(io.read_image(tmp_path / "a.tif")) is None


def test_a_volume_over_time_is_not_doubted():
    assert doubt_time(Image(movie("TZYX"), "TZYX")) is None


def test_pickers_of_notebooks_ask_in_words_of_the_form(stack):
    from nbtools.widgets.input_options import InputOptionsForm

    form = InputOptionsForm()
    form.inspect(DataSet.open(stack[0]))
    assert "12 planes time points" in form.question.value
    assert (stack[1] in form.question.value, "--" in form.question.value) == (True, False)
    form.axes.value = stack[1]
    form.inspect(DataSet.open(stack[0], options=InputOptions(axes=stack[1])))
    assert form.question.value == ""


def test_images_without_labels_are_asked_about_too(tmp_path):
    write_imagej(tmp_path / "m" / "a.tif", light(ellipsoids()), "TYX")
    needs = checks.Requirements(needs="nothing")
    findings = checks.check(DataSet.open(tmp_path / "m"), needs)
    assert [
        (f.severity, "--axes ZYX" in f.remedy) for f in findings if f.code == "time_series"
    ] == [("note", True)]


@pytest.mark.parametrize("axes", ["TYX", "TZYX"])
@pytest.mark.parametrize("names", [True, False])
def test_labels_of_a_movie_need_no_names_of_axes(run, tmp_path, axes, names):
    labels = truth() if axes == "TYX" else np.stack([truth()] * 2, axis=1)
    write_imagej(tmp_path / "s" / "images" / "a.tif", light(labels), axes, finterval=INTERVAL)
    (tmp_path / "s" / "labels").mkdir()
    about = {"metadata": {"axes": axes}} if names else {}
    path = tmp_path / "s" / "labels" / "a.tif"
    tifffile.imwrite(path, labels.astype(np.uint16), photometric="minisblack", **about)
    run("predict", "otsu", tmp_path / "s", "--out", tmp_path / "r")
    _, out, _ = run("evaluate", tmp_path / "r", tmp_path / "s", "--json")
    assert json.loads(out)["pooled"]["0.50"]["tp"] == sum(FRAMES)
    for time in (["--time", "all"], ["--time", "0"]):
        assert "unequal" not in run("check", tmp_path / "s", *time, "--json")[1]
    _, out, _ = run("check", tmp_path / "s", "--json")
    codes = {finding["code"] for finding in json.loads(out)["findings"]}
    assert codes <= {"time_series", "z_step_assumed"}
    run("measure", tmp_path / "s", "--time", "all", "--out", tmp_path / "n.csv")
    assert len(read(tmp_path / "n.csv")) == sum(FRAMES)
