"""How the real samples were cut: python data/samples/real.py [FOLDER] writes them again.

They are crops of public data sets, whose folders NBTOOLS_DATA holds. Every set has a card,
README.md, with its source, its licence, what was cropped, and which shipped weights know the
images. Only images whose licence allows that are taken, and of the Data Science Bowl only training
images: its test images are scored by `benchmarks/`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from skimage.segmentation import relabel_sequential

from nbtools import config, data, io
from nbtools.image import Image

DSB = "Caicedo et al. 2019, Nature Methods 16, 1247, doi:10.1038/s41592-019-0612-7"
NEUBIAS = "NEUBIAS training resources, https://neubias.github.io/training-resources"
LEARNED = "{} learned from these images: a score on them says nothing about others."
CHOSEN = "No shipped weights learned from them, but {} were chosen by images of this set."
NO_LABELS = "No labels come with them, and no shipped weights learned from them."


@dataclass(frozen=True)
class Crop:
    """A part of an image.

    Parameters
    ----------
    name : of the sample.
    file : below NBTOOLS_DATA.
    corner : first pixel along Y and X.
    size : pixels along Y and X.
    """

    name: str
    file: str
    corner: tuple[int, int] = (0, 0)
    size: tuple[int, int] = (256, 256)


@dataclass(frozen=True)
class RealSet:
    """A set of crops of one source.

    Parameters
    ----------
    title, text : of the card.
    crops : of its images.
    axes : of the images.
    licence, source, citation : of the data set that they are from.
    known : which shipped weights know these images.
    about : further entries of dataset.toml.
    """

    title: str
    text: str
    crops: tuple[Crop, ...]
    axes: str
    licence: str
    source: str
    citation: str
    known: str
    about: dict = field(default_factory=dict)


def dsb(name: str, file: str, **where: object) -> Crop:
    return Crop(name, f"dsb2018_fluorescence/train/images/{file}.tif", **where)


def section(name: str, file: str, **where: object) -> Crop:
    return Crop(name, f"dsb2018_other/train/images/{file}.tif", **where)


def cells(name: str, file: str, **where: object) -> Crop:
    return Crop(name, f"micronuclei_cells/all/images/{file}.tif", **where)


def taught(name: str, file: str, **where: object) -> Crop:
    return Crop(name, f"teaching_images/{file}.tif", **where)


BBBC038 = {
    "licence": "CC0-1.0",
    "source": "Broad Bioimage Benchmark Collection, BBBC038 (labels with later corrections)",
    "citation": DSB,
}
SETS = {
    "real_cells": RealSet(
        "Nuclei in fluorescence, of several microscopes",
        "Stained DNA: few and many nuclei, large and small, sharp and blurred.",
        (
            dsb("cells_small", "3ab9cab6212f"),
            dsb("cells_large", "d8607b21411c", corner=(60, 60)),
            dsb("cells_crowded", "2cfa61bef654", corner=(120, 200)),
            dsb("cells_dense", "0402a81e7526", size=(256, 256)),
            dsb("cells_dim_blurred", "80632d6be60c", corner=(100, 150)),
        ),
        "YX",
        known=LEARNED.format("`nuclei2d`, `nuclei2d_flows` and `nuclei2d_small`"),
        **BBBC038,
    ),
    "real_micronuclei": RealSet(
        "Nuclei of human cell lines, 16 and 8 bit",
        "RPE-1 and other lines, H2B or DAPI. Labels are those of nuclei; micronuclei, small bright "
        "bodies beside them, are not labelled.",
        (
            cells("rpe1", "training__2022-03-18_RPE1__3", corner=(250, 300)),
            cells("u2os", "training__2022-10-14_U2OS__7", corner=(250, 300)),
            cells("other_line", "training__2023-05-31_misc__2", corner=(128, 128)),
        ),
        "YX",
        "MIT",
        "MNFinder, https://github.com/hatch-lab/mnfinder",
        "Lucian DiPeso, Hatch lab, MNFinder",
        CHOSEN.format("`nuclei2d`, its thresholds and its rivals"),
    ),
    "real_histology": RealSet(
        "Nuclei in stained sections, bright field",
        "Purple and pink stains, in colours.",
        (
            section("purple_on_white", "94519eb45cbe", size=(200, 200)),
            section("purple_on_purple", "c0152b1a260e", size=(200, 200)),
            section("pink", "8f27ebc74164", size=(200, 200)),
        ),
        "YXC",
        known=LEARNED.format("`nuclei2d_histology`"),
        **BBBC038,
    ),
    "real_embryo": RealSet(
        "A mouse embryo of eight cells, in 3D",
        "A volume whose planes lie about 2.18 times as far apart as its pixels; the pixel size "
        "itself is not told. The labels reach far into the blur.",
        (
            Crop(
                "embryo_8_cells",
                "mouse_embryo_3d/all/images/8_cell_stage.tif",
                size=(120, 122),
            ),
        ),
        "ZYX",
        "MIT",
        "Examples of QCANet, https://github.com/funalab/QCANet",
        "Tokuoka et al. 2020, npj Systems Biology and Applications 6, 32, "
        "doi:10.1038/s41540-020-00152-8",
        "The simulated volumes that `nuclei3d` learned from were shaped on this one, and its "
        "thresholds were chosen by it: no independent test.",
        {"spacing": [2.18, 1.0, 1.0], "unit": "pixel"},
    ),
    "real_confocal3d": RealSet(
        "Nuclei in a confocal stack, in 3D",
        "Labels made from curated outlines.",
        (
            Crop(
                "confocal",
                "confocal_cells_3d/all/images/Series006_y352_x528.tif",
                corner=(64, 64),
                size=(128, 128),
            ),
        ),
        "ZYX",
        "MIT",
        "https://github.com/iitgoa-ml/3d-cells-nuclei-segmentation",
        "Devulapally, Parekh, George, Balakrishnan, On the variability in cell and nucleus shapes",
        CHOSEN.format("the thresholds of `nuclei3d`"),
        {"spacing_um": [0.5, 0.3788, 0.3788]},
    ),
    "real_channels": RealSet(
        "Two channels, 16 bit, without labels",
        "One channel shows nuclei, the other tubulin or the Golgi apparatus. Which is which? Look.",
        (
            taught("nuclei_and_tubulin", "xyc_16bit__nuclei_tubulin_crop", size=(156, 163)),
            taught("nuclei_and_golgi", "xyc_16bit__nuclei_golgi", size=(160, 160)),
        ),
        "CYX",
        "CC-BY-4.0",
        "Images xyc_16bit__nuclei_tubulin_crop and xyc_16bit__nuclei_golgi",
        NEUBIAS,
        NO_LABELS,
    ),
}
MOVIE = "real_movie"
MOVIE_CARD = RealSet(
    "A movie of dividing cells, without labels",
    "Thirty time points of one field; the time between them is not told.",
    (Crop("mitocheck", "teaching_images/mitocheck-movie", size=(190, 211)),),
    "TYX",
    "CC-BY-4.0",
    "Folder mitocheck-movie, all its thirty time points",
    NEUBIAS,
    NO_LABELS,
)


def main(folder: Path) -> None:
    """Write all sets into a folder."""
    place = Path(config.environment("NBTOOLS_DATA", "."))
    for name, about in SETS.items():
        with io.new_folder(folder / name, overwrite=True) as target:
            sizes = [write_crop(target, crop, about, place=place) for crop in about.crops]
            write_about(target, about, sizes=sizes)
    with io.new_folder(folder / MOVIE, overwrite=True) as target:
        write_movie(target, MOVIE_CARD, place=place)


def write_crop(folder: Path, crop: Crop, about: RealSet, *, place: Path) -> str:
    """Write one crop and its labels; returns its size in words."""
    path = place / crop.file
    image = io.read_image(path, axes=about.axes)
    cut = cut_image(image, crop)
    suffix = ".png" if ("C" not in cut.axes and "Z" not in cut.axes) or cut.is_rgb else ".ome.tif"
    about_file = {"name": crop.name, "channels": cut.channels}
    io.write_image(folder / "images" / f"{crop.name}{suffix}", cut.replace(**about_file))
    label_path = path.parent.parent / "labels" / path.name
    if label_path.is_file():
        label = cut_image(io.read_label(label_path, axes=about.axes.replace("C", "")), crop)
        numbers = relabel_sequential(label.pixels)[0]
        label = label.replace(pixels=numbers.astype(np.uint16), name=crop.name)
        ending = ".ome.tif" if "Z" in label.axes else ".png"
        io.write_label(folder / "labels" / f"{crop.name}{ending}", label)
    return " x ".join(f"{axis} {cut.size(axis)}" for axis in cut.axes)


def cut_image(image: Image, crop: Crop) -> Image:
    """The part of an image, or of its labels."""
    first = dict(zip("YX", crop.corner, strict=True))
    sizes = dict(zip("YX", crop.size, strict=True))
    at = tuple(
        slice(first[axis], first[axis] + sizes[axis]) if axis in first else slice(None)
        for axis in image.axes
    )
    return image.replace(pixels=np.ascontiguousarray(image.pixels[at]))


def write_movie(folder: Path, about: RealSet, *, place: Path) -> None:
    """Write the time points of a folder as one movie."""
    [crop] = about.crops
    frames = [io.read_image(p, axes="YX") for p in sorted((place / crop.file).glob("*.tif"))]
    movie = Image(np.stack([f.pixels for f in frames]), about.axes, name=crop.name)
    io.write_image(folder / "images" / f"{crop.name}.ome.tif", movie)
    write_about(folder, about, sizes=[f"T {len(frames)} x Y {crop.size[0]} x X {crop.size[1]}"])


def write_about(folder: Path, about: RealSet, *, sizes: list[str]) -> None:
    """Write dataset.toml and the card."""
    meta = {
        "axes": about.axes,
        **about.about,
        "licence": about.licence,
        "source": about.source,
        "citation": about.citation,
    }
    io.write_text(folder / "dataset.toml", data.format_toml(meta))
    rows = [
        f"| {crop.name} | {Path(crop.file).name} | {', '.join(map(str, crop.corner))} | {size} |"
        for crop, size in zip(about.crops, sizes, strict=True)
    ]
    lines = [
        f"# {about.title}",
        "",
        about.text,
        "",
        f"- **Source:** {about.source}. {about.citation}.",
        f"- **Licence:** {about.licence}, that of the source.",
        f"- **Known to:** {about.known}",
        "- **Changed:** cropped and numbered anew; grey values as in the source. Made by",
        "  `python data/samples/real.py`.",
        "",
        "| image | file of the source | first row, column | size in pixels |",
        "| --- | --- | --- | --- |",
        *rows,
        "",
    ]
    io.write_text(folder / "README.md", "\n".join(lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
