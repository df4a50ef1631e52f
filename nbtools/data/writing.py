"""Write a data set in the layout that everything here reads."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from nbtools import io
from nbtools.data.classes import write_classes
from nbtools.data.dataset import DataSet
from nbtools.data.layout import PARTS, TOML
from nbtools.data.sample import Entry, InputOptions, Sample

INPUT_KEYS = (
    "axes",
    "spacing",
    "spacing_um",
    "unit",
    "channels",
)  # what dataset.toml says about the reading of files


def write_dataset(
    dataset: DataSet, folder: str | Path, *, overwrite: bool = False, copy: bool = True
) -> Path:
    """Write images/, labels/, clean/, tables and dataset.toml, whole or not at all.

    copy : copy files as they are where the data set was opened without options; False writes all of
        them as TIFF.

    Returns
    -------
    folder : Path
    """
    with io.new_folder(folder, overwrite=overwrite) as temporary:
        write_into(temporary, dataset, copy=copy)
    return Path(folder)


def copy_split(
    parts: Mapping[str, DataSet] | Sequence[DataSet], folder: str | Path, *, overwrite: bool = False
) -> Path:
    """Write the parts of a split as folder/train, folder/val and folder/test, whole or not at all.

    Examples
    --------
    >>> copy_split(DataSet.open("my_nuclei").split(val=0.15, test=0.15), "my_split")
    """
    named = parts if isinstance(parts, Mapping) else dict(zip(PARTS, parts, strict=False))
    with io.new_folder(folder, overwrite=overwrite) as temporary:
        for part, dataset in named.items():
            write_into(temporary / part, dataset, copy=True)
    return Path(folder)


def write_sample(folder: Path, sample: Sample) -> None:
    """Write one sample's image and all its partners into a data set's folder."""
    io.write_image(folder / "images" / f"{sample.name}.tif", sample.image)
    if sample.label is not None:
        io.write_label(folder / "labels" / f"{sample.name}.tif", sample.label)
    if sample.clean is not None:
        io.write_image(folder / "clean" / f"{sample.name}.tif", sample.clean)
    if sample.classes is not None:
        write_classes(folder / "classes" / f"{sample.name}.csv", sample.classes)
    write_points_and_boxes(folder, sample)


def write_points_and_boxes(folder: Path, sample: Sample) -> None:
    """Write a sample's boxes and centres as tables, where it has them."""
    if sample.boxes is not None:
        io.write_boxes(
            folder / "boxes" / f"{sample.name}.csv", sample.boxes, classes=sample.box_classes
        )
    if sample.centres is not None:
        io.write_centres(
            folder / "centres" / f"{sample.name}.csv", sample.centres, spatial=sample.image.spatial
        )


def copy_files(folder: Path, entry: Entry, *, kinds: Sequence[str]) -> None:
    """Copy an entry's files of these kinds into a data set's folder, under its name."""
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
    """Write classes.csv, groups.csv (every other column that the images had) and dataset.toml,
    where there is something to say.
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
    """Plain values as TOML, tables last: {"axes": "ZYX"} gives 'axes = "ZYX"'."""
    lines = [
        f"{_key(k)} = {_toml_value(v)}" for k, v in values.items() if not isinstance(v, Mapping)
    ]
    tables = [
        f"\n[{_key(k)}]\n{format_toml(v)}" for k, v in values.items() if isinstance(v, Mapping)
    ]
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
    """Write a data set into a folder that is in the making; see write_dataset."""
    folder.mkdir(parents=True, exist_ok=True)
    options = dataset.options
    as_they_are = copy and options.channel is None and options.time is None
    for entry in dataset.entries:
        if entry.sample is None and as_they_are:
            copy_files(folder, entry, kinds=tuple(entry.files))
        else:
            write_sample(folder, dataset.reader.sample(entry))
    write_tables(folder, dataset.entries, meta=_meta(dataset, options=options, copied=as_they_are))


def _meta(dataset: DataSet, *, options: InputOptions, copied: bool) -> dict:
    """dataset.toml of the copy: for copied files as it was, with given axes and spacing; for
    written ones what they all share.
    """
    rest = {k: v for k, v in dataset.meta.items() if k not in INPUT_KEYS}
    if copied and any(e.sample is None for e in dataset.entries):
        return describe_input_options(dataset) | rest
    images = [dataset.image(i) for i in range(len(dataset))]
    if not images:
        return rest
    axes = {i.axes for i in images}
    spacings = {(i.spacing, i.unit) for i in images}
    shared = {"axes": axes.pop()} if len(axes) == 1 else {}
    shared |= name_spacing(*spacings.pop()) if len(spacings) == 1 else {}
    names = {i.channels for i in images}
    return (
        shared
        | ({"channels": list(images[0].channels)} if len(names) == 1 and images[0].channels else {})
        | rest
    )


def describe_input_options(dataset: DataSet) -> dict:
    """Axes, spacing and channels by which the files are read, as dataset.toml names them; what was
    given counts, too.
    """
    options = dataset.options
    found = (
        {"axes": options.axes}
        | name_spacing(options.spacing, options.unit)
        | {"channels": list(dataset.reader.channels)}
    )
    return {k: v for k, v in found.items() if v}


def name_spacing(spacing: tuple | None, unit: str) -> dict:
    """A spacing as dataset.toml names it; {} without one."""
    if not spacing:
        return {}
    return (
        {"spacing_um": list(spacing)} if unit == "um" else {"spacing": list(spacing), "unit": unit}
    )
