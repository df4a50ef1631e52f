"""Split images into parts: seeded, and without dividing groups."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np

from nbtools.errors import UserError
from nbtools.io.stored import read_slabs

# Tiles of one field: "field3_tile_12", "field3_r0_c1", "field3_y0_x256", "field3-crop2".
TILE = re.compile(
    r"[-_. ](?:(?:tile|crop|patch)[-_]?\d+(?:[-_]\d+)*|[ry]\d+[-_][cx]\d+)$", re.IGNORECASE
)


def split_indices(groups: Sequence[int], shares: Sequence[float], *, seed: int) -> list[list[int]]:
    """Indices of the items in each part, and last of the remaining ones.

    Parameters
    ----------
    groups : number of the group of each item; a group is never divided.
    shares : share of the items in each part; 0 leaves a part empty, any other takes at least one
        group.
    seed : of the random order.

    Raises
    ------
    UserError : fewer groups than parts, or shares that are not from 0 to below 1 together.

    Examples
    --------
    >>> [len(part) for part in split_indices(range(20), [0.15, 0.1], seed=0)]
    [3, 2, 15]
    """
    if any(s < 0 for s in shares) or sum(shares) >= 1:
        raise UserError(
            "Shares must be from 0 to below 1 together.",
            tuple(shares),
            "Example: 0.15 for validation, 0.15 for the test.",
        )
    members: dict[int, list[int]] = {}
    for item, group in enumerate(groups):
        members.setdefault(int(group), []).append(item)
    wanted = sum(s > 0 for s in shares) + 1
    if len(members) < wanted:
        raise UserError(
            f"A split into {wanted} parts needs as many independent images or groups.",
            f"{len(members)} in {len(groups)} images" if len(groups) else "no images",
            "Add images, or ask for fewer parts.",
        )
    order = [members[g] for g in np.random.default_rng(seed).permutation(sorted(members))]
    parts = []
    for i, share in enumerate(shares):
        # each later part, and the rest, needs a group as well
        later = sum(s > 0 for s in shares[i + 1 :]) + 1
        parts.append(
            _take(order, round(share * len(groups)), most=len(order) - later) if share > 0 else []
        )
    return [sorted(part) for part in [*parts, list(chain.from_iterable(order))]]


def _take(order: list[list[int]], count: int, *, most: int) -> list[int]:
    """Remove groups from `order` until about `count` items are taken, at least one group."""
    fits_best = min(range(len(order)), key=lambda i: (max(len(order[i]) - max(count, 1), 0), i))
    taken = [order.pop(fits_best)]
    for group in list(order):
        if len(taken) < most and sum(map(len, taken)) + len(group) <= count:
            order.remove(group)
            taken.append(group)
    return list(chain.from_iterable(taken))


def join_groups(*keys: Sequence[object]) -> list[int]:
    """Join items that share any of their keys, directly or through others.

    Parameters
    ----------
    keys : sequences of equal length, one key per item; None is shared with no other item.

    Returns
    -------
    Number of the group of each item: the index of its first item.

    Examples
    --------
    >>> join_groups(["a", "b", "c", "d"], ["x", "x", "y", None])
    [0, 0, 2, 3]
    """
    pairs = []
    for column in keys:
        first: dict[object, int] = {}
        pairs += [
            (first.setdefault(key, item), item)
            for item, key in enumerate(column)
            if key is not None
        ]
    return link_groups(len(keys[0]), pairs)


def link_groups(count: int, pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Join linked items, directly or through others (connected components).

    Parameters
    ----------
    count : number of items.
    pairs : indices of linked items.

    Returns
    -------
    Number of the group of each item: the index of its first item.

    Examples
    --------
    >>> link_groups(4, [(0, 2), (2, 3)])
    [0, 1, 0, 0]
    """
    group = list(range(count))

    def root(item: int) -> int:
        while group[item] != item:
            group[item] = item = group[group[item]]
        return item

    for one, other in pairs:
        first, second = sorted((root(one), root(other)))
        group[second] = first
    return [root(item) for item in range(count)]


def field_name(name: str) -> str:
    """Name of the field of view that a tile was cut from.

    Parameters
    ----------
    name : of a tile, with one of the usual endings; without one, the name itself is returned.

    Examples
    --------
    >>> field_name("embryo_tile_12"), field_name("embryo_y0_x256"), field_name("embryo")
    ('embryo', 'embryo', 'embryo')
    """
    return TILE.sub("", name)


def hash_pixels(pixels: np.ndarray) -> str:
    """Hash of shape, type and values of an array."""
    known = hashlib.blake2b(f"{pixels.shape}{pixels.dtype}".encode(), digest_size=16)
    for _, slab in read_slabs(pixels):
        known.update(np.ascontiguousarray(slab))
    return known.hexdigest()


def group_duplicates(keys: Iterable[object]) -> list[list[int]]:
    """Find items with the same key.

    Parameters
    ----------
    keys : one per item; items with key None are left out.

    Returns
    -------
    Lists of two or more indices, one for each key that occurs more than once.

    Examples
    --------
    >>> group_duplicates(["a", "b", "a", None, None])
    [[0, 2]]
    """
    places: dict[object, list[int]] = {}
    for item, key in enumerate(keys):
        places.setdefault(key, []).append(item)
    return [items for key, items in places.items() if len(items) > 1 and key is not None]
