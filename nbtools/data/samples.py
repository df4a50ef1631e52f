"""Sample sets that need no network: simulated, crops of public sets, and stardist's example."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from nbtools import io
from nbtools.data.dataset import DataSet
from nbtools.data.sample import Sample
from nbtools.errors import UserError

STARDIST = {
    "nuclei2d": ("img2d.tif", "mask2d.tif", "YX"),
    "nuclei3d": ("img3d.tif", "mask3d.tif", "ZYX"),
}


def samples(name: str = "nuclei2d") -> DataSet:
    """Open a small data set to start from.

    Parameters
    ----------
    name : "nuclei2d": real fluorescence nuclei with labels, 512 x 512, a crop of a training image
        of DSB2018; for figures, not for independent scores. "nuclei3d": a real volume with labels,
        (31, 61, 57). Both are files of the stardist package (BSD-3), which is not imported.
        "simulated2d", "simulated3d" and "simulated_pairs": from `simulate`, with exact labels.
        "real_cells" and others that begin with "real_": crops of public data sets; the card
        README.md in the folder of each tells source, licence, and which weights know the images.

    Raises
    ------
    UserError : there is no such sample set.
    """
    if name in STARDIST:
        return _from_stardist(name)
    folder = packaged_path("samples", name)
    if not folder.is_dir():
        raise UserError(
            "A sample set must be one that is shipped.",
            repr(name),
            f"Use one of: {', '.join(sample_names())}.",
        )
    dataset = DataSet.open(folder)
    dataset.name = name
    return dataset


def sample_names() -> list[str]:
    """Names of the sample sets that can be opened here."""
    shipped = packaged_path("samples")
    own = sorted(p.name for p in shipped.glob("*") if p.is_dir())
    return [n for n in STARDIST if _stardist_images()] + own


def packaged_path(*parts: str) -> Path:
    """A path in the data of nbtools: `nbtools/_data` where it is installed, `data/` in a clone.

    Parameters
    ----------
    parts : folders and file name below it.
    """
    package = Path(__file__).resolve().parent.parent
    installed = package / "_data"
    return (installed if installed.is_dir() else package.parent / "data").joinpath(*parts)


def _stardist_images() -> Path | None:
    """The folder of example images in the stardist package.

    It is found without an import, which would load a deep learning framework.
    """
    found = importlib.util.find_spec("stardist")
    places = (found and found.submodule_search_locations) or ()
    folders = (Path(place) / "data" / "images" for place in places)
    return next((f for f in folders if f.is_dir()), None)


def _from_stardist(name: str) -> DataSet:
    folder = _stardist_images()
    image_file, label_file, axes = STARDIST[name]
    if folder is None or not (folder / image_file).is_file():
        raise UserError(
            f"Sample set {name} comes with the stardist package.",
            "stardist is not installed",
            'Use samples("simulated2d").',
        )
    image = io.read_image(folder / image_file, axes=axes).replace(name=name)
    label = io.read_label(folder / label_file, axes=axes).replace(name=name)
    dataset = DataSet.of([Sample(name, image, label=label)], name=name)
    dataset.meta.update(source="stardist package, example images", licence="BSD-3-Clause")
    return dataset
