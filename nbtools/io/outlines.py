"""From outlined shapes to a label image: overlaps, slices, and what had to be decided.

A pixel belongs to a shape if its centre lies inside; the centre of the first pixel is (0.5, 0.5).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import PureWindowsPath

import numpy as np

from nbtools.errors import UserError
from nbtools.io.filling import Filled, fill_rings

# parts and slices of one nucleus, as nbtools.export names them
OWN_NAME = re.compile(r"^(nucleus-\d+)(?:-t\d+)?(?:-z\d+)?(?:-\d+)?$")
MIN_SHARED = 0.5  # of the smaller of two outlines on neighbouring slices, to be one nucleus
MIN_INSIDE = 0.9  # of an outline, to lie inside another one
DOUBLE_SUFFIXES = (".ome.tif", ".ome.tiff", ".ome.zarr", ".nii.gz", ".seg.nrrd")
SHOWN = 5  # names in a message
FARTHEST = 2**24  # pixels from the corner of an image; a ROI of Fiji knows no finer beyond


@dataclass(frozen=True)
class OutlineNote:
    """What was decided while a file of outlines was read.

    Parameters
    ----------
    code, severity, message, remedy : as in a finding of `nbtools check`.
    """

    code: str
    severity: str
    message: str
    remedy: str


@dataclass(frozen=True, eq=False)
class Outline:
    """A shape of a file of outlines.

    Parameters
    ----------
    key : of the nucleus; shapes of the same key get the same number.
    rings : (n, 2) in the order y, x; a pixel is inside if it lies in an odd number of them.
    z : plane from 0, or -1 for all.
    name : in the file, for messages.
    group : ROI group; 0 for none.
    joined : the key already holds all slices of the nucleus, and ends in its number.
    mask : (Y, X) bool of the whole plane, in place of rings.
    t : frame from 0, or -1 for all.
    place : plane in the whole stack from 0, where nothing else is known of z and t.
    """

    key: Hashable
    rings: Sequence[np.ndarray]
    z: int = -1
    name: str = ""
    group: int = 0
    joined: bool = False
    mask: np.ndarray | None = None
    t: int = -1
    place: int = -1


@dataclass
class OutlineFile:
    """What a file of outlines holds.

    Parameters
    ----------
    outlines : the shapes that are nuclei.
    void : shapes whose pixels are to be ignored; they become -1.
    notes : about the shapes that are left out.
    """

    outlines: list[Outline] = field(default_factory=list)
    void: list[Outline] = field(default_factory=list)
    notes: list[OutlineNote] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class PaintedLabel:
    """A label image made from outlines.

    Parameters
    ----------
    label : (Y, X) or (Z, Y, X) int32; 0 background, 1 … N nuclei, -1 ignored.
    notes : what had to be decided on the way.
    """

    label: np.ndarray
    notes: tuple[OutlineNote, ...] = ()


def paint_outlines(found: OutlineFile, shape: tuple[int, ...]) -> PaintedLabel:
    """Paint outlined shapes as a label image.

    Small shapes are painted over large ones, since a region drawn around nuclei would hide them. In
    a volume, outlines of one nucleus on several slices are joined, see `join_slices`.

    Parameters
    ----------
    found : the shapes.
    shape : (Y, X) or (Z, Y, X) of the image.

    Returns
    -------
    PaintedLabel

    Raises
    ------
    UserError : a point that is no number, or far beyond any image.

    Examples
    --------
    >>> square = np.array([[0, 0], [0, 2], [2, 2], [2, 0]])
    >>> paint_outlines(OutlineFile([Outline("a", [square])]), (3, 3)).label.tolist()
    [[1, 1, 0], [1, 1, 0], [0, 0, 0]]
    """
    outlines = found.outlines
    _require_near([*outlines, *found.void])
    label = np.zeros(shape, np.int32)
    volume = label if label.ndim == 3 else label[None]
    numbers = _number_keys(outlines)
    masks = [_fill(o, volume.shape[1:]) for o in outlines]
    for outline in found.void:
        _paint(volume, _fill(outline, volume.shape[1:]), z=outline.z, number=-1)
    keys = {number: key for key, number in numbers.items()}
    around: Counter[Hashable] = Counter()
    for i in sorted(range(len(outlines)), key=lambda i: -masks[i][1].sum()):
        z = outlines[i].z if label.ndim == 3 else -1
        outer = _paint(volume, masks[i], z=z, number=numbers[outlines[i].key])
        around.update([keys[outer]] if outer else [])
    notes = [
        *found.notes,
        *_find_outside(outlines, masks, depth=len(volume)),
        *_find_slices(outlines, depth=len(volume), flat=label.ndim == 2),
        *_find_large(outlines, masks, around=around, area=volume[0].size),
        *_find_hidden(outlines, masks, label=label, numbers=numbers),
    ]
    if label.ndim == 3:
        label, joined = join_slices(label, outlines, numbers=numbers)
        notes += joined
    own = all(o.joined for o in outlines)
    return PaintedLabel(label if own else _renumber(label), tuple(notes))


def _require_near(outlines: Sequence[Outline]) -> None:
    for outline in outlines:
        for ring in outline.rings:
            size = np.abs(np.asarray(ring, float)).max(initial=0)
            if not size <= FARTHEST:  # NaN is no number either
                raise UserError(
                    f"The points of an outline are pixels of its image, at most {FARTHEST:,}.",
                    f"{outline.name or outline.key} with a coordinate of {size:g}",
                    "Export the outlines again, in pixels of this image.",
                )


def select_frame(found: OutlineFile, frame: int, *, depth: int) -> OutlineFile:
    """The shapes of one time point of a movie.

    Parameters
    ----------
    found : the shapes of all time points; those that name none are of each.
    frame : time point from 0.
    depth : slices of each time point.
    """
    kept = []
    for outline in found.outlines:
        t, z = divmod(outline.place, depth) if outline.place >= 0 else (outline.t, outline.z)
        if t in (-1, frame):
            kept.append(replace(outline, z=z if depth > 1 else -1))
    return replace(found, outlines=kept)


def _number_keys(outlines: Sequence[Outline]) -> dict[Hashable, int]:
    """Key → number: those of our own names where all have one, else 1 … N in order."""
    keys = list(dict.fromkeys(o.key for o in outlines))
    if keys and all(o.joined for o in outlines):
        return {key: int(str(key).rpartition("-")[2]) for key in keys}
    return {key: number for number, key in enumerate(keys, start=1)}


def _fill(outline: Outline, shape: tuple[int, ...]) -> Filled:
    if outline.mask is None:
        return fill_rings(outline.rings, shape)
    mask = outline.mask[: shape[0], : shape[1]]
    rows, columns = (np.flatnonzero(mask.any(axis=a)) for a in (1, 0))
    box = tuple(slice(*(p[[0, -1]] + (0, 1))) if len(p) else slice(0, 0) for p in (rows, columns))
    return box, mask[box]


def join_slices(
    label: np.ndarray, outlines: Sequence[Outline], *, numbers: dict[Hashable, int]
) -> tuple[np.ndarray, list[OutlineNote]]:
    """Join the outlines of one nucleus on several slices.

    A ROI group with at most one outline on each slice is one nucleus. Else outlines of the same
    group (or of none) are joined from a slice to the next where they share at least half of the
    smaller one, each with one partner at most, the most alike first: two outlines of one slice are
    never joined.

    Parameters
    ----------
    label : (Z, Y, X), in which each outline has the number of its key.
    outlines : what was painted.
    numbers : key → number.

    Returns
    -------
    label with fewer numbers, notes
    """
    loose = [o for o in outlines if not o.joined and 0 <= o.z < len(label)]
    groups: dict[int, list[Outline]] = defaultdict(list)
    for outline in loose:
        groups[outline.group].append(outline)
    root = np.arange(len(numbers) + 1)
    group_of = np.full(len(numbers) + 1, -1)
    reasons: Counter[str] = Counter()
    for group, members in groups.items():
        on_slices = {(o.z, o.key) for o in members}
        if group and len({z for z, _ in on_slices}) == len(on_slices):
            first = numbers[members[0].key]
            for outline in members:
                root[numbers[outline.key]] = first
            reasons["they share a ROI group"] += len(members) if len(on_slices) > 1 else 0
        else:
            group_of[[numbers[o.key] for o in members]] = group
    for low, high in _match_slices(label, group_of):
        reasons["they overlap from slice to slice"] += 1
        root[root == root[high]] = root[low]
    told = [reason for reason, count in reasons.items() if count]
    if not told:
        return label, []
    slices, nuclei = len({o.z for o in loose}), len({root[numbers[o.key]] for o in loose})
    note = OutlineNote(
        "outlines_joined",
        "note",
        f"{len(loose)} outlines on {slices} slices are joined to "
        f"{'1 nucleus' if nuclei == 1 else f'{nuclei} nuclei'}, because {' or '.join(told)}.",
        "Look at the labels. Where that is wrong, give the outlines of each nucleus a ROI group of "
        "their own, or names such as nucleus-0001-z003.",
    )
    return np.where(label > 0, root[np.maximum(label, 0)], label).astype(np.int32), [note]


def _match_slices(label: np.ndarray, group_of: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of numbers on neighbouring slices that show one nucleus."""
    pairs = []
    for low, high in pairwise(label):
        both = (low > 0) & (high > 0)
        found, shared = np.unique(np.stack([low[both], high[both]]), axis=1, return_counts=True)
        size_low, size_high = (np.bincount(p[p > 0], minlength=1) for p in (low, high))
        alike = []
        for (a, b), count in zip(found.T.tolist(), shared.tolist(), strict=True):
            known = group_of[a] == group_of[b] >= 0 and a != b
            if known and count >= MIN_SHARED * min(size_low[a], size_high[b]):
                alike.append((count / (size_low[a] + size_high[b] - count), a, b))
        taken: set[tuple[str, int]] = set()
        for _, a, b in sorted(alike, reverse=True):
            if not {("low", a), ("high", b)} & taken:
                taken |= {("low", a), ("high", b)}
                pairs.append((a, b))
    return pairs


def _paint(volume: np.ndarray, filled: Filled, *, z: int, number: int) -> int:
    """Paint a mask, and return the number of another nucleus in which it lies; 0 for none."""
    box, mask = filled
    if z >= len(volume):
        return 0
    planes = volume[slice(None) if z < 0 else slice(z, z + 1)]
    under = planes[(0, *box)][mask]
    planes[(slice(None), *box)] = np.where(mask, number, planes[(slice(None), *box)])
    values, counts = np.unique(under[under > 0], return_counts=True)
    if not len(values) or counts.max() < MIN_INSIDE * len(under):
        return 0
    outer = int(values[counts.argmax()])
    return 0 if outer == number else outer


def _find_outside(
    outlines: Sequence[Outline], masks: Sequence[Filled], *, depth: int
) -> Iterator[OutlineNote]:
    """Tell of shapes that have no pixel in the image."""
    remedy = "They are left out. Check that they were drawn on this image, at this size."
    beyond = [f"{o.name} (slice {o.z + 1})" for o in outlines if depth > 1 and o.z >= depth]
    if beyond:
        text = f"{_count(beyond)} beyond the {depth} slices of the image: {list_some(beyond)}."
        yield OutlineNote("outline_outside", "warning", text, remedy)
    beside = [o.name for o, (_, mask) in zip(outlines, masks, strict=True) if not mask.any()]
    if beside:
        text = f"{_count(beside)} outside of the image: {list_some(beside)}."
        yield OutlineNote("outline_outside", "warning", text, remedy)


def _find_slices(outlines: Sequence[Outline], *, depth: int, flat: bool) -> Iterator[OutlineNote]:
    """Tell of shapes of several slices in a plane, or of no slice in a volume."""
    slices = sorted({o.z for o in outlines if o.z >= 0})
    if flat and len(slices) > 1:
        yield OutlineNote(
            "outlines_of_slices",
            "warning",
            f"The outlines lie on {len(slices)} slices, from {slices[0] + 1} to {slices[-1] + 1}. "
            "The image is one plane: all are drawn into it.",
            "Give the stack on which they were drawn, or the outlines of this plane alone.",
        )
    loose = [o.name for o in outlines if o.z < 0]
    if loose and depth > 1:
        yield OutlineNote(
            "outline_without_slice",
            "warning",
            f"{_count(loose)} on no slice: {list_some(loose)}. They are drawn on all {depth}.",
            "In Fiji set the position of each (ROI Manager, Properties), and save them again.",
        )


def _find_large(
    outlines: Sequence[Outline],
    masks: Sequence[Filled],
    *,
    around: dict[Hashable, int],
    area: int,
) -> Iterator[OutlineNote]:
    """Tell of shapes around other shapes, and of shapes that cover most of a plane."""
    remedy = "Take it out of the file if it is a region, not a nucleus."
    names = {o.key: o.name for o in reversed(outlines)}
    told = [f"{names[key]} (around {count})" for key, count in around.items()]
    if told:
        text = f"{_count(told)} around others, which are drawn over it: {list_some(told)}."
        yield OutlineNote("outline_encloses", "warning", text, remedy)
    wide = [o.name for o, (_, mask) in zip(outlines, masks, strict=True) if 2 * mask.sum() > area]
    if wide:
        text = f"{_count(wide)} on more than half of the image: {list_some(wide)}."
        yield OutlineNote("outline_covers", "warning", text, remedy)


def _find_hidden(
    outlines: Sequence[Outline], masks: Sequence[Filled], *, label: np.ndarray, numbers: dict
) -> Iterator[OutlineNote]:
    """Tell of nuclei of which nothing is seen, because others lie over them."""
    seen = set()
    for outline, (box, mask) in zip(outlines, masks, strict=True):
        inside = label[(..., *box)][..., mask]  # a small part of a large image
        if (inside == numbers[outline.key]).any():
            seen.add(numbers[outline.key])
    drawn = [
        o
        for o, (_, mask) in zip(outlines, masks, strict=True)
        if mask.any() and (label.ndim == 2 or o.z < len(label))
    ]
    hidden = list(dict.fromkeys(o.name for o in drawn if numbers[o.key] not in seen))
    if hidden:
        yield OutlineNote(
            "outline_hidden",
            "warning",
            f"{_count(hidden)} hidden under others: {list_some(hidden)}.",
            "Remove outlines that were drawn twice.",
        )


def list_some(names: Sequence[str]) -> str:
    """The first names of a list, for a message."""
    return ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")


def _count(names: Sequence[str]) -> str:
    return "1 outline lies" if len(names) == 1 else f"{len(names)} outlines lie"


def _renumber(label: np.ndarray) -> np.ndarray:
    """The label image with the numbers 1 … N in the order of the old ones; -1 stays."""
    there = np.zeros(int(label.max(initial=0)) + 1, bool)
    there[label[label > 0]] = True
    values = np.flatnonzero(there)
    if len(values) == len(there) - 1:
        return label
    table = np.zeros(len(there), np.int32)
    table[values] = np.arange(1, len(values) + 1)
    return np.where(label > 0, table[np.maximum(label, 0)], label).astype(np.int32)


def image_stem(name: str) -> str:
    r"""The file name of an image without folders and extension, in lower case.

    Parameters
    ----------
    name : path in the spelling of any system.

    Examples
    --------
    >>> image_stem("C:\\set\\A.ome.tif"), image_stem("set/b.c.png"), image_stem("b")
    ('a', 'b.c', 'b')
    """
    name = PureWindowsPath(name).name.casefold()
    double = (s for s in DOUBLE_SUFFIXES if name.endswith(s))
    return name.removesuffix(next(double, PureWindowsPath(name).suffix))
