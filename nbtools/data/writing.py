"""Write data sets in the layout that nbtools reads."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from nbtools import io
from nbtools.data.classes import write_classes
from nbtools.data.dataset import DataSet
from nbtools.data.layout import PARTS, TOML
from nbtools.data.sample import Entry, InputOptions, Sample

INPUT_KEYS = ("axes", "spacing", "spacing_um", "unit", "channels")  # of dataset.toml


def write_dataset(
    dataset: DataSet, folder: str | Path, *, overwrite: bool = False, copy: bool = True
) -> Path:
    """Write images/, their partners, tables and dataset.toml, whole or not at all.

    Parameters
    ----------
    dataset : from files or in memory.
    folder : of the new data set.
    overwrite : replace a folder that has content.
    copy : copy files as they are where the data set was opened without channel and time; False
        writes all images as TIFF.

    Returns
    -------
    Path : the folder.

    Raises
    ------
    UserError : the folder has content and `overwrite` is False.
    """
    with io.new_folder(folder, overwrite=overwrite, inputs=dataset.files()) as temporary:
        write_into(temporary, dataset, copy=copy)
    return Path(folder)


def copy_split(
    parts: Mapping[str, DataSet] | Sequence[DataSet], folder: str | Path, *, overwrite: bool = False
) -> Path:
    """Write the parts of a split as folder/train, folder/val and folder/test, whole or not at all.

    Parameters
    ----------
    parts : by name, or in the order train, val, test.
    folder : of the new data set.
    overwrite : replace a folder that has content.

    Returns
    -------
    Path : the folder.

    Raises
    ------
    UserError : the folder has content and `overwrite` is False.

    Examples
    --------
    >>> dataset = DataSet.open("my_nuclei")  # doctest: +SKIP
    >>> copy_split(dataset.split(val=0.15, test=0.15), "my_split")  # doctest: +SKIP
    PosixPath('my_split')
    """
    named = parts if isinstance(parts, Mapping) else dict(zip(PARTS, parts, strict=False))
    inputs = [path for dataset in named.values() for path in dataset.files()]
    with io.new_folder(folder, overwrite=overwrite, inputs=inputs) as temporary:
        for part, dataset in named.items():
            write_into(temporary / part, dataset, copy=True)
    return Path(folder)


def write_sample(folder: Path, sample: Sample) -> None:
    """Write the image of a sample and all its partners into the folder of a data set."""
    images = {"images": sample.image, "clean": sample.clean, "unpaired": sample.unpaired}
    for kind, image in images.items():
        if image is not None:
            io.write_image(folder / kind / f"{sample.name}.tif", image)
    if sample.label is not None:
        io.write_label(folder / "labels" / f"{sample.name}.tif", sample.label)
    if sample.classes is not None:
        write_classes(folder / "classes" / f"{sample.name}.csv", sample.classes)
    write_points_and_boxes(folder, sample)
    write_tracks(folder, sample)


def write_tracks(folder: Path, sample: Sample) -> None:
    """Write the lineage of a movie whose labels are tracks, where it has one."""
    if sample.lineage is None or sample.label is None:
        return
    spans: dict[int, tuple[int, int]] = {}
    for frame, moment in enumerate(sample.label.frames()):
        for track in np.unique(moment.pixels[moment.pixels > 0]).tolist():
            spans[track] = spans.get(track, (frame, frame))[0], frame
    path = folder / "tracks" / f"{sample.name}.txt"
    io.write_lineage(path, spans, parents=sample.lineage)


def write_points_and_boxes(folder: Path, sample: Sample) -> None:
    """Write the boxes and centres of a sample as tables, where it has them."""
    if sample.boxes is not None:
        io.write_boxes(
            folder / "boxes" / f"{sample.name}.csv", sample.boxes, classes=sample.box_classes
        )
    if sample.centres is not None:
        path, named = folder / "centres" / f"{sample.name}.csv", sample.centre_classes
        io.write_centres(path, sample.centres, spatial=sample.image.spatial, classes=named)


def copy_files(folder: Path, entry: Entry, *, kinds: Sequence[str]) -> None:
    """Copy files of an entry into the folder of a data set, under the name of the entry.

    Parameters
    ----------
    folder : of the data set.
    entry : of the sample.
    kinds : of files: "images", "labels" …; those that the entry lacks are skipped.
    """
    for kind in kinds:
        if kind in entry.files:
            source = entry.files[kind]
            target = folder / kind / f"{entry.name}{io.suffix(source)}"
            if source.is_dir():
                shutil.copytree(source, target)
                continue
            with io.atomic_write(target) as temporary:
                shutil.copyfile(source, temporary)


def write_tables(folder: Path, entries: Sequence[Entry], *, meta: dict) -> None:
    """Write classes.csv, groups.csv and dataset.toml, each only where it has content.

    Parameters
    ----------
    folder : of the data set.
    entries : their classes, and every other column of the tables that name the images.
    meta : content of dataset.toml.
    """
    classes = [{"name": e.name, "class": e.class_name} for e in entries if e.class_name]
    if classes:
        io.write_csv(folder / "classes.csv", classes)
    others = [{k: v for k, v in e.columns.items() if k != "class"} for e in entries]
    if any(others):
        io.write_csv(
            folder / "groups.csv",
            [{"name": e.name, **o} for e, o in zip(entries, others, strict=True)],
        )
    if meta:
        io.write_text(folder / TOML, format_toml(meta))


def format_toml(values: Mapping) -> str:
    r"""Format plain values as TOML, tables last.

    Parameters
    ----------
    values : name → text, number, bool, list or mapping.

    Examples
    --------
    >>> format_toml({"axes": "ZYX", "spacing_um": [0.5, 0.2, 0.2]})
    'axes = "ZYX"\nspacing_um = [0.5, 0.2, 0.2]\n'
    """
    lines = []
    tables = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            tables.append(f"\n[{_key(name)}]\n{format_toml(value)}")
        else:
            lines.append(f"{_key(name)} = {_toml_value(value)}")
    return "\n".join(lines + tables).rstrip() + "\n"


def _key(name: str) -> str:
    return (
        name
        if name.replace("_", "").replace("-", "").isalnum() and name.isascii()
        else json.dumps(name)
    )


def _toml_value(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml_value, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(k)} = {_toml_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, str | bool):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value) if isinstance(value, int | float) else str(value)


def write_into(folder: Path, dataset: DataSet, *, copy: bool) -> None:
    """Write a data set into a folder that is being made, see `write_dataset`."""
    folder.mkdir(parents=True, exist_ok=True)
    options = dataset.options
    as_they_are = copy and options.reads_whole_files
    for entry in dataset.entries:
        if entry.sample is None and as_they_are:
            copy_files(folder, entry, kinds=tuple(entry.files))
        else:
            write_sample(folder, dataset.reader.sample(entry))
    write_tables(folder, dataset.entries, meta=_meta(dataset, options=options, copied=as_they_are))


def _meta(dataset: DataSet, *, options: InputOptions, copied: bool) -> dict:
    """dataset.toml of the copy.

    For copied files it stays as it is, with the given axes and spacing; for written files it holds
    what all images share.
    """
    rest = {k: v for k, v in dataset.meta.items() if k not in INPUT_KEYS}
    if copied and any(e.sample is None for e in dataset.entries):
        return describe_input_options(dataset) | rest
    images = [dataset.image(i) for i in range(len(dataset))]
    if not images:
        return rest
    axes = {i.axes for i in images}
    spacings = {(i.spacing, i.unit) for i in images}
    names = {i.channels for i in images}
    shared = {"axes": axes.pop()} if len(axes) == 1 else {}
    shared |= name_spacing(*spacings.pop()) if len(spacings) == 1 else {}
    shared |= {"channels": list(images[0].channels)} if len(names) == 1 and any(names) else {}
    return shared | rest


def describe_input_options(dataset: DataSet) -> dict:
    """Axes, spacing and channels of the files, in the terms of dataset.toml.

    Parameters
    ----------
    dataset : its options count as well as its dataset.toml.
    """
    options = dataset.options
    found = (
        {"axes": options.axes}
        | name_spacing(options.spacing, options.unit)
        | {"channels": list(dataset.reader.channels)}
    )
    return {k: v for k, v in found.items() if v}


def name_spacing(spacing: tuple | None, unit: str) -> dict:
    """A spacing in the terms of dataset.toml.

    Parameters
    ----------
    spacing : pixel sizes, or None.
    unit : "um" or "pixel".

    Examples
    --------
    >>> name_spacing((2.2, 1, 1), "pixel"), name_spacing(None, "um")
    ({'spacing': [2.2, 1, 1], 'unit': 'pixel'}, {})
    """
    if not spacing:
        return {}
    if unit == "um":
        return {"spacing_um": list(spacing)}
    return {"spacing": list(spacing), "unit": unit}
