"""Folders as other programs and published sets write them, recognised by names and content.

Each is read as it is: images with their label images. `nbtools convert` writes them as a data set.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

import numpy as np

from nbtools import io
from nbtools.data.names import name_key
from nbtools.data.sample import Entry
from nbtools.errors import UserError

PARTS = {"train": "train", "val": "val", "valid": "val", "test": "test", "quality": "test"}
LABELS = re.compile(
    r"[_\-. ](?:cp_masks?|masks?|labels?|seg|segmentation|gt|groundtruth|instances?)$",
    re.IGNORECASE,
)
ROI_SET = re.compile(r"^roiset[_\-. ]|[_\-. ]roiset$", re.IGNORECASE)  # Fiji's name of a zip
PREFIX = re.compile(r"^(?:masks?|labels?|seg|gt)[_\-. ](?:of[_\-. ])?", re.IGNORECASE)
PICTURES = re.compile(
    r"[_\-](?:cp_output|cp_outlines|cp_flows|flows|outlines|dp|cellprob)$", re.IGNORECASE
)  # what Cellpose saves beside the masks
CERTAIN = ("_cp_masks", "_masks")
IMAGES = ("", "_img", "_image", "_raw")  # behind the image's name, where label images have another
SOURCES = ("source", "raw", "input", "inputs", "images", "image", "img", "low", "noisy")
TARGETS = (
    *("target", "targets", "gt", "groundtruth", "output", "outputs", "high", "clean"),
    *("masks", "mask", "labels", "label", "annotations", "segmentation"),
)
PLANE = re.compile(r"(?:^|[_\-. ])(?:z|slice|plane|section|layer)[_\- ]?(\d+)$", re.IGNORECASE)
NNUNET = {"imagesTr": ("labelsTr", "train"), "imagesTs": ("labelsTs", "test")}
CHANNEL = re.compile(r"_(\d{4})$")  # behind the case's name, in nnU-Net
YOLO = "text files of LabelImg or YOLO"
CLASS_NAMES = "classes.txt"  # beside them
LISTED = "one file that lists the outlines of many images, such as COCO or VIA"
COUNTED = re.compile(r"(\d+)$")
MIN_PLANES = 5  # where only what they show tells that images are planes of a volume
MIN_ALIKE = 0.8  # of neighbouring pixels that are not background, in a label image


@dataclass
class OtherLayout:
    """A folder in the layout of another program.

    Parameters
    ----------
    words : what it looks like.
    entries : one per image.
    ignored : file that is not used → reason.
    """

    words: str
    entries: list[Entry]
    ignored: dict[Path, str] = field(default_factory=dict)


def recognise(
    folder: Path, *, skip: Callable[[Path], bool] = lambda path: False
) -> OtherLayout | None:
    """Find the layout of another program in a folder that is no data set.

    Parameters
    ----------
    folder : without images/, or this folder itself.
    skip : whether a folder in it is not looked at, such as a result.

    Returns
    -------
    OtherLayout, or None where there is nothing of the kind.
    """
    children = [c for c in _children(folder) if _is_folder(c) and not skip(c)]
    listed = _find_listed(folder, children)
    if listed is not None:
        listed.entries = _tell_apart(listed.entries)
        return listed
    readers: tuple[Callable[[list[Path]], OtherLayout | None], ...] = (
        _find_nnunet,
        _find_one_folder_per_image,
        _find_parts,
        _find_paired_folders,
        _find_planes,
    )
    found = next((found for read in readers if (found := read(children)) is not None), None)
    if found is not None:
        found.entries = _tell_apart(found.entries)
    return found


def pair_beside(entries: list[Entry], ignored: dict[Path, str]) -> tuple[list[Entry], str]:
    """Take the label images and outlines beside the images as their partners.

    Parameters
    ----------
    entries : of a folder of images; label images among them leave the list.
    ignored : file → reason; files beside the images that are not used are added.

    Returns
    -------
    entries, and what the folder looks like; "" where there are images only.
    """
    by_place = {(e.files["images"].parent, name_key(e.name)): e for e in entries}
    found: dict[int, dict[str, Path]] = {}
    taken: set[int] = set()
    certain = dict.fromkeys(CERTAIN, True)  # ending → whether label images have it
    words = []
    for entry in entries:
        path = entry.files["images"]
        stem = name_key(io.stem(path))
        base = next((b for b in _bases(stem) if (path.parent, b) in by_place), None)
        ending = LABELS.search(stem)
        if base is None:
            continue
        if ending and not certain.setdefault(ending.group(), looks_like_labels(path)):
            continue
        image = by_place[path.parent, base]
        taken.add(id(entry))
        if PICTURES.search(stem):
            ignored[path] = "a picture that Cellpose saves beside its masks"
            continue
        found.setdefault(id(image), {})["labels"] = path
        words.append("label images beside the images, as Cellpose saves them (NAME_masks)")
    images = [e for e in entries if id(e) not in taken]
    for folder in dict.fromkeys(e.files["images"].parent for e in images):
        here = {k[1]: e for k, e in by_place.items() if k[0] == folder and id(e) not in taken}
        for path, kind, name in _list_outline_files(folder, here, ignored):
            for entry in (here[n] for n in name if n in here):
                found.setdefault(id(entry), {}).setdefault(kind, path)
            words.append(f"files of outlines or boxes beside the images ({path.suffix})")
    paired = [
        replace(e, name=_without_suffix(e, found), files=found.get(id(e), {}) | e.files)
        for e in images
    ]
    return paired, words[0] if words else ""


def looks_like_labels(path: Path) -> bool:
    """Whether an image file holds labels or a mask; a file that cannot be read does not."""
    try:
        return hold_labels(io.open_image(path, palette=True).image.pixels)
    except UserError:
        return False


def hold_labels(pixels: np.ndarray) -> bool:
    """Whether pixels are labels or a mask: whole numbers, the same over whole regions.

    Parameters
    ----------
    pixels : (*space), of any type.

    Examples
    --------
    >>> hold_labels(np.kron([[0, 1], [2, 0]], np.ones((9, 9))))
    True
    """
    if pixels.dtype.kind == "f" and not (pixels == np.rint(pixels)).all():
        return False
    left, right = pixels[..., :-1], pixels[..., 1:]
    objects = (left > 0) & (right > 0)
    if not objects.any() or (pixels == 0).mean() < 0.02:
        return False
    return bool((left == right)[objects].mean() >= MIN_ALIKE)


def strip_label_ending(stem: str) -> str:
    """The name of the image of a label file, without _masks, RoiSet or the image's extension."""
    shorter = PREFIX.sub("", ROI_SET.sub("", LABELS.sub("", stem)))
    return io.stem(shorter) if io.is_image(shorter) else shorter


def _tell_apart(entries: list[Entry]) -> list[Entry]:
    """Entries with names of their own; a single part is none."""
    order = ("", "train", "val", "test")
    entries = sorted(entries, key=lambda e: order.index(e.part))
    parts = {e.part for e in entries}
    counts = Counter(name_key(e.name) for e in entries)
    return [
        replace(
            e,
            name=f"{e.part}_{e.name}" if counts[name_key(e.name)] > 1 and e.part else e.name,
            part=e.part if len(parts) > 1 else "",
        )
        for e in entries
    ]


def _find_nnunet(children: list[Path]) -> OtherLayout | None:
    """imagesTr/CASE_0000.nii.gz with labelsTr/CASE.nii.gz."""
    by_name = {c.name: c for c in children}
    entries = []
    ignored = {}
    for folder, (partner, part) in NNUNET.items():
        if folder not in by_name:
            continue
        labels = {name_key(io.stem(p)): p for p in _images(by_name.get(partner))}
        for path in _images(by_name[folder]):
            stem = io.stem(path)
            channel = CHANNEL.search(stem)
            if channel and int(channel.group(1)):
                ignored[path] = "another channel of nnU-Net: _0000 is read"
                continue
            name = CHANNEL.sub("", stem)
            label = labels.get(name_key(name))
            files = {"images": path} | ({"labels": label} if label else {})
            entries.append(Entry(name, files, part=part))
    return (
        OtherLayout("the folders of nnU-Net (imagesTr, labelsTr)", entries, ignored)
        if (entries)
        else None
    )


def _find_one_folder_per_image(children: list[Path]) -> OtherLayout | None:
    """ID/images/ID.png with ID/masks/*.png, one mask per nucleus; perhaps one folder deeper."""
    entries = list(_list_image_folders(children, part=""))
    if not entries:
        for child in children:
            inner = [c for c in _children(child) if _is_folder(c)]
            entries += _list_image_folders(inner, part=_part(child.name) or "")
    if not any("labels" in e.files for e in entries):
        return None
    return OtherLayout(
        "one folder per image with one mask per nucleus, as the Data Science Bowl 2018 (BBBC038) "
        "was published",
        entries,
    )


def _list_image_folders(folders: list[Path], *, part: str) -> Iterator[Entry]:
    for folder in folders:
        images = _images(folder / "images")
        masks = folder / "masks"
        if folder.name.lower() in PARTS or len(images) != 1:
            continue
        files = {"images": images[0]} | ({"labels": masks} if _images(masks) else {})
        yield Entry(io.stem(images[0]), files, part=part)


def _find_listed(folder: Path, children: list[Path]) -> OtherLayout | None:
    """train2017/, val2017/ and annotations/instances_train2017.json, as COCO is published."""
    places = [c for c in _children(folder) if c.is_file()]
    places += [p for c in children if c.name.lower() == "annotations" for p in _children(c)]
    entries = []
    for path in (p for p in places if p.suffix.lower() == ".json"):
        names = {name_key(io.stem(name)) for name in io.list_image_names(path)}
        kind = "labels" if names and io.holds_outlines(path) else "boxes"
        entries += [
            Entry(io.stem(image), {"images": image, kind: path}, part=_part(child.name) or "")
            for child in children
            for image in _images(child)
            if name_key(io.stem(image)) in names and _part(child.name) in (None, _part(path.stem))
        ]
    return OtherLayout(LISTED, entries) if entries else None


def _find_parts(children: list[Path]) -> OtherLayout | None:
    """images/train and images/val, as YOLO's sets have them; labels are found by their names."""
    parts = {c: PARTS[c.name.lower()] for c in children if c.name.lower() in PARTS and _images(c)}
    entries = [
        Entry(io.stem(path), {"images": path}, part=part)
        for folder, part in parts.items()
        for path in _images(folder)
    ]
    return (
        OtherLayout("parts inside of images/, as YOLO's sets have them", entries)
        if (entries)
        else None
    )


def _find_paired_folders(children: list[Path]) -> OtherLayout | None:
    """Folders such as Training_source and Training_target, or one of images and one of labels."""
    pairs = list(_pair_by_name(children)) or list(_pair_by_content(children))
    entries = []
    ignored = {}
    kinds = set()
    for source, target in pairs:
        kind = "labels" if looks_like_labels(_images(target)[0]) else "clean"
        kinds.add(kind)
        partners = {_pair_key(p): p for p in _images(target)}
        for path in _images(source):
            partner = partners.pop(_pair_key(path), None)
            files = {"images": path} | ({kind: partner} if partner else {})
            entries.append(Entry(io.stem(path), files, part=_part(source.name) or ""))
        ignored |= dict.fromkeys(partners.values(), "no image has this name")
    if not entries:
        return None
    used = set(chain.from_iterable(pairs))
    ignored |= {c: "not one of the paired folders" for c in children if c not in used}
    names = " and ".join(path.name for path in pairs[0])
    what = "label images" if kinds == {"labels"} else "clean images"
    return OtherLayout(
        f"folders of images and of {what}, as ZeroCostDL4Mic has them ({names})", entries, ignored
    )


def _pair_by_name(children: list[Path]) -> Iterator[tuple[Path, Path]]:
    split = {c: _split_role(c.name) for c in children if _images(c)}
    for source, (prefix, role) in split.items():
        if role != "source":
            continue
        target = next((c for c, (p, r) in split.items() if (p, r) == (prefix, "target")), None)
        if target is not None:
            yield source, target


def _pair_by_content(children: list[Path]) -> Iterator[tuple[Path, Path]]:
    """Two folders that hold files of the same names, one of them label images."""
    held = {c: {_pair_key(p) for p in _images(c)} for c in children}
    for target, names in held.items():
        others = [c for c, own in held.items() if c != target and len(own & names) * 2 > len(names)]
        if not names or not others or not looks_like_labels(_images(target)[0]):
            continue
        source = next((c for c in others if not looks_like_labels(_images(c)[0])), None)
        if source is not None:
            yield source, target


def _find_planes(children: list[Path]) -> OtherLayout | None:
    """VOLUME/z000.tif …: the planes of a volume as files of a folder, whose names say so."""
    volumes = [c for c in children if _are_planes(_images(c))]
    if not volumes or len(volumes) < len([c for c in children if _images(c)]):
        return None
    entries = [Entry(c.name, {"images": c}) for c in volumes]
    return OtherLayout("volumes with one file per plane (VOLUME/z000.tif …)", entries)


def _are_planes(paths: list[Path]) -> bool:
    """Whether files are the planes of a volume, by their names, or by names and content."""
    stems = [io.stem(path) for path in paths]
    if len(paths) > 1 and _count_on(stems, PLANE):
        return True
    return (
        len(paths) >= MIN_PLANES
        and _count_on(stems, COUNTED)
        and len({COUNTED.sub("", stem) for stem in stems}) == 1
        and _go_over_into_each_other(io.sort_by_number(paths))
    )


def _count_on(stems: list[str], pattern: re.Pattern) -> bool:
    """Whether names count without a gap."""
    found = [pattern.search(stem) for stem in stems]
    if not all(found):
        return False
    numbers = sorted(int(match.group(1)) for match in found)
    return numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _go_over_into_each_other(paths: list[Path]) -> bool:
    """Whether an image is like the next one, and less like one further away."""
    middle = len(paths) // 2
    try:
        planes = [
            io.open_image(paths[i]).image.pixels.astype(float).ravel()
            for i in (middle - 1, middle, middle + 1, 0, len(paths) - 1)
        ]
    except UserError:
        return False
    if len({p.size for p in planes}) > 1 or any(p.std() == 0 for p in planes[:3]):
        return False
    before, here, after, *ends = planes
    near = min(np.corrcoef(here, other)[0, 1] for other in (before, after))
    far = max(np.corrcoef(here, end)[0, 1] if end.std() else 0.0 for end in ends)
    return bool(near > 0.5 and near > far + 0.1)


def _bases(stem: str) -> Iterator[str]:
    """The names that an image may have whose label image has this one."""
    for pattern in (LABELS, PICTURES):
        shorter = pattern.sub("", stem)
        if shorter != stem and shorter:
            yield from (shorter + end for end in IMAGES)


def _without_suffix(entry: Entry, found: dict[int, dict[str, Path]]) -> str:
    """The name without _img, where the label image has a name of its own."""
    label = found.get(id(entry), {}).get("labels")
    shorter = re.sub(r"_(?:img|image|raw)$", "", entry.name, flags=re.IGNORECASE)
    if label is None or name_key(LABELS.sub("", io.stem(label))) != name_key(shorter):
        return entry.name
    return shorter


def _list_outline_files(
    folder: Path, here: dict[str, Entry], ignored: dict[Path, str]
) -> Iterator[tuple[Path, str, list[str]]]:
    """Files of outlines or boxes among the images: path, kind, names of their images."""
    for path in _children(folder):
        ending = path.suffix.lower()
        if path.is_dir() or ending not in io.ROI_FILES or path.name.startswith("."):
            continue
        stem = name_key(path.stem)
        if ending == ".npy":
            if stem.removesuffix("_seg") in here:
                ignored[path] = (
                    "a pickle of Cellpose, which can run code; in Cellpose choose File > Save "
                    "masks as PNG"
                )
        elif ending == ".txt":
            kind = io.is_yolo(path)
            if stem in here and kind:
                yield path, kind, [stem]
        elif stem in here and ending != ".csv" and io.holds_labels(path):
            yield path, "labels", [stem]
        elif ending in (".json", ".csv"):
            names = [name_key(io.stem(name)) for name in io.list_image_names(path)]
            if any(name in here for name in names):
                yield path, "labels", names


def _split_role(name: str) -> tuple[str, str]:
    """A folder's name as what comes before the role, and the role: source, target or none."""
    words = [w for w in re.split(r"[\s_\-]+", name.casefold()) if w]
    if words and words[-1] in SOURCES:
        return " ".join(words[:-1]), "source"
    return " ".join(words[:-1]), "target" if words and words[-1] in TARGETS else ""


def _part(name: str) -> str | None:
    """The part of a split that a folder's name begins with."""
    return next((part for word, part in PARTS.items() if word in name.casefold()), None)


def _pair_key(path: Path) -> str:
    return name_key(LABELS.sub("", io.stem(path)))


def _images(folder: Path | None) -> list[Path]:
    if folder is None or not folder.is_dir():
        return []
    return [p for p in _children(folder) if io.is_image(p) and not p.name.startswith(".")]


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not io.is_image(path) and not path.name.startswith((".", "_"))


def _children(folder: Path) -> list[Path]:
    return sorted(folder.iterdir(), key=lambda p: (name_key(p.name), p.name))
