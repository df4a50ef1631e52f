"""A forest of decision trees as plain arrays: grown by scikit-learn, applied and stored without it.

A pickled forest runs whatever code its file holds, and opens only in the version that wrote it. Six
arrays do neither.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nbtools import documents, io, runtime
from nbtools.errors import UserError

FILE = "weights.npz"
TREES = documents.ArrayFile(
    "The trees of a forest must be readable.", "Copy the whole folder again, or train again."
)
PIECE = 32_768  # pixels asked together: their features stay in the processor's cache


@dataclass(frozen=True, eq=False)
class Trees:
    """Nodes of all trees, one tree behind the other.

    A node sends a pixel left where its feature is not above the threshold.

    Parameters
    ----------
    roots : (trees,) first node of each.
    left, right : (nodes,) next node, always a later one; -1 in a leaf.
    feature : (nodes,) number of the feature.
    threshold : (nodes,) float32.
    share : (nodes,) float32, share of nucleus pixels among those that came to a leaf; of several
        classes (nodes, K), the share of each.
    """

    roots: np.ndarray
    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    share: np.ndarray

    def ask(self, features: np.ndarray) -> np.ndarray:
        """Predict the probability of a nucleus, or of each class: the mean over the trees.

        Parameters
        ----------
        features : (F, n) float32, features of n pixels, or of n images.

        Returns
        -------
        (n,) or (n, K) float32, 0 … 1.
        """
        starts = range(0, features.shape[1], PIECE)
        with ThreadPoolExecutor(runtime.cores()) as pool:
            parts = list(
                pool.map(
                    lambda start: self._ask_piece(
                        np.ascontiguousarray(features[:, start : start + PIECE])
                    ),
                    starts,
                )
            )
        return np.concatenate(parts) if parts else np.zeros((0, *self.share.shape[1:]), np.float32)

    def _ask_piece(self, features: np.ndarray) -> np.ndarray:
        total = np.zeros((features.shape[1], *self.share.shape[1:]), np.float64)
        for root in self.roots:
            waiting = [(int(root), np.arange(features.shape[1]))]
            while waiting:
                node, pixels = waiting.pop()
                if self.left[node] < 0:
                    total[pixels] += self.share[node]
                    continue
                goes_left = features[self.feature[node]].take(pixels) <= self.threshold[node]
                for child, chosen in ((self.left[node], goes_left), (self.right[node], ~goes_left)):
                    part = pixels[chosen]
                    if len(part):
                        waiting.append((int(child), part))
        return (total / len(self.roots)).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write the arrays into a folder."""
        with io.atomic_write(Path(folder) / FILE) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **vars(self))

    @classmethod
    def load(cls, folder: Path, *, features: int, classes: int | None = None) -> Trees:
        """Read the arrays of trees, and check that every path through them ends.

        Parameters
        ----------
        folder : of the model.
        features : number of features that the trees may use.
        classes : number of classes that they tell apart; None for nucleus and background.

        Raises
        ------
        UserError : the file is missing or damaged, or uses other features.
        """
        path = Path(folder) / FILE
        trees = cls(**TREES.read(path, names=cls.__dataclass_fields__))
        try:
            sound = trees._is_sound(features, shares=() if classes is None else (classes,))
        except documents.DAMAGES:
            sound = False
        if not sound:
            received = f"{path} (nodes that lead nowhere)"
            raise UserError(TREES.rule, received, TREES.remedy)
        return trees

    def _is_sound(self, features: int, *, shares: tuple[int, ...]) -> bool:
        nodes, count = np.arange(len(self.left)), len(self.left)
        inner = self.left >= 0
        parts = (self.left, self.right, self.feature, self.threshold)
        same = all(part.shape == (count,) for part in parts) and self.roots.ndim == 1
        same &= self.share.shape == (count, *shares)
        same &= all(part.dtype.kind == "i" for part in (self.roots, *parts[:3]))
        onward = (
            (part[inner] > nodes[inner]) & (part[inner] < count) for part in (self.left, self.right)
        )
        known = (self.feature[inner] >= 0) & (self.feature[inner] < features)
        rooted = len(self.roots) and 0 <= self.roots.min() <= self.roots.max() < count
        return bool(
            same
            and rooted
            and all(o.all() for o in onward)
            and known.all()
            and np.isfinite(self.share).all()
        )


def grow(
    features: np.ndarray, nucleus: np.ndarray, *, trees: int, leaf: int, balanced: bool, seed: int
) -> Trees:
    """Grow a random forest that tells nucleus from background, or classes from each other.

    Parameters
    ----------
    features : (n, F) float32, features of n pixels, or of n images.
    nucleus : (n,) bool, both kinds present; or (n,) int, numbers of classes from 0, all present.
    trees : their number.
    leaf : smallest number of pixels in a leaf; more make smoother borders and smaller trees.
    balanced : nucleus and background, or all classes, have equal weight, however many pixels each
        has; else each pixel has the same weight.
    seed : of the forest.

    References
    ----------
    Breiman 2001, doi:10.1023/A:1010933404324.
    """
    from sklearn.ensemble import RandomForestClassifier

    about = {
        "n_estimators": trees,
        "min_samples_leaf": leaf,
        "max_features": "sqrt",
        "class_weight": "balanced" if balanced else None,
    }
    forest = RandomForestClassifier(**about, random_state=seed, n_jobs=runtime.cores()).fit(
        features, nucleus
    )
    grown = [tree.tree_ for tree in forest.estimators_]
    starts = np.cumsum([0, *(tree.node_count for tree in grown)])
    share = np.concatenate([t.value[:, 0] / t.value[:, 0].sum(axis=1)[:, None] for t in grown])
    if nucleus.dtype == bool:
        share = share[:, list(forest.classes_).index(True)]
    return Trees(
        starts[:-1].astype(np.int32),
        _join_children([t.children_left for t in grown], starts),
        _join_children([t.children_right for t in grown], starts),
        np.concatenate([t.feature for t in grown]).astype(np.int16),
        _round_down(np.concatenate([t.threshold for t in grown])),
        share.astype(np.float32),
    )


def _join_children(children: list[np.ndarray], starts: np.ndarray) -> np.ndarray:
    return np.concatenate(
        [np.where(c < 0, -1, c + start) for c, start in zip(children, starts[:-1], strict=True)]
    ).astype(np.int32)


def _round_down(thresholds: np.ndarray) -> np.ndarray:
    """The largest float32 not above each value.

    Features are float32, so the comparison sends no pixel another way.
    """
    rounded = thresholds.astype(np.float32)
    return np.where(rounded > thresholds, np.nextafter(rounded, np.float32(-np.inf)), rounded)
