"""A corpus of faulty data sets: each case is a good set with one fault, and the code of the finding that must name it.

python tests/reliability/bad_data.py FOLDER     writes all of them, and cases.json with the codes
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image as Picture

SIZE = (48, 56)
CASES: dict[str, tuple[Callable[[Path], None], str]] = {}


def case(code: str) -> Callable:
    """Register a function that spoils a good data set in a folder; `code` is the finding it must give."""

    def register(spoil: Callable[[Path], None]) -> Callable:
        CASES[spoil.__name__] = (spoil, code)
        return spoil

    return register


def build(folder: Path, names: list[str] | None = None) -> dict[str, str]:
    """Write the cases into folders of their names; gives their codes."""
    for name in names or CASES:
        write_good(folder / name)
        CASES[name][0](folder / name)
    return {name: CASES[name][1] for name in names or CASES}


def write_good(folder: Path, count: int = 3) -> None:
    """A small set without fault: three calibrated images with labels."""
    for i in range(count):
        image, label = draw_pair(i)
        write(folder / "images" / f"n{i}.tif", image)
        write(folder / "labels" / f"n{i}.tif", label)


def draw_pair(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Six blurred squares on noise, and their labels."""
    rng = np.random.default_rng(seed)
    label = np.zeros(SIZE, np.uint16)
    for n in range(6):
        y, x = 3 + 15 * (n // 2), 6 + 26 * (n % 2)
        label[y : y + 10, x : x + 12] = n + 1
    image = rng.normal(40, 5, SIZE) + 120 * (label > 0)
    return image.astype(np.uint8), label


def write(path: Path, pixels: np.ndarray, **about: object) -> None:
    """A Fiji TIFF with a pixel size of 0.5 µm, unless `about` says otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"imagej": True, "resolution": (2, 2), "metadata": {"unit": "um", "axes": "ZYX"[-pixels.ndim :]}}
    tifffile.imwrite(path, pixels, **(about or options))


def change_label(folder: Path, change: Callable[[np.ndarray], np.ndarray], **about: object) -> None:
    label = change(tifffile.imread(folder / "labels" / "n1.tif"))
    write(folder / "labels" / "n1.tif", label, **about)


def change_image(folder: Path, change: Callable[[np.ndarray], np.ndarray], **about: object) -> None:
    image = change(tifffile.imread(folder / "images" / "n1.tif"))
    write(folder / "images" / "n1.tif", image, **about)


def save_picture(folder: Path, kind: str, *, pixels: np.ndarray) -> None:
    (folder / kind / "n1.tif").unlink()
    Picture.fromarray(pixels).save(folder / kind / "n1.png")


@case("unreadable")
def truncated_tiff(folder: Path) -> None:
    content = (folder / "images" / "n1.tif").read_bytes()
    (folder / "images" / "n1.tif").write_bytes(content[: len(content) // 2])


@case("unreadable")
def truncated_png(folder: Path) -> None:
    save_picture(folder, "images", pixels=draw_pair(1)[0])
    content = (folder / "images" / "n1.png").read_bytes()
    (folder / "images" / "n1.png").write_bytes(content[: len(content) // 2])


@case("unreadable")
def empty_file(folder: Path) -> None:
    (folder / "images" / "n1.tif").write_bytes(b"")


@case("unreadable")
def text_named_tif(folder: Path) -> None:
    (folder / "images" / "n1.tif").write_text("this is no image\n")


@case("unreadable")
def broken_label(folder: Path) -> None:
    (folder / "labels" / "n1.tif").write_bytes(b"II*\0 and nothing more")


@case("unreadable")
def complex_pixels(folder: Path) -> None:
    tifffile.imwrite(folder / "images" / "n1.tif", draw_pair(1)[0].astype(np.complex64))


@case("unreadable")
def broken_toml(folder: Path) -> None:
    (folder / "dataset.toml").write_text("axes = YX\n")


@case("axes_unknown")
def five_unnamed_dimensions(folder: Path) -> None:
    tifffile.imwrite(folder / "images" / "n1.tif", np.zeros((2, 6, 5, *SIZE), np.uint16))


@case("axes_unknown")
def axes_that_do_not_fit(folder: Path) -> None:
    (folder / "dataset.toml").write_text('axes = "ZYX"\n')


@case("axes_guessed")
def unnamed_stack(folder: Path) -> None:
    for i in range(3):
        volume = np.stack([draw_pair(i)[0]] * 7) + np.arange(7, dtype=np.uint8)[:, None, None]
        tifffile.imwrite(folder / "images" / f"n{i}.tif", volume, photometric="minisblack")
        tifffile.imwrite(folder / "labels" / f"n{i}.tif", np.stack([draw_pair(i)[1]] * 7), photometric="minisblack")


@case("time_series")
def movie(folder: Path) -> None:
    change_image(folder, lambda image: np.stack([image, image + 1]), imagej=True, metadata={"axes": "TYX"})


@case("not_finite")
def not_a_number(folder: Path) -> None:
    change_image(folder, lambda image: np.where(image > 165, np.nan, image).astype(np.float32))


@case("rgb")
def colours(folder: Path) -> None:
    grey = draw_pair(1)[0]
    save_picture(folder, "images", pixels=np.stack([grey, grey // 2, 255 - grey], -1))


@case("grey_as_rgb")
def grey_as_colours(folder: Path) -> None:
    save_picture(folder, "images", pixels=np.stack([draw_pair(1)[0]] * 3, -1))


@case("empty_image")
def blank_image(folder: Path) -> None:
    change_image(folder, np.zeros_like)


@case("saturated")
def saturated_image(folder: Path) -> None:
    change_image(folder, lambda image: np.where(image > 100, 255, image).astype(np.uint8))


@case("no_images")
def no_images(folder: Path) -> None:
    for path in (folder / "images").iterdir():
        path.unlink()


@case("no_labels")
def no_labels(folder: Path) -> None:
    for path in (folder / "labels").iterdir():
        path.unlink()


@case("missing_labels")
def one_label_missing(folder: Path) -> None:
    (folder / "labels" / "n1.tif").unlink()


@case("missing_image")
def one_image_missing(folder: Path) -> None:
    (folder / "images" / "n1.tif").unlink()


@case("same_name")
def two_images_of_one_name(folder: Path) -> None:
    Picture.fromarray(draw_pair(9)[0]).save(folder / "images" / "N1.png")


@case("foreign_file")
def foreign_files(folder: Path) -> None:
    (folder / "images" / "thesis.docx").write_bytes(b"PK")
    (folder / "images" / ".DS_Store").write_bytes(b"x")


@case("unequal_shapes")
def unequal_shapes(folder: Path) -> None:
    change_label(folder, lambda label: label[:-2])


@case("rgb_label")
def coloured_labels(folder: Path) -> None:
    label = draw_pair(1)[1].astype(np.uint8)
    save_picture(folder, "labels", pixels=np.stack([label * 40, label * 9, label * 23], -1))


@case("float_label")
def real_labels(folder: Path) -> None:
    change_label(folder, lambda label: label.astype(np.float32))


@case("float_label")
def probability_map(folder: Path) -> None:
    change_label(folder, lambda label: (label > 0).astype(np.float32) * 0.73)


@case("negative_label")
def negative_labels(folder: Path) -> None:
    change_label(folder, lambda label: label.astype(np.int32) - 5, photometric="minisblack")


@case("binary_label")
def binary_mask(folder: Path) -> None:
    change_label(folder, lambda label: np.where(label > 0, 255, 0).astype(np.uint8))


@case("binary_label")
def mask_of_ones(folder: Path) -> None:
    change_label(folder, lambda label: (label > 0).astype(np.uint8))


@case("antialiased_label")
def blurred_mask(folder: Path) -> None:
    label = (draw_pair(1)[1] > 0) * 255.0
    rng = np.random.default_rng(0)
    edge = sum(np.abs(np.roll(label, s, axis)) for s in (1, -1) for axis in (0, 1)) / 4
    soft = np.where((edge > 0) & (edge < 255), edge * rng.uniform(0.7, 1, label.shape), label)
    save_picture(folder, "labels", pixels=soft.astype(np.uint8))


@case("antialiased_label")
def mask_as_jpeg(folder: Path) -> None:
    (folder / "labels" / "n1.tif").unlink()
    Picture.fromarray(((draw_pair(1)[1] > 0) * 255).astype(np.uint8)).save(folder / "labels" / "n1.jpg", quality=80)


@case("label_in_parts")
def label_in_parts(folder: Path) -> None:
    change_label(folder, lambda label: np.where(label == 6, 1, label))


@case("empty_label")
def empty_label(folder: Path) -> None:
    change_label(folder, np.zeros_like)


@case("tiny_objects")
def specks(folder: Path) -> None:
    def add(label: np.ndarray) -> np.ndarray:
        label[0, ::4] = np.arange(7, 7 + 14)
        return label

    change_label(folder, add)


@case("duplicate")
def duplicate(folder: Path) -> None:
    (folder / "images" / "n1.tif").write_bytes((folder / "images" / "n0.tif").read_bytes())


@case("duplicate_between_splits")
def duplicate_between_splits(folder: Path) -> None:
    for part in ("train", "val"):
        write_good(folder / part, 2)
    for kind in ("images", "labels"):
        for path in (folder / kind).iterdir():
            path.unlink()
        (folder / kind).rmdir()


@case("mixed_types")
def mixed_types(folder: Path) -> None:
    change_image(folder, lambda image: image.astype(np.uint16) * 16)


@case("mixed_axes")
def mixed_dimensions(folder: Path) -> None:
    change_image(folder, lambda image: np.stack([image] * 6))
    change_label(folder, lambda label: np.stack([label] * 6))


@case("spacing_missing")
def no_pixel_size(folder: Path) -> None:
    change_image(folder, lambda image: image, photometric="minisblack")


@case("spacing_differs")
def other_pixel_size(folder: Path) -> None:
    change_image(folder, lambda image: image, imagej=True, resolution=(5, 5), metadata={"unit": "um", "axes": "YX"})


@case("z_step_missing")
def no_step_in_z(folder: Path) -> None:
    about = {"axes": "ZYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    for i in range(3):
        volume = np.stack([draw_pair(i)[0]] * 6)
        tifffile.imwrite(folder / "images" / f"n{i}.tif", volume, ome=True, photometric="minisblack", metadata=about)
        write(folder / "labels" / f"n{i}.tif", np.stack([draw_pair(i)[1]] * 6))


@case("several_images")
def pyramid_of_images(folder: Path) -> None:
    with tifffile.TiffWriter(folder / "images" / "n1.tif") as file:
        file.write(draw_pair(1)[0], metadata=None)
        file.write(draw_pair(1)[0][:9, :9], metadata=None)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    codes = build(target)
    (target / "cases.json").write_text(json.dumps(codes, indent=1))
