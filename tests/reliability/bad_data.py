"""A corpus of faulty data sets: each case is a good set with one fault, and the code of the finding
that must name it.

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
    """Register a function that spoils a good data set in a folder; `code` is the finding it must
    give.
    """

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


def write_good(folder: Path, count: int = 3, first: int = 0) -> None:
    """A small set without fault: three calibrated images with labels."""
    for i in range(first, first + count):
        image, label = draw_pair(i)
        write(folder / "images" / f"n{i}.tif", image)
        write(folder / "labels" / f"n{i}.tif", label)


def draw_pair(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Six blurred squares on noise, and their labels."""
    rng = np.random.default_rng(seed)
    label = np.zeros(SIZE, np.uint16)
    for n in range(6):
        y, x = 3 + 15 * (n // 2) + seed % 3, 6 + 26 * (n % 2) - seed % 4
        label[y : y + 10, x : x + 12] = n + 1
    image = rng.normal(40, 5, SIZE) + 120 * (label > 0)
    return image.astype(np.uint8), label


def write(path: Path, pixels: np.ndarray, **about: object) -> None:
    """A Fiji TIFF with a pixel size of 0.5 µm, unless `about` says otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {
        "imagej": True,
        "resolution": (2, 2),
        "metadata": {"unit": "um", "axes": "ZYX"[-pixels.ndim :]},
    }
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
        tifffile.imwrite(
            folder / "labels" / f"n{i}.tif",
            np.stack([draw_pair(i)[1]] * 7),
            photometric="minisblack",
        )


@case("time_series")
def movie(folder: Path) -> None:
    change_image(
        folder, lambda image: np.stack([image, image + 1]), imagej=True, metadata={"axes": "TYX"}
    )


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
    Picture.fromarray(((draw_pair(1)[1] > 0) * 255).astype(np.uint8)).save(
        folder / "labels" / "n1.jpg", quality=80
    )


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
    change_image(
        folder,
        lambda image: image,
        imagej=True,
        resolution=(5, 5),
        metadata={"unit": "um", "axes": "YX"},
    )


@case("z_step_missing")
def no_step_in_z(folder: Path) -> None:
    about = {"axes": "ZYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    for i in range(3):
        volume = np.stack([draw_pair(i)[0]] * 6)
        tifffile.imwrite(
            folder / "images" / f"n{i}.tif",
            volume,
            ome=True,
            photometric="minisblack",
            metadata=about,
        )
        write(folder / "labels" / f"n{i}.tif", np.stack([draw_pair(i)[1]] * 6))


@case("several_images")
def pyramid_of_images(folder: Path) -> None:
    with tifffile.TiffWriter(folder / "images" / "n1.tif") as file:
        file.write(draw_pair(1)[0], metadata=None)
        file.write(draw_pair(1)[0][:9, :9], metadata=None)


# Files and names


@case("unreadable")
def jpeg_cut_off(folder: Path) -> None:
    (folder / "images" / "n1.tif").unlink()
    Picture.fromarray(draw_pair(1)[0]).save(folder / "images" / "n1.jpg")
    content = (folder / "images" / "n1.jpg").read_bytes()
    (folder / "images" / "n1.jpg").write_bytes(content[: len(content) // 3])


@case("unreadable")
def web_page_named_tif(folder: Path) -> None:
    (folder / "images" / "n1.tif").write_text("<!DOCTYPE html><title>404 not found</title>")


@case("unreadable")
def zip_named_tif(folder: Path) -> None:
    (folder / "images" / "n1.tif").write_bytes(b"PK\x03\x04" + bytes(90))


@case("unreadable")
def one_byte(folder: Path) -> None:
    (folder / "images" / "n1.tif").write_bytes(b"I")


@case("unreadable")
def folder_named_tif(folder: Path) -> None:
    (folder / "labels" / "n1.tif").unlink()
    (folder / "labels" / "n1.zip").write_bytes(b"no outlines")


@case("unreadable")
def pickled_labels_of_cellpose(folder: Path) -> None:
    (folder / "labels" / "n1.tif").unlink()
    np.save(folder / "labels" / "n1_seg.npy", {"masks": draw_pair(1)[1]}, allow_pickle=True)


@case("unreadable")
def broken_geojson(folder: Path) -> None:
    (folder / "labels" / "n1.tif").unlink()
    (folder / "labels" / "n1.geojson").write_text('{"features": [')


@case("unreadable")
def broken_zarr(folder: Path) -> None:
    (folder / "images" / "n1.tif").unlink()
    (folder / "images" / "n1.ome.zarr").mkdir()


@case("unreadable")
def broken_czi(folder: Path) -> None:
    (folder / "images" / "n1.tif").unlink()
    (folder / "images" / "n1.czi").write_bytes(b"ZISRAW")


@case("unreadable")
def spacing_that_is_no_number(folder: Path) -> None:
    (folder / "dataset.toml").write_text('spacing_um = ["a", 1]\n')


@case("missing_labels")
def label_of_another_name(folder: Path) -> None:
    (folder / "labels" / "n1.tif").rename(folder / "labels" / "n1_label_final.tif")


@case("missing_labels")
def last_label_missing(folder: Path) -> None:
    """Fault 6 of the peers: the shorter list ends the comparison."""
    (folder / "labels" / "n2.tif").unlink()


@case("missing_labels")
def hidden_label_only(folder: Path) -> None:
    (folder / "labels" / "n1.tif").rename(folder / "labels" / "._n1.tif")


@case("same_name")
def tif_and_tiff(folder: Path) -> None:
    write(folder / "images" / "n1.tiff", draw_pair(8)[0])


@case("foreign_file")
def folder_within(folder: Path) -> None:
    (folder / "old version").mkdir()


@case("foreign_file")
def table_without_names(folder: Path) -> None:
    (folder / "results.csv").write_text("area,mean\n3,4\n")


@case("foreign_file")
def thumbs(folder: Path) -> None:
    (folder / "labels" / "Thumbs.db").write_bytes(b"x")


# Pixels


@case("not_finite")
def infinite_pixels(folder: Path) -> None:
    change_image(folder, lambda image: np.where(image > 165, np.inf, image).astype(np.float32))


@case("grey_as_rgb")
def grey_with_transparency(folder: Path) -> None:
    grey = draw_pair(1)[0]
    save_picture(folder, "images", pixels=np.stack([grey, grey, grey, np.full_like(grey, 255)], -1))


@case("empty_image")
def white_image(folder: Path) -> None:
    change_image(folder, lambda image: np.full_like(image, 255))


@case("saturated")
def saturated_at_twelve_bit(folder: Path) -> None:
    change_image(folder, lambda image: np.minimum(image.astype(np.uint16) * 30, 4095))


@case("few_grey_levels")
def image_of_four_greys(folder: Path) -> None:
    change_image(folder, lambda image: image // 64 * 64)


@case("few_grey_levels")
def mask_instead_of_image(folder: Path) -> None:
    change_image(folder, lambda image: (image > 100).astype(np.uint8) * 200)


@case("bit_depth_differs")
def eight_bit_in_sixteen(folder: Path) -> None:
    for i in range(3):
        write(
            folder / "images" / f"n{i}.tif",
            draw_pair(i)[0].astype(np.uint16) * (1 if i == 1 else 200),
        )


@case("time_series")
def long_movie(folder: Path) -> None:
    change_image(folder, lambda image: np.stack([image] * 9), imagej=True, metadata={"axes": "TYX"})


@case("mixed_types")
def one_real_image(folder: Path) -> None:
    change_image(folder, lambda image: image.astype(np.float32) / 255)


# Labels


@case("unequal_shapes")
def label_at_half_size(folder: Path) -> None:
    change_label(folder, lambda label: label[::2, ::2])


@case("transposed_label")
def transposed_label(folder: Path) -> None:
    change_label(folder, lambda label: np.ascontiguousarray(label.T))


@case("swapped")
def swapped(folder: Path) -> None:
    image, label = folder / "images" / "n1.tif", folder / "labels" / "n1.tif"
    image.rename(folder / "x.tif")
    label.rename(image)
    (folder / "x.tif").rename(label)


@case("label_is_image")
def image_as_its_own_label(folder: Path) -> None:
    (folder / "labels" / "n1.tif").write_bytes((folder / "images" / "n1.tif").read_bytes())


@case("shifted_label")
def shifted_down(folder: Path) -> None:
    change_label(folder, lambda label: np.roll(label, 5, axis=0))


@case("shifted_label")
def shifted_aside(folder: Path) -> None:
    change_label(folder, lambda label: np.roll(label, -4, axis=1))


@case("holes")
def rings(folder: Path) -> None:
    def hollow(label: np.ndarray) -> np.ndarray:
        for n in range(1, 7):
            rows, columns = np.nonzero(label == n)
            label[rows.min() + 3 : rows.max() - 2, columns.min() + 3 : columns.max() - 2] = 0
        return label

    change_label(folder, hollow)


@case("label_in_parts")
def same_number_twice(folder: Path) -> None:
    change_label(folder, lambda label: np.where(label >= 4, label - 3, label))


@case("float_label")
def labels_as_fractions(folder: Path) -> None:
    """Fault 2 of the peers: labels as fractions of 2^31."""
    change_label(folder, lambda label: (label / 2**31).astype(np.float32))


@case("negative_label")
def minus_seven(folder: Path) -> None:
    change_label(
        folder,
        lambda label: np.where(label == 2, -7, label).astype(np.int16),
        photometric="minisblack",
    )


@case("binary_label")
def inverted_mask(folder: Path) -> None:
    change_label(folder, lambda label: np.where(label > 0, 200, 0).astype(np.uint8))


@case("same_labels")
def one_label_for_two(folder: Path) -> None:
    (folder / "labels" / "n1.tif").write_bytes((folder / "labels" / "n0.tif").read_bytes())


@case("dark_nuclei")
def inverted_image(folder: Path) -> None:
    change_image(folder, lambda image: 255 - image)


@case("cut_objects")
def only_border_nuclei(folder: Path) -> None:
    change_label(folder, lambda label: label[8:40, 8:38])
    change_image(folder, lambda image: image[8:40, 8:38])


@case("small_nuclei")
def coarse_images(folder: Path) -> None:
    change_label(folder, lambda label: label[::4, ::4])
    change_image(folder, lambda image: image[::4, ::4])


@case("nucleus_size_differs")
def other_magnification(folder: Path) -> None:
    change_label(folder, lambda label: np.kron(label, np.ones((4, 4), label.dtype)))
    change_image(folder, lambda image: np.kron(image, np.ones((4, 4), image.dtype)))


# The set


@case("duplicate")
def duplicate_of_another_format(folder: Path) -> None:
    save_picture(folder, "images", pixels=draw_pair(0)[0])


@case("near_duplicate")
def brighter_copy(folder: Path) -> None:
    write_wide(folder)
    image = tifffile.imread(folder / "images" / "w0.tif")
    write(folder / "images" / "w9.tif", (image * 1.3 + 5).astype(np.uint8))
    write(folder / "labels" / "w9.tif", tifffile.imread(folder / "labels" / "w0.tif"))


@case("near_duplicate")
def turned_copy(folder: Path) -> None:
    write_wide(folder)
    for kind in ("images", "labels"):
        write(
            folder / kind / "w9.tif",
            np.ascontiguousarray(np.rot90(tifffile.imread(folder / kind / "w0.tif"))),
        )


@case("sibling_tiles")
def tiles_of_one_field(folder: Path) -> None:
    write_wide(folder)
    cut_wide(folder, folder)


@case("sibling_tiles_between_splits")
def tiles_in_two_parts(folder: Path) -> None:
    write_wide(folder)
    for part in ("train", "val"):
        write_good(folder / part, 3, first=9 * (part == "val"))
    cut_wide(folder, folder / "train", folder / "val")
    remove_kinds(folder)


@case("near_duplicate_between_splits")
def flipped_copy_in_two_parts(folder: Path) -> None:
    write_wide(folder)
    for kind in ("images", "labels"):
        pixels = tifffile.imread(folder / kind / "w0.tif")
        write(folder / "train" / kind / "a.tif", pixels)
        write(folder / "val" / kind / "b.tif", np.ascontiguousarray(pixels[:, ::-1]))
    remove_kinds(folder)


@case("class_imbalance")
def uneven_classes(folder: Path) -> None:
    write_classes(folder, [0] * 66 + [1] * 6)


@case("rare_class")
def rare_class(folder: Path) -> None:
    write_classes(folder, [0, 0, 0, 0, 0, 0, 1])


@case("class_in_one_group")
def classes_on_two_slides(folder: Path) -> None:
    write_classes(folder, [0] * 6 + [1] * 6)
    rows = "".join(f"c{i},slide {i // 3 if i < 6 else 7}\n" for i in range(12))
    (folder / "groups.csv").write_text("name,group\n" + rows)


@case("one_class")
def one_class(folder: Path) -> None:
    write_classes(folder, [0] * 6)


@case("spacing_implausible")
def nanometres_as_micrometres(folder: Path) -> None:
    (folder / "dataset.toml").write_text("spacing_um = [200, 200]\n")


@case("spacing_differs")
def one_ratio_among_sizes(folder: Path) -> None:
    change_image(
        folder,
        lambda image: image,
        imagej=True,
        resolution=(1, 1),
        metadata={"unit": "pixel", "axes": "YX"},
    )


@case("z_step_assumed")
def step_in_z_left_out(folder: Path) -> None:
    for i in range(3):
        for kind, pixels in zip(("images", "labels"), draw_pair(i), strict=True):
            write(folder / kind / f"n{i}.tif", np.stack([pixels] * 6))


def write_wide(folder: Path) -> None:
    """A field of 160 x 160 with nuclei everywhere, w0."""
    rng = np.random.default_rng(5)
    rows, columns = np.ogrid[:160, :160]
    label = np.zeros((160, 160), np.uint16)
    for n in range(60):
        y, x = rng.uniform(4, 156, 2)
        label[((rows - y) ** 2 + (columns - x) ** 2 < rng.uniform(5, 9) ** 2) & (label == 0)] = (
            n + 1
        )
    image = 40 + (label > 0) * (60 + label * 1.2) + rng.normal(0, 3, label.shape)
    write(folder / "images" / "w0.tif", image.astype(np.uint8))
    write(folder / "labels" / "w0.tif", label)


def cut_wide(folder: Path, first: Path, second: Path | None = None) -> None:
    """The field in two halves, under names that do not tell."""
    for kind in ("images", "labels"):
        pixels = tifffile.imread(folder / kind / "w0.tif")
        write(first / kind / "apple.tif", np.ascontiguousarray(pixels[:, :80]))
        write((second or first) / kind / "pear.tif", np.ascontiguousarray(pixels[:, 80:]))
        (folder / kind / "w0.tif").unlink()


def remove_kinds(folder: Path) -> None:
    for kind in ("images", "labels"):
        for path in (folder / kind).iterdir():
            path.unlink()
        (folder / kind).rmdir()


def write_classes(folder: Path, classes: list[int]) -> None:
    remove_kinds(folder)
    for i in range(len(classes)):
        write(folder / "images" / f"c{i}.tif", draw_pair(i)[0])
    rows = "".join(f"c{i},{'wt' if c == 0 else 'mutant'}\n" for i, c in enumerate(classes))
    (folder / "classes.csv").write_text("name,class\n" + rows)


# Boxes, centres, classes of nuclei


@case("box_without_area")
def corners_exchanged(folder: Path) -> None:
    write_boxes(
        folder, change=lambda rows: [[y1, x1, y0, x0] for y0, x0, y1, x1 in rows[:1]] + rows[1:]
    )


@case("box_outside")
def boxes_beyond_the_border(folder: Path) -> None:
    write_boxes(folder, change=lambda rows: [[y0, x0, y1 + 40, x1] for y0, x0, y1, x1 in rows])


@case("box_outside")
def boxes_of_another_scale(folder: Path) -> None:
    write_boxes(folder, change=lambda rows: [[4 * value for value in row] for row in rows])


@case("box_twice")
def box_listed_twice(folder: Path) -> None:
    write_boxes(folder, change=lambda rows: rows + rows[:2])


@case("empty_boxes")
def no_boxes_in_the_table(folder: Path) -> None:
    write_boxes(folder, change=lambda rows: [])


@case("missing_boxes")
def one_table_of_boxes_missing(folder: Path) -> None:
    write_boxes(folder)
    (folder / "boxes" / "n1.csv").unlink()
    remove_labels(folder)


@case("unreadable")
def words_instead_of_edges(folder: Path) -> None:
    write_boxes(folder, change=lambda rows: [["top", 1, 2, 3]])


@case("unreadable")
def boxes_without_their_columns(folder: Path) -> None:
    write_boxes(folder)
    (folder / "boxes" / "n1.csv").write_text("top,left,height,width\n1,2,3,4\n")


@case("unreadable")
def broken_voc(folder: Path) -> None:
    write_boxes(folder)
    (folder / "boxes" / "n1.csv").unlink()
    (folder / "boxes" / "n1.xml").write_text("<annotation><object><name>cell</name>")


@case("centre_outside")
def centres_in_micrometres(folder: Path) -> None:
    write_centres(folder, [[90.0, 12.0], [20.0, 14.0]])


@case("centre_beside_nucleus")
def centres_with_y_and_x_exchanged(folder: Path) -> None:
    label = draw_pair(1)[1]
    write_centres(folder, [np.argwhere(label == n).mean(0)[::-1] for n in range(1, 5)])


@case("empty_centres")
def no_centres_in_the_table(folder: Path) -> None:
    write_centres(folder, [])


@case("unreadable")
def centres_without_their_columns(folder: Path) -> None:
    write_centres(folder, [[1, 2]])
    (folder / "centres" / "n1.csv").write_text("column,row\n1,2\n")


@case("class_without_nucleus")
def classes_of_other_labels(folder: Path) -> None:
    write_table(
        folder / "classes" / "n1.csv", ["label", "class"], [[1, "interphase"], [77, "mitosis"]]
    )


def write_table(path: Path, columns: list[str], rows: list) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(",".join(map(str, row)) for row in [columns, *rows]) + "\n")


def write_boxes(folder: Path, *, change: Callable[[list], list] = list) -> None:
    """The boxes of all nuclei; those of n1 are changed."""
    for i in range(3):
        places = [np.argwhere(draw_pair(i)[1] == n) for n in range(1, 7)]
        rows = [[*p.min(0), *(p.max(0) + 1)] for p in places]
        write_table(
            folder / "boxes" / f"n{i}.csv",
            ["y0", "x0", "y1", "x1"],
            change(rows) if i == 1 else rows,
        )


def write_centres(folder: Path, rows: list) -> None:
    write_table(folder / "centres" / "n1.csv", ["y", "x"], rows)


def remove_labels(folder: Path) -> None:
    for path in (folder / "labels").iterdir():
        path.unlink()
    (folder / "labels").rmdir()


@case("axes_guessed")
def unnamed_planes(folder: Path) -> None:
    """Three planes without a name: channels, or a short stack?"""
    for i in range(3):
        tifffile.imwrite(
            folder / "images" / f"n{i}.tif",
            np.stack([draw_pair(i)[0]] * 3),
            photometric="minisblack",
        )


if __name__ == "__main__":
    target = Path(sys.argv[1])
    codes = build(target)
    (target / "cases.json").write_text(json.dumps(codes, indent=1))
