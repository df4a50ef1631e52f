"""Find the parts of a data set in a folder: images, partners, tables and dataset.toml."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from nbtools import documents, io
from nbtools.data import other_tools
from nbtools.data.class_tables import find_classes, require_one_class
from nbtools.data.names import name_key
from nbtools.data.own_files import OWN_FOLDERS, is_own, is_result
from nbtools.data.sample import Entry
from nbtools.data.several import add_inner_labels, share_series, spread
from nbtools.errors import UserError

PARTS = ("train", "val", "test")
FOLDERS = {
    "images": "images",
    "image": "images",
    "labels": "labels",
    "label": "labels",
    "masks": "labels",
    "mask": "labels",
    "clean": "clean",
    "targets": "clean",
    "target": "clean",
    "gt": "clean",
    "centres": "centres",
    "centers": "centres",
    "classes": "classes",
    "boxes": "boxes",
    "annotations": "boxes",
    "annotations_voc": "boxes",
    "tracks": "tracks",
    "unpaired": "unpaired",
}
TABLE_SUFFIXES = {
    "labels": io.ROI_FILES,
    "classes": (".csv",),
    "centres": io.CENTRE_FILES,
    "boxes": io.BOX_FILES,
    "tracks": (".txt",),
}
TABLES = (".csv",)
TOML = "dataset.toml"
# expected beside images, and not reported
DOCUMENTS = (".md", ".txt", ".rst", ".pdf", ".html", ".json", ".toml", ".cff", "")


@dataclass
class Layout:
    """What a folder holds.

    Parameters
    ----------
    entries : one per image.
    meta : content of dataset.toml.
    ignored : file that is not part of the data set → reason.
    orphans : (kind, file) of partners without an image.
    tables : CSV files with a column `name`.
    apart : each image of a file of several is an entry of its own.
    other_tool : what the folder looks like, where another program wrote it; else "".
    root : the folder itself; links in it do not lead out of it.
    """

    entries: list[Entry] = field(default_factory=list)
    meta: dict = field(default_factory=dict)
    ignored: dict[Path, str] = field(default_factory=dict)
    orphans: list[tuple[str, Path]] = field(default_factory=list)
    tables: list[Path] = field(default_factory=list)
    apart: bool = False
    other_tool: str = ""
    root: Path | None = None


def scan(place: Path, *, series: int | str | None = None) -> Layout:
    """Find the data set in a folder, or of one image file.

    Parameters
    ----------
    place : a folder with images/ and its partners, a folder of train, val and test, a plain folder
        of images, or one image, which may be a folder of OME-Zarr.
    series : "all" makes each image of a file an entry of its own.

    Raises
    ------
    UserError : no such folder or file, an unreadable folder, or a broken dataset.toml.
    """
    layout = _scan(place, apart=series == "all")
    add_inner_labels(layout)
    return layout


def _scan(place: Path, *, apart: bool) -> Layout:
    if io.is_image_place(place):
        layout = Layout(meta=read_meta(_root_of(place.parent)), apart=apart)
        _add_files(layout, [place], class_name=None)
        return layout
    if place.name.lower() in OWN_FOLDERS and is_result(place.absolute().parent):
        raise UserError(
            "Pictures that were drawn of a result are no images of nuclei.",
            place,
            f"Give the result itself, {place.parent}, or the images it was made of.",
        )
    if not place.is_dir():
        raise UserError(
            "A data set must be an existing folder or image file.",
            place,
            "Check the spelling, and the folder you are in.",
        )
    parts = {p.name.lower(): p for p in _children(place) if p.is_dir() and p.name.lower() in PARTS}
    if parts and not _kind_folders(place):
        for part in parts.values():
            _require_inside(part, place)
        found = {n: _scan_folder(parts[n], apart=apart) for n in PARTS if n in parts}
        return _join(found, read_meta(place))
    return _scan_folder(place, apart=apart)


def _image_key(name: str) -> str:
    """The key of the image that a table names, with or without its extension."""
    return name_key(io.stem(name) if io.is_image(name) else name)


def read_meta(folder: Path) -> dict:
    """Read dataset.toml of a folder.

    Parameters
    ----------
    folder : of the data set.

    Returns
    -------
    Its content; {} without such a file.

    Raises
    ------
    UserError : it is not a TOML file in UTF-8, or a value has no meaning.
    """
    path = folder / TOML
    return documents.read_document(path) if path.exists() else {}


def find_column(folder: Path, column: str) -> dict[str, str]:
    """Find a column in the CSV files of a folder, or of the two folders above it.

    Parameters
    ----------
    folder : of the data set.
    column : its name; the table also needs the column `name`, of the images.

    Returns
    -------
    Name of the image, as `name_key` spells it → value; {} where no table has the column.
    """
    for place in (folder, *list(folder.absolute().parents)[:2]):
        for path in sorted(place.glob("*.csv")):
            rows = [r for r in io.read_csv(path) if r.get("name") and r.get(column)]
            if rows:
                return {_image_key(r["name"]): r[column] for r in rows}
    return {}


def _scan_folder(folder: Path, *, apart: bool) -> Layout:
    kinds = {} if is_result(folder) else _kind_folders(folder)
    meta = read_meta(folder) or read_meta(_root_of(folder)) or _part_meta(folder)
    layout = Layout(meta=meta, apart=apart, root=folder)
    images = kinds.pop("images", folder)
    _add_images(layout, images, root=folder)
    for kind, places in kinds.items():
        _add_partners(layout, kind, places)
    layout.entries, beside = other_tools.pair_beside(layout.entries, layout.ignored)
    layout.other_tool = layout.other_tool or beside
    _add_lists(layout, folder)
    _add_tables(layout, folder)
    if images != folder:
        _note_strangers(layout, folder)
    return layout


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir(), key=lambda p: (name_key(p.name), p.name))
    except OSError as error:
        raise UserError(
            "A data set's folder must be readable.",
            f"{folder} ({error.strerror})",
            "Check its permissions.",
        ) from error


def _kind_folders(folder: Path) -> dict[str, Path]:
    """Folders of a data set by kind; the standard spelling wins over an alias."""
    found: dict[str, Path] = {}
    for child in _children(folder):
        kind = FOLDERS.get(child.name.lower())
        if kind and child.is_dir() and (kind not in found or child.name.lower() == kind):
            _require_inside(child, folder)
            found[kind] = child
    return found if "images" in found else {}


def _require_inside(child: Path, folder: Path) -> None:
    if child.is_symlink() and documents.leaves_folder(child, folder):
        raise UserError(
            "The folders of a data set lie inside it.",
            f"{child}, a link to {child.resolve()}",
            "Copy the folder there, or name the folder that holds the files.",
        )


def _root_of(folder: Path) -> Path:
    """The folder of the data set, where this is one of its folders such as images/."""
    return folder.absolute().parent if folder.absolute().name.lower() in FOLDERS else folder


def _part_meta(folder: Path) -> dict:
    return read_meta(folder.absolute().parent) if folder.absolute().name.lower() in PARTS else {}


def _add_images(layout: Layout, folder: Path, *, root: Path) -> None:
    """Images of a folder; where it holds folders of images only, those are classes."""
    files = _list_parts(layout, folder, quiet=folder == root)
    if files:
        _add_files(layout, files, class_name=None)
        return
    other = other_tools.recognise(folder, skip=is_result)
    if other is not None:
        layout.entries, layout.other_tool = other.entries, other.words
        layout.ignored |= other.ignored
        return
    for child in _children(folder):
        if (
            _is_plain_folder(child)
            and not is_result(child)
            and not (is_result(folder) and child.name.lower() in OWN_FOLDERS)
            and not child.name.startswith(("_", "."))
            and child.name.lower() not in (*FOLDERS, *PARTS)
        ):
            _add_files(layout, _list_parts(layout, child), class_name=child.name)


def _add_files(layout: Layout, files: list[Path], *, class_name: str | None) -> None:
    taken = {name_key(e.name): e for e in layout.entries}
    for path in files:
        name = io.stem(path)
        other = taken.get(name_key(name))
        if other is not None and other.class_name == class_name:
            layout.ignored[path] = f"another image has this name: {other.files['images'].name}"
            continue
        if other is not None:
            name = f"{class_name}_{name}"
        taken[name_key(name)] = Entry(name, {"images": path}, class_name)
        layout.entries += spread(taken[name_key(name)], apart=layout.apart)


def _is_plain_folder(path: Path) -> bool:
    return path.is_dir() and not io.is_image_folder(path)


def _list_parts(layout: Layout, folder: Path, *, quiet: bool = False) -> list[Path]:
    """The images of a folder; other files are noted as ignored."""
    return [path for path in _children(folder) if _is_part(layout, path, quiet=quiet)]


def _is_part(
    layout: Layout, path: Path, *, suffixes: tuple[str, ...] = (), quiet: bool = False
) -> bool:
    """Whether a file can be part of the data set.

    Other files are noted as ignored, except for documents and tables beside the images.
    """
    if reason := _find_danger(path, layout.root):
        layout.ignored[path] = reason
        return False
    if path.is_dir():
        return io.is_image_folder(path)
    if is_own(path) or path.name == io.folders.MARK:
        return False
    if path.name.startswith(".") or path.name.lower() in ("thumbs.db", "desktop.ini"):
        layout.ignored[path] = "a hidden file"
        return False
    if io.is_image(path) or path.suffix.lower() in suffixes:
        return path.name.lower() != other_tools.CLASS_NAMES
    if not (quiet and path.suffix.lower() in (*DOCUMENTS, *TABLES)):
        what, remedy = io.describe_foreign(path.suffix.lower())
        layout.ignored[path] = (
            f"{path.suffix} ({what}) is not read here: {remedy}" if what else "not an image"
        )
    return False


def _find_danger(path: Path, root: Path | None) -> str:
    """Why something in a folder is not opened; "" where it is."""
    if documents.is_special(path):
        return "a pipe, device or socket"
    if root is not None and documents.leaves_folder(path, root):
        return "a link that leaves the folder of the data set"
    return ""


def _add_partners(layout: Layout, kind: str, folder: Path) -> None:
    """Assign files of a partner's folder, and of class folders in it, to images by their name."""
    if kind == "unpaired":
        _add_unpaired(layout, folder)
        return
    by_key, by_stem = {name_key(e.name): e for e in layout.entries}, _group_by_stem(layout)
    classes = {e.class_name for e in layout.entries}
    whole = {name_key(e.name) for e in layout.entries} if kind == "labels" else set()
    nested = (
        _children(c)
        if _is_plain_folder(c) and (c.name in classes or name_key(c.name) not in whole)
        else [c]
        for c in _children(folder)
    )
    for path in chain.from_iterable(nested):
        if _is_plain_folder(path) and path.parent == folder:
            by_key[name_key(path.name)].files.setdefault(kind, path)
            continue
        if not _is_part(layout, path, suffixes=TABLE_SUFFIXES.get(kind, ())):
            continue
        if kind in ("labels", "boxes") and (listed := io.list_image_names(path)):
            _share_file(layout, path, listed, kind=kind)
            if kind == "boxes" and io.holds_outlines(path):
                _share_file(layout, path, listed, kind="labels")
            continue
        if kind == "labels" and path.suffix.lower() == ".txt":
            layout.other_tool = layout.other_tool or other_tools.YOLO
            _assign(layout, path, by_key, kind=io.is_yolo(path))
            continue
        stem = io.stem(path)
        if kind == "labels" and name_key(stem) not in by_key:
            stem = other_tools.strip_label_ending(stem)
        class_name = path.parent.name if path.parent != folder else ""
        together = by_stem.get(f"{name_key(stem)}/{class_name}", [])
        if len(together) > 1:
            share_series(layout, path, entries=together, kind=kind)
            continue
        entry = together[0] if together else by_key.get(name_key(stem))
        if entry is None:
            layout.orphans.append((kind, path))
        elif (other := entry.files.setdefault(kind, path)) != path:
            layout.ignored[path] = f"another file of {folder.name}/ has this name: {other.name}"


def _group_by_stem(layout: Layout) -> dict[str, list[Entry]]:
    """File name and class (or part) → entries; several where a file holds several images."""
    found: dict[str, list[Entry]] = {}
    for entry in layout.entries:
        key = f"{name_key(io.stem(entry.files['images']))}/{entry.class_name or entry.part}"
        found.setdefault(key, []).append(entry)
    return found


def _assign(layout: Layout, path: Path, by_key: dict[str, Entry], *, kind: str) -> None:
    """Assign a text file of YOLO to the image of its name."""
    entry = by_key.get(name_key(path.stem))
    if entry is None or not kind:
        layout.ignored[path] = "no text file of YOLO for one of the images"
        return
    entry.files.setdefault(kind, path)


def _add_lists(layout: Layout, folder: Path) -> None:
    """Share files beside images/ that list outlines of many images, where there are no labels."""
    if any("labels" in e.files for e in layout.entries):
        return
    for path in _children(folder):
        if path.is_file() and path.suffix.lower() in (".json", ".csv"):
            listed = io.list_image_names(path)
            if listed and io.holds_outlines(path):
                _share_file(layout, path, listed, kind="labels")
                layout.other_tool = layout.other_tool or other_tools.LISTED


def _add_unpaired(layout: Layout, folder: Path) -> None:
    """Give each image one of the images that belong to none, in turn."""
    files = _list_parts(layout, folder)
    if files:
        for number, entry in enumerate(layout.entries):
            entry.files["unpaired"] = files[number % len(files)]


def _share_file(layout: Layout, path: Path, listed: list[str], *, kind: str) -> None:
    """Assign one file that lists the labels or boxes of many images to each of these."""
    keys = {name_key(name) for name in (*listed, *(Path(name).stem for name in listed))}
    found = [
        e for e in layout.entries if keys & {name_key(e.name), name_key(io.stem(e.files["images"]))}
    ]
    for entry in found:
        entry.files.setdefault(kind, path)
    if not found:
        layout.orphans.append((kind, path))


def _add_tables(layout: Layout, folder: Path) -> None:
    """Add the columns of the CSV files beside the images; `class` is the class of the image."""
    columns: dict[str, dict[str, str]] = {}
    for path in _children(folder):
        if path.suffix.lower() != ".csv" or not path.is_file() or path.name.startswith("."):
            continue
        if reason := _find_danger(path, folder):
            layout.ignored[path] = reason
            continue
        if is_own(path):
            continue
        rows, reason = find_classes(io.read_csv(path))
        if reason:
            layout.ignored[path] = reason
            continue
        layout.tables.append(path)
        require_one_class([(_image_key(r["name"]), r.get("class") or "") for r in rows], path)
        for row in rows:
            key = _image_key(row.pop("name"))
            columns.setdefault(key, {}).update({k: v for k, v in row.items() if v})
    for i, entry in enumerate(layout.entries):
        found = columns.get(name_key(entry.name), {})
        layout.entries[i] = replace(
            entry, class_name=found.get("class", entry.class_name), columns=found
        )


def _note_strangers(layout: Layout, folder: Path) -> None:
    """Note other files in the folder as ignored, except for tables and documents."""
    for child in _children(folder):
        if child.is_dir():
            if child.name.lower() not in (*FOLDERS, *PARTS) and not child.name.startswith("."):
                layout.ignored[child] = "not a folder of a data set"
        elif child.name != TOML and child not in layout.tables and child not in layout.ignored:
            if io.is_image(child):
                layout.ignored[child] = "an image outside of images/"
            else:
                _is_part(layout, child, quiet=True)


def _join(parts: dict[str, Layout], meta: dict) -> Layout:
    """Join the layouts of several parts; a name that occurs in two parts gets its part in front."""
    entries = chain.from_iterable(layout.entries for layout in parts.values())
    counts = Counter(name_key(e.name) for e in entries)
    joined = Layout(meta=meta or next((p.meta for p in parts.values() if p.meta), {}))
    for part, layout in parts.items():
        for entry in layout.entries:
            name = f"{part}_{entry.name}" if counts[name_key(entry.name)] > 1 else entry.name
            joined.entries.append(replace(entry, name=name, part=part))
        joined.ignored |= layout.ignored
        joined.orphans += layout.orphans
        joined.tables += layout.tables
        joined.other_tool = joined.other_tool or layout.other_tool
    return joined
