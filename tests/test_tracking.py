"""Nuclei followed through movies: drawn tracks, and scores of py-ctcmetrics for random ones."""

import csv
import json
from xml.etree import ElementTree

import numpy as np
import pytest

from nbtools import cli, io, simulate, tracking
from nbtools.data import DataSet
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.simulate.movie import MovieSettings

pytest.importorskip("laptrack")
SHAPE = (60, 80)


def draw(places, *, size=4):
    """A movie of squares: frame → label → centre."""
    movie = np.zeros((len(places), *SHAPE), np.int32)
    for frame, of_frame in enumerate(places):
        for label, (y, x) in of_frame.items():
            movie[frame, y - size : y + size, x - size : x + size] = label
    return Image(movie, "TYX", (0.5, 0.5), name="a", interval_s=60.0)


def follow(places, **options):
    nuclei = tracking.from_labels(draw(places))
    return tracking.link(nuclei, tracking.LinkOptions(**options))


def find_track(tracks, frame, label):
    return int(tracks.track[(tracks.frame == frame) & (tracks.label == label)][0])


TWO = [{1: (20, 20 + t), 2: (40, 60 - t)} for t in range(4)]


def test_nuclei_keep_their_track_whatever_their_labels():
    shuffled = [{3 - k: v for k, v in f.items()} if t % 2 else f for t, f in enumerate(TWO)]
    tracks = follow(shuffled)
    assert len(tracks.numbers) == 2
    assert find_track(tracks, 0, 1) == find_track(tracks, 1, 2) == find_track(tracks, 2, 1)


def test_a_nucleus_that_is_missing_in_a_frame_goes_on():
    gone = [dict(f) for f in TWO]
    del gone[1][2]
    tracks = follow(gone)
    assert find_track(tracks, 0, 2) == find_track(tracks, 2, 2)


def test_without_gaps_it_begins_anew():
    gone = [dict(f) for f in TWO]
    del gone[1][2]
    assert len(follow(gone, gap=0).numbers) == 3


def divide():
    """One nucleus that becomes two halves in frame 2."""
    movie = draw([{1: (30, 40)}, {1: (30, 41)}, {}, {}])
    pixels = movie.pixels.copy()
    for t in (2, 3):
        pixels[t, 26:34, 35 - t : 39 - t] = 1
        pixels[t, 26:34, 43 + t : 47 + t] = 2
    return movie.replace(pixels=pixels)


def test_a_division_makes_two_tracks_with_one_parent():
    tracks = tracking.link(tracking.from_labels(divide()))
    mother = find_track(tracks, 1, 1)
    daughters = {find_track(tracks, 2, 1), find_track(tracks, 2, 2)}
    assert tracks.parents == dict.fromkeys(daughters, mother)
    assert tracks.spans()[mother] == (0, 1)
    assert tracks.divisions == 1


def test_a_nucleus_that_appears_beside_another_is_no_daughter():
    places = [{1: (30, 40)}, {1: (30, 40)}, {1: (30, 40), 2: (30, 49)}, {1: (30, 40), 2: (30, 49)}]
    tracks = follow(places)
    assert tracks.parents == {}  # together they are twice as large as the one before
    assert find_track(tracks, 0, 1) == find_track(tracks, 3, 1)


def test_nobody_divides_where_that_is_said():
    options = tracking.LinkOptions(divisions=False)
    assert tracking.link(tracking.from_labels(divide()), options).parents == {}


def test_the_distance_counts_in_micrometres():
    jump = [{1: (30, 20)}, {1: (30, 40)}]  # 10 µm
    assert len(follow(jump, distance=11.0).numbers) == 1
    assert len(follow(jump, distance=9.0).numbers) == 2


def test_planes_of_a_volume_are_as_far_apart_as_they_are():
    pixels = np.zeros((2, 5, *SHAPE), np.int32)
    pixels[0, 1, 20:28, 20:28] = pixels[1, 4, 20:28, 20:28] = 1
    movie = Image(pixels, "TZYX", (2.0, 0.5, 0.5))  # 6 µm
    nuclei = tracking.from_labels(movie)
    near, far = (tracking.link(nuclei, tracking.LinkOptions(d)) for d in (5.0, 7.0))
    assert (len(near.numbers), len(far.numbers)) == (2, 1)


def test_frames_without_nuclei_are_borne():
    assert len(follow([{1: (30, 30)}, {}, {}, {1: (30, 30)}], gap=1).numbers) == 2
    assert len(follow([{}, {}])) == 0


def test_an_image_is_no_movie():
    with pytest.raises(UserError, match="frames of a movie"):
        tracking.from_labels(Image(np.ones(SHAPE, int), "YX"))


# --- scores


def random_movie(rng, *, frames=8, size=120):
    """Nine squares that wander and divide; labels are tracks."""
    state = {1 + 3 * i + j: [20 + 40 * i, 20 + 40 * j] for i in range(3) for j in range(3)}
    label, parents, count = np.zeros((frames, size, size), np.int32), {}, 9
    for t in range(frames):
        after = {}
        for track, (y, x) in state.items():
            y, x = y + rng.integers(-2, 3), x + rng.integers(-2, 3)
            if t > 1 and rng.random() < 0.08 and track not in parents:
                for way in (-7, 7):
                    count += 1
                    parents[count], after[count] = track, [y, x + way]
            else:
                after[track] = [y, x]
        state = after
        for track, (y, x) in state.items():
            label[t, max(y - 6, 0) : y + 6, max(x - 5, 0) : x + 5] = track
    return label, parents


def spoil(label, parents):
    """The same with a lost, a split and a merged nucleus, and two tracks that change places."""
    label = label.copy()
    label[3][label[3] == 1] = 0
    split = label[4] == 5
    label[4][split & (np.arange(label.shape[2]) < np.nonzero(split)[1].mean())] = 99
    label[5][label[5] == 2] = 3
    for t in (6, 7):
        eight, nine = label[t] == 8, label[t] == 9
        label[t][eight], label[t][nine] = 9, 8
    spans = tracking.from_labels(Image(label, "TYX"), tracked=True).spans()
    here = {c: p for c, p in parents.items() if c in spans and p in spans}
    return label, {c: p for c, p in here.items() if spans[p][1] < spans[c][0]}


# by py-ctcmetrics 1.3.3 (ctc_metrics.evaluate_sequence) for the three movies
ORACLE = [
    {
        "tra": 0.96207,
        "det": 0.97442,
        "seg": 0.97674,
        "merged": 0,
        "missed": 2,
        "extra": 2,
        "links_extra": 3,
        "links_missing": 8,
        "links_wrong": 0,
    },
    {
        "tra": 0.96623,
        "det": 0.97556,
        "seg": 0.97778,
        "merged": 0,
        "missed": 2,
        "extra": 2,
        "links_extra": 2,
        "links_missing": 7,
        "links_wrong": 0,
    },
    {
        "tra": 0.94793,
        "det": 0.96747,
        "seg": 0.96386,
        "merged": 1,
        "missed": 2,
        "extra": 2,
        "links_extra": 4,
        "links_missing": 12,
        "links_wrong": 0,
    },
]


@pytest.mark.parametrize("seed", range(3))
def test_scores_are_those_of_py_ctcmetrics(tmp_path, seed):
    label, parents = random_movie(np.random.default_rng(seed))
    truth = Image(label, "TYX", name="a")
    true = tracking.from_labels(truth, parents=parents, tracked=True)
    spoilt, parents = spoil(label, parents)
    found = Image(spoilt, "TYX", name="a")
    tracks = tracking.from_labels(found, parents=parents, tracked=True)
    tracking.write_ctc(tracks, found, folder=tmp_path)  # breaks the track of the lost nucleus
    pieces = np.stack([io.read_label(p).pixels for p in sorted(tmp_path.glob("mask*.tif"))])
    found = Image(pieces.astype(np.int32), "TYX")
    lineage = io.read_lineage(tmp_path / "res_track.txt")
    tracks = tracking.from_labels(found, parents=lineage, tracked=True)
    scores = tracking.score(truth, found, true=true, tracks=tracks)
    assert {name: round(scores[name], 5) for name in ORACLE[seed]} == ORACLE[seed]


def test_nothing_found_scores_nothing():
    label, _ = random_movie(np.random.default_rng(0))
    truth, empty = Image(label, "TYX"), Image(label * 0, "TYX")
    true, none = (tracking.from_labels(i, tracked=True) for i in (truth, empty))
    scores = tracking.score(truth, empty, true=true, tracks=none)
    assert (scores["tra"], scores["det"], scores["seg"]) == (0, 0, 0)


# --- files


def test_the_lineage_of_a_track_with_a_gap_is_that_of_the_challenge(tmp_path):
    gone = [dict(f) for f in TWO]
    del gone[1][2]
    movie = draw(gone)
    tracking.write_ctc(follow(gone), movie, folder=tmp_path)
    assert (tmp_path / "res_track.txt").read_text() == "1 0 3 0\n2 0 0 0\n3 2 3 2\n"


def test_a_broken_lineage_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("1 0 3\n")
    with pytest.raises(UserError, match="line 1"):
        io.read_lineage(tmp_path / "a.txt")


def test_trackmate_gets_branches_of_one_track_in_seconds(tmp_path):
    tracks = tracking.link(tracking.from_labels(divide()))
    tracking.write_trackmate(tracks, tmp_path / "a.xml")
    model = ElementTree.parse(tmp_path / "a.xml").find("Model")
    assert (model.get("spatialunits"), model.get("timeunits")) == ("µm", "sec")
    (track,) = model.findall("AllTracks/Track")
    assert len(track.findall("Edge")) == 5  # 0 to 1, twice 1 to 2, twice 2 to 3
    spots = {s.get("ID"): s for s in model.iter("Spot")}
    edge = track.find("Edge")
    ends = [spots[edge.get(f"SPOT_{end}_ID")] for end in ("SOURCE", "TARGET")]
    assert [float(spot.get("POSITION_T")) for spot in ends] == [0.0, 60.0]


# --- simulated movies


@pytest.fixture(scope="module")
def movies(tmp_path_factory):
    folder = tmp_path_factory.mktemp("movies") / "set"
    few = ["--set", "frames=12", "cycle_frames=10", "shape_px=160,160", "count=10"]
    assert cli.main(["simulate", "movie", "--count", "1", "--out", str(folder), *few]) == 0
    return folder


def test_a_simulated_movie_knows_its_lineage(movies):
    sample = DataSet.open(movies)[0]
    assert sample.image.axes == "TYX"
    assert sample.image.interval_s == 300.0
    spans = tracking.from_labels(sample.label, tracked=True).spans()
    assert sample.lineage
    for child, parent in sample.lineage.items():
        assert spans[parent][1] + 1 == spans[child][0]


def test_daughters_share_the_size_of_their_mother(movies):
    sample = DataSet.open(movies)[0]
    label, sizes = sample.label, []
    spans = tracking.from_labels(label, tracked=True).spans()
    for mother in set(sample.lineage.values()):
        last = spans[mother][1]
        born = [c for c, p in sample.lineage.items() if p == mother]
        before = (label.pixels[last] == mother).sum()
        sizes.append(sum((label.pixels[last + 1] == c).sum() for c in born) / before)
    assert 0.85 < np.median(sizes) < 1.15


def test_a_simulated_volume_moves_too():
    settings = {"frames": 3, "shape_px": (12, 48, 48), "spacing_um": (1.0, 0.5, 0.5), "count": 3}
    sample = simulate.make("movie", count=1, seed=0, settings=settings)[0]
    assert sample.label.shape == (3, 12, 48, 48)
    centres = [m.pixels.nonzero()[0].mean() for m in sample.label.frames()]
    assert len(set(centres)) == 3


def test_nobody_leaves_the_field_and_nobody_vanishes():
    settings = MovieSettings(frames=15, count=6, cycle_frames=1e6, shape_px=(128, 128), step_um=4.0)
    sample = simulate.make("movie", count=1, seed=3, settings=settings)[0]
    assert [len(np.unique(m.pixels)) - 1 for m in sample.label.frames()] == [6] * 15


# --- the command line


def test_track_on_the_command_line(movies, tmp_path, capsys):
    out = tmp_path / "tracks"
    run = ["track", str(movies), "--out", str(out), "--truth", str(movies), "--ctc", "--json"]
    assert cli.main(run) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["tra"] > 0.97
    row = document["images"][0]
    with (out / f"{row['name']}.csv").open() as file:
        table = list(csv.DictReader(file))
    assert len(table) == row["nuclei"]
    assert {"frame", "time_s", "track", "parent", "label", "y_um"} <= set(table[0])
    assert len(list((out / "ctc" / row["name"]).glob("mask*.tif"))) == 12
    assert io.read_label(out / f"{row['name']}.tif").pixels.max() == row["tracks"]


def test_a_result_of_single_images_has_nothing_to_follow(tmp_path, capsys):
    io.write_label(tmp_path / "labels" / "a.tif", Image(np.ones(SHAPE, np.uint8), "YX"))
    assert cli.main(["track", str(tmp_path / "labels"), "--out", str(tmp_path / "o")]) == 2
    assert "--axes TYX" in capsys.readouterr().err


def test_tracks_that_break_everywhere_are_doubted(tmp_path, capsys):
    rng = np.random.default_rng(0)
    places = [{k: rng.integers(10, 50, 2) for k in (1, 2, 3)} for _ in range(6)]
    io.write_label(tmp_path / "a.tif", draw(places, size=2))
    run = ["track", str(tmp_path / "a.tif"), "--out", str(tmp_path / "o"), "--distance", "0.6"]
    assert cli.main(run) == 0
    assert "have a next one" in capsys.readouterr().out


def test_a_truth_without_lineage_is_refused(movies, tmp_path, capsys):
    label = DataSet.open(movies)[0].label
    io.write_label(tmp_path / "labels" / "movie_000.tif", label)
    io.write_image(tmp_path / "images" / "movie_000.tif", label)
    run = ["track", str(movies), "--out", str(tmp_path / "o"), "--truth", str(tmp_path)]
    assert cli.main(run) == 2
    assert "without tracks/" in capsys.readouterr().err


SPLIT = [{1: (30, 30)}, {1: (30, 30)}, {1: (30, 22), 2: (30, 38)}, {1: (30, 20), 2: (30, 40)}]


def make_split():
    """A nucleus that divides, with the numbers of its tracks."""
    movie = draw([{**f, 3: f[1]} if t < 2 else f for t, f in enumerate(SPLIT)])
    return tracking.from_labels(movie, parents={1: 3, 2: 3}, tracked=True)


def test_a_geff_file_holds_nodes_edges_and_what_they_are(tmp_path):
    zarr = pytest.importorskip("zarr")
    tracks = make_split()
    tracking.write_geff(tracks, tmp_path / "a.geff")
    group = zarr.open_group(str(tmp_path / "a.geff"), mode="r")
    assert group["nodes/ids"][...].tolist() == list(range(len(tracks)))
    edges = {tuple(edge) for edge in group["edges/ids"][...].tolist()}
    assert edges == {(start, end) for start, end, _ in tracks.edges()}
    assert group["nodes/props/y/values"][...] == pytest.approx(tracks.coordinates[:, 0])
    about = group.attrs["geff"]
    assert about["axes"][0]["scale"] == 60
    assert [axis["scale"] for axis in about["axes"][1:]] == [0.5, 0.5]
    assert about["track_node_props"] == {"tracklet": "track"}


def test_the_reader_of_geff_gives_the_tracks_back(tmp_path):
    geff = pytest.importorskip("geff")
    tracks = make_split()
    tracking.write_geff(tracks, tmp_path / "a.geff")
    graph, about = geff.read(str(tmp_path / "a.geff"), structure_validation=True)
    assert graph.number_of_nodes() == len(tracks)
    assert set(graph.edges) == {(start, end) for start, end, _ in tracks.edges()}
    mother = max(n for n in graph if tracks.track[n] == 3)
    assert {int(tracks.track[n]) for n in graph.successors(mother)} == {1, 2}
    assert graph.nodes[0]["t"] == tracks.frame[0]
    assert about.directed
    assert [axis.scaled_unit for axis in about.axes] == ["second", "micrometer", "micrometer"]


def test_the_command_writes_geff_where_it_is_asked_for(tmp_path):
    pytest.importorskip("zarr")
    io.write_label(tmp_path / "in" / "a.tif", draw(TWO))
    run = ["track", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--axes", "TYX"]
    assert cli.main([*run, "--geff"]) == 0
    assert (tmp_path / "out" / "a.geff" / "zarr.json").is_file()
    assert cli.main([*run, "--geff", "--overwrite"]) == 0
