"""Exports loaded back by readers that we did not write: `make test-readers`."""

import json

import numpy as np
import pytest
from drawn_cells import draw_cells, segment
from other_python import ask, needs

from nbtools import data, io, tracking
from nbtools.cli import main
from nbtools.image import Image

SPACING = (0.5, 0.25)


@pytest.fixture
def field(tmp_path):
    """Labels of drawn cells, some of which touch, as a result of one image."""
    label = segment(draw_cells((120, 160))[1])
    assert label.max() > 5
    path = tmp_path / "in" / "field.tif"
    io.write_label(path, Image(label.astype(np.uint16), "YX", spacing=SPACING))
    return path


def export(path, out, format):
    words = ["export", str(path), "--format", format, "--out", str(out), "--json"]
    assert main(words) == 0


def same_objects(one, other):
    """Whether two label images hold the same objects, whatever their numbers."""
    if not np.array_equal(one > 0, other > 0):
        return False
    pairs = np.unique(np.stack([one[one > 0], other[one > 0]]), axis=1)
    return len(pairs[0]) == len(np.unique(pairs[0])) == len(np.unique(pairs[1]))


@needs("geopandas", "shapely")
def test_geopandas_reads_outlines_that_hold_the_very_pixels_of_each_nucleus(field, tmp_path):
    """Outlines run from pixel to pixel and cut corners; no centre of another lies inside."""
    export(field, tmp_path / "field", "geojson")
    code = """
import geopandas, numpy as np, shapely
frame = geopandas.read_file(sys.argv[1])
rows, columns = np.indices((120, 160)) + 0.5
inside = [shapely.contains_xy(one, columns, rows) for one in frame.geometry]
areas = [[one.area, int(mask.sum())] for one, mask in zip(frame.geometry, inside)]
label = np.zeros(rows.shape, int)
for number, mask in enumerate(inside, 1):
    label[mask] = number
answer([bool(frame.is_valid.all()), int(np.sum(inside, axis=0).max()), label.tolist(), areas])
"""
    valid, most, found, areas = ask(code, tmp_path / "field.geojson")
    assert valid
    assert most == 1  # no two overlap
    assert same_objects(np.array(found), io.read_label(field).pixels)
    assert all(0 <= pixels - area < 0.1 * pixels for area, pixels in areas)


@needs("pycocotools")
def test_pycocotools_reads_the_mask_of_each_nucleus(field, tmp_path):
    export(field, tmp_path / "field", "coco")
    code = """
import contextlib, io
import numpy as np
from pycocotools.coco import COCO
with contextlib.redirect_stdout(io.StringIO()):
    coco = COCO(sys.argv[1])
name = next(iter(coco.imgs.values()))["file_name"]
label = np.zeros((120, 160), int)
areas, boxes = [], []
for number, one in enumerate(coco.loadAnns(coco.getAnnIds()), 1):
    mask = coco.annToMask(one).astype(bool)
    label[mask] = number
    rows, columns = np.nonzero(mask)
    areas.append([one["area"], int(mask.sum())])
    x, y, width, height = one["bbox"]
    boxes.append([x, y, x + width - 1, y + height - 1] == [
        columns.min(), rows.min(), columns.max(), rows.max()])
answer([name, label.tolist(), areas, bool(np.all(boxes))])
"""
    name, found, areas, boxes_fit = ask(code, tmp_path / "field.json")
    assert name.startswith("field")
    assert same_objects(np.array(found), io.read_label(field).pixels)
    assert all(said == counted for said, counted in areas)
    assert boxes_fit


@needs("ome-zarr")
def test_ome_zarr_lists_labels_in_the_folder_of_their_image(field, tmp_path):
    grey = np.random.default_rng(0).integers(0, 255, (120, 160), np.uint8)
    image = tmp_path / "image.zarr"
    io.write_image(image, Image(grey, "YX", spacing=SPACING))
    export(field, image / "labels" / "nuclei", "ome-zarr")
    code = """
import numpy as np
from ome_zarr.io import parse_url
from ome_zarr.reader import Label, Reader
nodes = list(Reader(parse_url(sys.argv[1]))())
(label,) = [node for node in nodes if node.load(Label)]
scale = label.metadata["coordinateTransformations"][0][0]["scale"]
levels = [list(level.shape) for level in label.data]
answer([np.asarray(label.data[0]).tolist(), levels, scale,
        np.asarray(nodes[0].data[0]).tolist()])
"""
    found, levels, scale, pixels = ask(code, image)
    assert np.array_equal(found, io.read_label(field).pixels)
    assert np.array_equal(pixels, grey)
    assert levels[0] == [120, 160]
    assert scale == list(SPACING)


@needs("napari")
def test_napari_makes_layers_of_labels_points_and_boxes(field, tmp_path):
    export(field, tmp_path / "field", "napari")
    (tmp_path / "points.csv").write_text("y,x\n3.0,4.25\n20.5,7.0\n")
    io.write_boxes(tmp_path / "boxes.csv", np.array([[2, 3, 8, 13]]))
    for name in ("points", "boxes"):
        export(tmp_path / f"{name}.csv", tmp_path / f"{name}_layer", "napari")
    code = """
import numpy as np, tifffile
from napari.layers import Labels, Layer
from napari.layers.image._image_utils import guess_labels
from napari_builtins.io import napari_get_reader
pixels = tifffile.imread(sys.argv[1])
assert guess_labels(pixels) == "labels"
labels = Labels(pixels)
points, shapes = (Layer.create(*napari_get_reader(one)(one)[0]) for one in sys.argv[2:])
answer([labels.data.tolist(), type(points).__name__, points.data.tolist(),
        type(shapes).__name__, np.asarray(shapes.data).tolist()])
"""
    layers = [tmp_path / f"{name}_layer.csv" for name in ("points", "boxes")]
    labels, *rest = ask(code, tmp_path / "field_labels.tif", *layers)
    assert np.array_equal(labels, io.read_label(field).pixels)
    kinds, places = rest[::2], rest[1::2]
    assert kinds == ["Points", "Shapes"]
    assert places[0] == [[3.0, 4.25], [20.5, 7.0]]
    corners = np.array(places[1][0])
    assert (corners.min(0).tolist(), corners.max(0).tolist()) == ([1.5, 2.5], [7.5, 12.5])


@needs("geff")
def test_the_reader_of_geff_gives_a_division_back(tmp_path):
    movie = np.zeros((3, 30, 60), np.uint16)
    movie[:2, 10:18, 26:34] = 1
    movie[2, 10:18, 16:24], movie[2, 10:18, 38:46] = 2, 3
    image = Image(movie, "TYX", spacing=(0.5, 0.5))
    tracks = tracking.from_labels(image, parents={2: 1, 3: 1}, tracked=True)
    tracking.write_geff(tracks, tmp_path / "a.geff")
    code = """
import geff
graph, about = geff.read(sys.argv[1], structure_validation=True)
places = [[graph.nodes[n][axis] for axis in "tyx"] for n in sorted(graph)]
answer([sorted(map(list, graph.edges)), [list(map(float, one)) for one in places], about.directed])
"""
    edges, places, directed = ask(code, tmp_path / "a.geff")
    assert directed
    assert edges == sorted([start, end] for start, end, _ in tracks.edges())
    assert len(edges) == 3
    assert [place[0] for place in places] == tracks.frame.tolist()
    assert np.allclose(np.array(places)[:, 1:], tracks.coordinates)


# what the terms of a deposit mean, as the context of RO-Crate 1.1 says it; that is on the web
TERMS = "name description datePublished hasPart author license citation encodingFormat contentSize "
TERMS += "sha256 about Dataset Person CreativeWork"
CONTEXT = {term: f"http://schema.org/{term}" for term in TERMS.split()}
CONTEXT |= {"File": "http://schema.org/MediaObject"}
CONTEXT |= {"conformsTo": "http://purl.org/dc/terms/conformsTo"}
VALIDATE = """
import rdflib.plugins.parsers.jsonld as parser
import rdflib.plugins.shared.jsonld.context as context
from rocrate_validator import models, services
from rocrate_validator.utils import http
kept, place = {"@context": json.loads(sys.argv[2])}, "https://w3id.org/ro/crate/1.1/context"
class Kept:
    status_code, headers = 200, {"Content-Type": "application/ld+json"}
    text = json.dumps(kept)
    def json(self):
        return kept
def get(self, url, **options):
    assert url.startswith(place), url
    return Kept()
for module in (parser, context):
    old = module.source_to_json
    def read(source, *words, old=old, **options):
        if isinstance(source, str) and source.startswith(place):
            return kept, None
        return old(source, *words, **options)
    module.source_to_json = read
http.HttpRequester.get = get
level = models.Severity[sys.argv[3]]
settings = services.ValidationSettings(
    rocrate_uri=sys.argv[1], profile_identifier="ro-crate-1.1", requirement_severity=level)
found = services.validate(settings)
answer([found.passed(), sorted(one.message for one in found.get_issues())])
"""


@pytest.fixture(scope="module")
def deposit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deposit") / "out"
    told = {"authors": ["Ada Lovelace"], "title": "Simulated nuclei", "description": "Nuclei."}
    data.write_deposit(data.samples("simulated2d").with_meta(told), folder)
    return folder


@needs("roc-validator")
def test_the_validator_of_ro_crate_finds_all_that_is_required(deposit):
    assert ask(VALIDATE, deposit, json.dumps(CONTEXT), "REQUIRED") == [True, []]


@needs("roc-validator")
def test_of_what_is_recommended_only_what_nobody_asks_for_is_left(deposit):
    """The publisher will be the repository; where its authors work, no data set has to tell."""
    _, messages = ask(VALIDATE, deposit, json.dumps(CONTEXT), "RECOMMENDED")
    assert [one for one in messages if "publisher" not in one and "affiliation" not in one] == []


@needs("roc-validator")
def test_the_validator_is_not_silent_in_general(deposit, tmp_path):
    about = json.loads((deposit / "ro-crate-metadata.json").read_text())
    about["@graph"] = [one for one in about["@graph"] if one["@id"] != "./"]
    (tmp_path / "ro-crate-metadata.json").write_text(json.dumps(about))
    passed, messages = ask(VALIDATE, tmp_path, json.dumps(CONTEXT), "REQUIRED")
    assert not passed
    assert messages
