"""How the simulated samples were made: python data/samples/recipe.py FOLDER writes them again.

Each dataset.toml names the command that gives the same pixels in uncompressed files.
"""

import sys
from pathlib import Path

from nbtools import data, io, simulate

SETS = {  # name: kind, images, seed, settings, ending (PNG and OME-TIFF are compressed)
    "simulated2d": ("nuclei2d", 6, 2, {"bits": 8}, ".png"),
    "simulated3d": ("nuclei3d", 3, 2, {"bits": 8}, ".ome.tif"),
    "simulated_pairs": (
        "pairs",
        8,
        2,
        {"shape_px": (128, 128), "radius_um": (4.0, 7.0)},
        ".ome.tif",
    ),
}


def write_samples(folder: Path) -> None:
    """Write all sets into a folder."""
    for name, (kind, count, seed, settings, ending) in SETS.items():
        dataset = simulate.make(kind, count=count, seed=seed, settings=settings)
        with io.new_folder(folder / name, overwrite=True) as target:
            for sample in dataset:
                io.write_image(target / "images" / f"{sample.name}{ending}", sample.image)
                io.write_label(target / "labels" / f"{sample.name}{ending}", sample.label)
                if sample.clean is not None:
                    io.write_image(target / "clean" / f"{sample.name}{ending}", sample.clean)
            image = dataset[0].image
            about = {"axes": image.axes, "spacing_um": list(image.spacing), **dataset.meta}
            data.write_tables(target, dataset.entries, meta=about)


if __name__ == "__main__":
    write_samples(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
