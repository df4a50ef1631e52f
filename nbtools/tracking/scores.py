"""Scores of tracks: DET, SEG and TRA of the Cell Tracking Challenge, and divisions.

A true nucleus is found by the nucleus that covers more than half of it. *SEG* is the mean IoU of
true nuclei with those that find them, 0 where none does. *TRA* is 1 less the cost of turning the
found tracks into the true ones, over the cost of making these from nothing; *DET* is the same of
the nuclei alone, without links.

References
----------
Matula et al. 2015, doi:10.1371/journal.pone.0144959 (the measure and its weights);
Maška et al. 2014, doi:10.1093/bioinformatics/btu080 (SEG).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbtools.image import Image
from nbtools.metrics.overlap import find_overlap
from nbtools.tracking.tracks import Tracks

SPLIT, MISSED, EXTRA = 5.0, 10.0, 1.0  # cost of a change to a nucleus
UNLINK, LINK, RELABEL = 1.0, 1.5, 1.0  # and to a link


@dataclass(frozen=True, eq=False)
class Matching:
    """Which true nucleus is found by which.

    Parameters
    ----------
    found_by : (N,) index of the nucleus that finds each true one; -1 where none does.
    iou : (N,) of the two, 0 where none does.
    counts : (M,) true nuclei that each found one finds.
    """

    found_by: np.ndarray
    iou: np.ndarray
    counts: np.ndarray


def score(truth: Image, found: Image, *, true: Tracks, tracks: Tracks) -> dict:
    """Score the tracks of a movie.

    Parameters
    ----------
    truth, found : label images, with the axes T, (Z,) Y, X.
    true, tracks : true and found tracks of their nuclei.

    Returns
    -------
    `tra`, `det`, `seg` (0 to 1); `missed`, `extra`, `merged` nuclei; `links_missing`,
    `links_extra`, `links_wrong`; `divisions_true`, `divisions_found` and `divisions_right`: the
    mother and both daughters were found, in the frames of the truth.

    Examples
    --------
    >>> from nbtools.tracking import from_labels
    >>> movie = Image(np.array([[[0, 4, 4]], [[4, 4, 0]]]), "TYX")
    >>> tracks = from_labels(movie, tracked=True)
    >>> score(movie, movie, true=tracks, tracks=tracks)["tra"]
    1.0
    """
    matching = match_nuclei(truth, found, true=true, tracks=tracks)
    nodes = _count_nodes(matching)
    links = _count_links(matching, true=true, tracks=tracks)
    nodes_cost = SPLIT * nodes["merged"] + MISSED * nodes["missed"] + EXTRA * nodes["extra"]
    links_cost = (
        UNLINK * links["links_extra"]
        + LINK * links["links_missing"]
        + RELABEL * links["links_wrong"]
    )
    nothing = MISSED * len(true)
    unlinked = nothing + LINK * len(true.edges())
    return {
        "tra": _rate(nodes_cost + links_cost, unlinked),
        "det": _rate(nodes_cost, nothing),
        "seg": float(matching.iou.mean()) if len(true) else 1.0,
        **nodes,
        **links,
        **_count_divisions(matching, true=true, tracks=tracks),
    }


def _rate(cost: float, from_nothing: float) -> float:
    return 1.0 - min(cost / from_nothing, 1.0) if from_nothing else float(cost == 0)


def match_nuclei(truth: Image, found: Image, *, true: Tracks, tracks: Tracks) -> Matching:
    """Find for each true nucleus the one that covers more than half of it.

    Parameters
    ----------
    truth, found : label images.
    true, tracks : their nuclei.
    """
    found_by, iou = np.full(len(true), -1), np.zeros(len(true))
    for frame, (ours, theirs) in enumerate(zip(truth.frames(), found.frames(), strict=True)):
        table = find_overlap(ours, theirs)
        rows = _index(true, frame)
        columns = _index(tracks, frame)
        covers = 2 * table.shared > table.true_size[table.row]
        for pair in np.flatnonzero(covers).tolist():
            row = rows[int(table.true_labels[table.row[pair]])]
            found_by[row] = columns[int(table.predicted_labels[table.column[pair]])]
            iou[row] = table.iou[pair]
    counts = np.bincount(found_by[found_by >= 0], minlength=len(tracks))
    return Matching(found_by, iou, counts)


def _index(tracks: Tracks, frame: int) -> dict[int, int]:
    """Label in a frame → index of its nucleus."""
    rows = np.flatnonzero(tracks.frame == frame)
    return dict(zip(tracks.label[rows].tolist(), rows.tolist(), strict=True))


def _count_nodes(matching: Matching) -> dict[str, int]:
    return {
        "missed": int((matching.found_by < 0).sum()),
        "extra": int((matching.counts == 0).sum()),
        "merged": int(np.maximum(matching.counts - 1, 0).sum()),
    }


def _count_links(matching: Matching, *, true: Tracks, tracks: Tracks) -> dict[str, int]:
    """Links to add, to take away and to rename, between nuclei that find one true nucleus each."""
    found = {(a, b): division for a, b, division in tracks.edges()}
    alone = matching.counts == 1
    missing = wrong = 0
    kept = set()
    for source, target, division in true.edges():
        pair = int(matching.found_by[source]), int(matching.found_by[target])
        known = min(pair) >= 0 and alone[pair[0]] and alone[pair[1]] and pair in found
        if not known:
            missing += 1
            continue
        kept.add(pair)
        wrong += found[pair] != division
    extra = sum(bool(alone[a] and alone[b]) and (a, b) not in kept for a, b in found)
    return {"links_missing": missing, "links_extra": extra, "links_wrong": wrong}


def _count_divisions(matching: Matching, *, true: Tracks, tracks: Tracks) -> dict[str, int]:
    ours, theirs = _list_divisions(true), _list_divisions(tracks)
    found_by = matching.found_by
    right = sum(
        frozenset(found_by[list(daughters)].tolist()) == theirs.get(int(found_by[mother]))
        for mother, daughters in ours.items()
    )
    return {
        "divisions_true": len(ours),
        "divisions_found": len(theirs),
        "divisions_right": int(right),
    }


def _list_divisions(tracks: Tracks) -> dict[int, frozenset[int]]:
    """Index of the last nucleus before each division → those of the first ones after it."""
    found: dict[int, set[int]] = {}
    for source, target, division in tracks.edges():
        if division:
            found.setdefault(source, set()).add(target)
    return {mother: frozenset(daughters) for mother, daughters in found.items()}
