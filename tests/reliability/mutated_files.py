"""Files of every kind that is read, with bytes changed at random.

python tests/reliability/mutated_files.py          2,000 files, as a table of counts
python tests/reliability/mutated_files.py 200 --seed 3

A file is read, or refused with rule, received and remedy (`UserError`). Every other exception that
leaves the package is a fault, and so is a read of more than LIMIT seconds of the processor, or of
more than MEMORY beyond what the process has.
"""

from __future__ import annotations

import argparse
import contextlib
import io as memory
import itertools
import json
import logging
import random
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image as Picture

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from reliability.hostile_documents import LIMIT, Hang, limit

MEMORY = 4 * 2**30
SIZE = (40, 48)
COLUMNS = ("read", "refused", "other exception", "hang")
TOKENS = (
    *(b"", b"null", b"-1", b"1e308", b"NaN", b"Infinity", b"99999999999999999999", b'""', b"[]"),
    *(b"{}", b"../../x", b"\xff\xfe", b"\xe2\x80\xae", b"true", b"0", b"=", b",", b"[[", b'"a"'),
)


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Parameters
    ----------
    name : row of the table.
    write : writes a good file, or a folder of files, into a folder.
    read : reads what lies there, as a verb would.
    text : words of the file are changed, too.
    """

    name: str
    write: Callable[[Path], None]
    read: Callable[[Path], object]
    text: bool = False


# --- good files


def draw() -> tuple[np.ndarray, np.ndarray]:
    """An image with four squares, and their labels."""
    label = np.zeros(SIZE, np.uint16)
    for number, (y, x) in enumerate(itertools.product((4, 24), (5, 28)), start=1):
        label[y : y + 10, x : x + 12] = number
    grey = np.random.default_rng(0).normal(100, 8, SIZE) + 120 * (label > 0)
    return grey.astype(np.uint16), label


GREY, LABEL = draw()
STACK = np.stack([GREY, GREY // 2, GREY // 3])
RING = [[5.0, 4.0], [17.0, 4.0], [17.0, 14.0], [5.0, 14.0], [5.0, 4.0]]
TIFFS: dict[str, dict] = {
    "TIFF of Fiji": {"imagej": True, "metadata": {"axes": "ZYX", "spacing": 2.0, "unit": "um"}},
    "OME-TIFF": {"ome": True, "metadata": {"axes": "ZYX", "PhysicalSizeX": 0.3}},
    "TIFF, tiled and compressed": {
        **{"tile": (16, 16), "compression": "zlib", "predictor": True},
        **{"photometric": "minisblack", "metadata": {"axes": "ZYX"}},
    },
    "BigTIFF": {"bigtiff": True, "photometric": "minisblack", "metadata": {"axes": "ZYX"}},
}


def write_tiff(options: dict) -> Callable[[Path], None]:
    suffix = "ome.tif" if options.get("ome") else "tif"
    return lambda place: tifffile.imwrite(place / f"a.{suffix}", STACK, **options)


def write_picture(name: str, pixels: np.ndarray, **options: object) -> Callable[[Path], None]:
    return lambda place: Picture.fromarray(pixels).save(place / name, **options)


def write_ours(name: str) -> Callable[[Path], None]:
    def write(place: Path) -> None:
        from nbtools import io
        from nbtools.image import Image

        io.write_image(place / name, Image(STACK, "ZYX", spacing=(2.0, 0.3, 0.3), unit="um"))
        for mark in place.rglob(".nbtools.jsonl"):
            mark.unlink()

    return write


def write_rois(place: Path) -> None:
    from nbtools import export
    from nbtools.image import Image

    export.rois(Image(LABEL, "YX"), place / "a.zip")


def write_roi(place: Path) -> None:
    import zipfile

    write_rois(place)
    with zipfile.ZipFile(place / "a.zip") as archive:
        content = archive.read(archive.namelist()[0])
    (place / "a.zip").unlink()
    (place / "a.roi").write_bytes(content)


def write_json(name: str, values: object) -> Callable[[Path], None]:
    return lambda place: (place / name).write_text(json.dumps(values))


def write_text(name: str, text: str) -> Callable[[Path], None]:
    return lambda place: (place / name).write_text(text)


GEOJSON = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "id": "PathDetectionObject",
            "geometry": {"type": "Polygon", "coordinates": [RING], "plane": {"z": 0, "t": 0}},
            "properties": {"objectType": "detection", "classification": {"name": "nucleus"}},
        }
    ],
}
COCO = {
    "images": [{"id": 1, "file_name": "a.tif", "height": SIZE[0], "width": SIZE[1]}],
    "annotations": [
        {
            "id": 1,
            "image_id": 1,
            "category_id": 1,
            "segmentation": [[5, 4, 17, 4, 17, 14, 5, 14]],
            "bbox": [5, 4, 12, 10],
            "iscrowd": 0,
        }
    ],
    "categories": [{"id": 1, "name": "nucleus"}],
}
LABELME = {
    "version": "5.0",
    "imagePath": "a.tif",
    "imageHeight": SIZE[0],
    "imageWidth": SIZE[1],
    "shapes": [{"label": "nucleus", "shape_type": "polygon", "points": RING, "flags": {}}],
}
VIA = {
    "a.tif1": {
        "filename": "a.tif",
        "size": 1,
        "regions": [
            {
                "shape_attributes": {
                    "name": "polygon",
                    "all_points_x": [5, 17, 17, 5],
                    "all_points_y": [4, 4, 14, 14],
                },
                "region_attributes": {},
            }
        ],
    }
}
VOC = (
    "<annotation><filename>a.tif</filename><object><name>nucleus</name><bndbox><xmin>5</xmin>"
    "<ymin>4</ymin><xmax>17</xmax><ymax>14</ymax></bndbox></object></annotation>"
)


def write_dataset(place: Path) -> None:
    """Images, labels, and the tables and documents of a data set; these alone are changed."""
    for kind, pixels in (("images", GREY), ("labels", LABEL)):
        for name in ("a", "b"):
            (place / ".." / "set" / kind).mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(place / ".." / "set" / kind / f"{name}.tif", pixels)
    (place / "dataset.toml").write_text('axes = "YX"\nspacing_um = [0.3, 0.3]\nchannels = ["DAPI"]')
    (place / "groups.csv").write_text("name,group,class\na,plate 1,odd\nb,plate 2,even\n")
    (place / "classes.csv").write_text("name,class\na,odd\nb,even\n")


def write_model(place: Path) -> None:
    from nbtools import data, methods
    from nbtools.image import Image

    samples = [
        data.Sample(name, Image(GREY, "YX", name=name), label=Image(LABEL, "YX", name=name))
        for name in ("a", "b")
    ]
    model = methods.get("forest")(trees=3)
    model.fit(data.DataSet.of(samples))
    model.save(place)


def write_weights(place: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {f"{i:04d}:layer{i}/kernel": rng.normal(size=(3, 3, 2)) for i in range(4)}
    np.savez_compressed(place / "weights.npz", **{k: a.astype("f4") for k, a in arrays.items()})


def write_checkpoint(place: Path) -> None:
    from nbtools.training import checkpoints

    groups = {"v": [np.arange(6.0), np.array(3)], "a": [np.ones((2, 3), np.float32)]}
    for epoch in (1, 2):
        checkpoints.write_generation(place, groups, state={"epoch": epoch})


# --- readers


def read_image(place: Path) -> None:
    from nbtools import io

    path = next(place.iterdir())
    io.list_series(path)
    io.read_image(path)
    io.read_label(path)


def read_outlines(place: Path) -> None:
    from nbtools import io
    from nbtools.io import rois

    path = next(place.iterdir())
    rois.holds_labels(path)
    rois.list_image_names(path)
    io.read_outlines(path, SIZE, name="a.tif")


def read_boxes(place: Path) -> None:
    from nbtools import io

    io.read_boxes(next(place.iterdir()), 2, name="a.tif")


def read_centres(place: Path) -> None:
    from nbtools import io

    io.read_centres(next(place.iterdir()), "YX")


def read_table(place: Path) -> None:
    from nbtools import io

    path = next(place.iterdir())
    io.read_header(path)
    io.read_csv(path)


def read_dataset(place: Path) -> None:
    from nbtools import checks, data

    whole = place / "whole"
    shutil.copytree(place.parent / "set", whole)
    for path in place.glob("*.*"):
        shutil.copyfile(path, whole / path.name)
    dataset = data.DataSet.open(whole)
    dataset.groups()
    dataset.image(0)
    checks.check(dataset, quick=True)


def read_model(place: Path) -> None:
    from nbtools import methods
    from nbtools.image import Image

    methods.load(str(place)).predict(Image(GREY, "YX", name="a"))


def read_weights(place: Path) -> None:
    from nbtools import documents

    documents.WEIGHTS.read(place / "weights.npz")


def read_checkpoint(place: Path) -> None:
    from nbtools import training
    from nbtools.training import checkpoints

    checkpoints.read_newest(place, training.TrainingPlan())


def read_result(name: str) -> Callable[[Path], None]:
    def read(place: Path) -> None:
        from nbtools import documents

        documents.read_document(place / name)

    return read


RESULT = {
    "method": "otsu",
    "model": "otsu",
    "settings": {},
    "decoding": {},
    "limits": {},
    "source": "data",
    "input": {"axes": None, "channel": None, "time": None, "spacing": None, "unit": "um"},
    "images": [{"name": "a", "nuclei": 4, "seconds": 0.1, "axes": "YX", "warnings": []}],
    "failed": [],
    "warnings": [],
}
KINDS = (
    *(Kind(name, write_tiff(options), read_image) for name, options in TIFFS.items()),
    Kind("PNG, 8 bit", write_picture("a.png", GREY.astype(np.uint8)), read_image),
    Kind("PNG, 16 bit", write_picture("a.png", GREY), read_image),
    Kind("JPEG", write_picture("a.jpg", GREY.astype(np.uint8), quality=90), read_image),
    Kind("OME-Zarr", write_ours("a.ome.zarr"), read_image),
    Kind("NRRD", write_ours("a.nrrd"), read_image),
    Kind("NIfTI", write_ours("a.nii.gz"), read_image),
    Kind("ROIs of Fiji, zip", write_rois, read_outlines),
    Kind("ROI of Fiji", write_roi, read_outlines),
    Kind("GeoJSON", write_json("a.geojson", GEOJSON), read_outlines, text=True),
    Kind("COCO", write_json("a.json", COCO), read_outlines, text=True),
    Kind("COCO, boxes", write_json("a.json", COCO), read_boxes, text=True),
    Kind("LabelMe", write_json("a.json", LABELME), read_outlines, text=True),
    Kind("VIA", write_json("a.json", VIA), read_outlines, text=True),
    Kind("YOLO", write_text("a.txt", "0 0.1 0.1 0.4 0.1 0.4 0.4\n" * 3), read_outlines, text=True),
    Kind(
        "run lengths",
        write_text("a.csv", "ImageId,EncodedPixels\na,1 5 20 3\na,70 4\n"),
        read_outlines,
        text=True,
    ),
    Kind("boxes, CSV", write_text("a.csv", "y0,x0,y1,x1\n4,5,14,17\n"), read_boxes, text=True),
    Kind("boxes, VOC", write_text("a.xml", VOC), read_boxes, text=True),
    Kind("centres, CSV", write_text("a.csv", "y,x\n9,11\n29,11\n"), read_centres, text=True),
    Kind("tables", write_text("a.csv", "name;value\n=1;2,5\nb;3\n"), read_table, text=True),
    Kind("TOML and CSV of a data set", write_dataset, read_dataset, text=True),
    Kind("folder of a model", write_model, read_model, text=True),
    Kind("weights, npz", write_weights, read_weights),
    Kind("checkpoint", write_checkpoint, read_checkpoint),
    Kind("result.json", write_json("result.json", RESULT), read_result("result.json"), text=True),
)


# --- mutations


def mutate(content: bytes, rng: random.Random, *, text: bool) -> bytes:
    """Other bytes in place of some of them.

    Parameters
    ----------
    content : of a good file.
    rng : chooses what, and where.
    text : words may be changed as a whole.
    """
    ways = [flip, flip, cut, blank, insert, repeat, drop]
    ways += [replace_word] * (6 * text)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        content = rng.choice(ways)(content, rng)
    return content


def flip(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    near = rng.choice((len(content), 64, 400))  # headers matter most
    for _ in range(rng.choice((1, 2, 8, 40)) if content else 0):
        changed[rng.randrange(min(len(content), near))] = rng.choice((0, 255, rng.randrange(256)))
    return bytes(changed)


def cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def choose_part(content: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(content) + 1)
    return start, min(len(content), start + rng.choice((1, 4, 16, 200)))


def blank(content: bytes, rng: random.Random) -> bytes:
    start, stop = choose_part(content, rng)
    return content[:start] + rng.choice((b"\0", b"\xff")) * (stop - start) + content[stop:]


def insert(content: bytes, rng: random.Random) -> bytes:
    start, stop = choose_part(content, rng)
    return content[:start] + rng.randbytes(stop - start) + content[start:]


def repeat(content: bytes, rng: random.Random) -> bytes:
    start, stop = choose_part(content, rng)
    return content[:stop] + content[start:]


def drop(content: bytes, rng: random.Random) -> bytes:
    start, stop = choose_part(content, rng)
    return content[:start] + content[stop:]


def replace_word(content: bytes, rng: random.Random) -> bytes:
    import re

    words = list(re.finditer(rb'"[^"]*"|-?[\d.]+|\w+|[^\w\s]', content))
    if not words:
        return content
    word = rng.choice(words)
    return content[: word.start()] + rng.choice(TOKENS) + content[word.end() :]


def list_files(kinds: tuple[Kind, ...], count: int, seed: int) -> Iterator[tuple[Kind, int]]:
    """So many kinds in turn, each time with another seed."""
    for number, kind in enumerate(itertools.islice(itertools.cycle(kinds), count)):
        yield kind, seed * 1_000_003 + number


# --- what came of it


def judge(kind: Kind, good: Path, place: Path, *, seed: int) -> tuple[str, str]:
    """Change a file of a kind, and read it.

    Returns
    -------
    One of COLUMNS, and what was raised where that is a fault.
    """
    from nbtools.errors import UserError

    rng = random.Random(seed)
    shutil.copytree(good, place)
    path = rng.choice(sorted(p for p in place.rglob("*") if p.is_file()))
    path.write_bytes(mutate(path.read_bytes(), rng, text=kind.text))
    told, began, outcome = memory.StringIO(), time.process_time(), "read"
    quiet = warnings.catch_warnings(action="ignore")
    with quiet, contextlib.redirect_stderr(told), contextlib.redirect_stdout(told):
        try:
            with limit(12 * LIMIT):
                kind.read(place)
        except UserError:
            outcome = "refused"
        except Hang:
            outcome = "hang"
        except BaseException:
            outcome = "other exception"
            traceback.print_exc(file=told)
    if time.process_time() - began > LIMIT:
        outcome = "hang"
    return outcome, f"{kind.name}, seed {seed}, {path.name}\n{told.getvalue()[-1800:]}"


def read_all(
    sandbox: Path, *, count: int, seed: int = 0, kinds: tuple[Kind, ...] = KINDS
) -> tuple[dict[str, Counter], list[str]]:
    """Change and read so many files; counts by kind, and a text for each fault."""
    logging.getLogger("tifffile").disabled = True
    table: dict[str, Counter] = {kind.name: Counter() for kind in kinds}
    failures = []
    for number, kind in enumerate(kinds):
        good = sandbox / f"kind{number:02d}" / "good"
        good.mkdir(parents=True)
        kind.write(good)
        kind.read(shutil.copytree(good, good.parent / "try"))
        shutil.rmtree(good.parent / "try")
    places = {kind.name: sandbox / f"kind{n:02d}" for n, kind in enumerate(kinds)}
    for kind, one in list_files(kinds, count, seed):
        home = places[kind.name]
        outcome, told = judge(kind, home / "good", home / "changed", seed=one)
        table[kind.name][outcome] += 1
        if outcome not in ("read", "refused"):
            failures.append(f"{outcome}: {told}")
        shutil.rmtree(home / "changed")
    return table, failures


def cap_memory() -> None:
    """No more than MEMORY beyond what the process has, where the system can."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        used = int(Path("/proc/self/statm").read_text().split()[0]) * 4096
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, most))


def format_table(table: dict[str, Counter]) -> str:
    """The counts as a table in Markdown."""
    lines = [f"| kind | files | {' | '.join(COLUMNS)} |", "| --- |" + " --: |" * 5]
    for name, found in (table | {"all": sum(table.values(), Counter())}).items():
        cells = (found.total(), *(found[c] for c in COLUMNS))
        lines.append(f"| {name} | {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table of counts, and what failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int, nargs="?", default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="beginning of the names of kinds")
    args = parser.parse_args()
    from nbtools import runtime

    runtime.load_quietly("nbtools.training")
    cap_memory()
    with tempfile.TemporaryDirectory() as folder:
        kinds = tuple(kind for kind in KINDS if kind.name.startswith(args.only))
        place = Path(folder).resolve()
        table, failures = read_all(place, count=args.count, seed=args.seed, kinds=kinds)
    print(format_table(table))
    print(*itertools.chain([""] * bool(failures), failures), sep="\n")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
