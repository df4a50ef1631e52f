"""Classes of nuclei that were found: scores of each class, and confusion.

Of boxes, each class is scored by itself, as if there were no other; *ap50* and *map50_95* of a set
with classes are means over the classes of the truth, as in COCO (Lin et al. 2014,
doi:10.1007/978-3-319-10602-1_48). Of points and labels, true and found ones are matched whatever
their class; a match of two classes is extra for the one and missed for the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from nbtools.metrics.boxes import Pair, score_boxes

Names = tuple[Sequence[str], Sequence[str]]  # classes of the true and of the found objects
MISSED, EXTRA = "missed", "extra"


def score_box_classes(pairs: Sequence[Pair], names: Sequence[Names]) -> dict:
    """Scores of boxes by class, and their means over the classes of the truth.

    Parameters
    ----------
    pairs : true boxes, found boxes, and scores of these or None, of each image.
    names : class of each true and of each found box, of each image.

    Returns
    -------
    `ap50` and `map50_95`, means over the classes of the truth; `ap50_any_class`, where the class is
    not asked for; `per_class`, with `ap50`, `map50_95`, `n_true` and `n_found` of each.

    Examples
    --------
    >>> boxes = np.array([[0.0, 0, 9, 9], [20, 20, 29, 29]])
    >>> scores = score_box_classes([(boxes, boxes, None)], [(["a", "b"], ["a", "a"])])
    >>> scores["ap50"], scores["ap50_any_class"], scores["per_class"]["b"]["ap50"]
    (0.25, 1.0, 0.0)
    """
    known = list_names(names)
    per_class = {}
    for name in known:
        chosen = [_choose(pair, both, name=name) for pair, both in zip(pairs, names, strict=True)]
        counts = {
            "n_true": sum(len(c[0]) for c in chosen),
            "n_found": sum(len(c[1]) for c in chosen),
        }
        per_class[name] = score_boxes(chosen) | counts
    true = [scores for scores in per_class.values() if scores["n_true"]]
    means = {key: float(np.mean([scores[key] for scores in true])) for key in ("ap50", "map50_95")}
    return means | {"ap50_any_class": score_boxes(pairs)["ap50"], "per_class": per_class}


def list_names(names: Sequence[Names]) -> list[str]:
    """All classes of the true and the found objects, in the order of the alphabet."""
    found = set()
    for both in names:
        found.update(*both)
    return sorted(found)


def _choose(pair: Pair, names: Names, *, name: str) -> Pair:
    """True and found boxes of one class."""
    true, found, score = pair
    mine, other = (np.array([one == name for one in side], bool) for side in names)
    return true[mine], found[other], None if score is None else np.asarray(score)[other]


class MatchedClasses:
    """Counts true and found objects by their classes.

    They are matched by distance or overlap, whatever their class.

    Examples
    --------
    >>> tally = MatchedClasses()
    >>> tally.add((["a", "b"], ["a", "a", "b"]), matched=(np.array([0, 1]), np.array([0, 1])))
    >>> scores = tally.summarize()
    >>> scores["confusion"]["a"], scores["confusion"]["b"]
    ({'a': 1}, {'a': 1})
    >>> scores["per_class"]["a"]["precision"], scores["per_class"]["b"]["recall"]
    (0.5, 0.0)
    """

    def __init__(self):
        self.counts: Counter[tuple[str, str]] = Counter()

    def add(self, names: Names, *, matched: tuple[np.ndarray, np.ndarray]) -> None:
        """Count the objects of an image.

        Parameters
        ----------
        names : class of each true and of each found object.
        matched : indices of the matched true objects (K,) and of the found ones (K,).
        """
        true, found = names
        rows, columns = (np.asarray(side, int) for side in matched)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            self.counts[true[row], found[column]] += 1
        for row in set(range(len(true))) - set(rows.tolist()):
            self.counts[true[row], MISSED] += 1
        for column in set(range(len(found))) - set(columns.tolist()):
            self.counts[EXTRA, found[column]] += 1

    def summarize(self) -> dict:
        """Scores per class and confusion.

        Returns
        -------
        `confusion`, true class → found class → number, with "missed" among the found classes
        and "extra" among the true ones; `per_class`, with `precision`, `recall`, `f1`, `n_true` and
        `n_found` of each; `macro_f1`, the mean over the classes of the truth, None without such;
        {} without objects.
        """
        confusion: dict[str, dict[str, int]] = {}
        for (true, found), count in sorted(self.counts.items()):
            confusion.setdefault(true, {})[found] = count
        names = {n for pair in self.counts for n in pair} - {MISSED, EXTRA}
        if not names:
            return {}
        per_class = {name: self._rate(name) for name in sorted(names)}
        true = [one["f1"] for one in per_class.values() if one["n_true"]]
        return {
            "confusion": confusion,
            "per_class": per_class,
            "macro_f1": float(np.mean(true)) if true else None,
        }

    def _rate(self, name: str) -> dict[str, float]:
        hit = self.counts[name, name]
        n_true = sum(count for (true, _), count in self.counts.items() if true == name)
        n_found = sum(count for (_, found), count in self.counts.items() if found == name)
        return {
            "precision": hit / n_found if n_found else 0.0,
            "recall": hit / n_true if n_true else 0.0,
            "f1": 2 * hit / (n_true + n_found),
            "n_true": n_true,
            "n_found": n_found,
        }
