"""One-to-one matching with as many pairs as possible, and among those the largest total value."""

from __future__ import annotations

import numpy as np


def match_pairs(
    row: np.ndarray, column: np.ndarray, *, values: np.ndarray, threshold: float
) -> np.ndarray:
    """Choose which candidate pairs match; each row and each column is in at most one match.

    Parameters
    ----------
    row, column : (pairs,) the two sides of each pair, as numbers from 0.
    values : (pairs,) quality of each pair, 0 to 1.
    threshold : a pair can match only if its value reaches it.

    Returns
    -------
    (pairs,) bool.

    Examples
    --------
    >>> row, column = np.array([0, 0, 1]), np.array([0, 1, 0])
    >>> match_pairs(row, column, values=np.array([0.9, 0.6, 0.6]), threshold=0.5).tolist()
    [False, True, True]
    """
    candidate = values >= threshold
    if len(np.unique(row[candidate])) == candidate.sum() == len(np.unique(column[candidate])):
        return candidate
    # From 0.5 upwards only candidates compete; below, other overlaps change the best assignment,
    # as in stardist.matching (Schmidt et al. 2018, doi:10.1007/978-3-030-00934-2_30).
    considered = np.flatnonzero(candidate) if threshold >= 0.5 else np.arange(len(values))
    matched = np.zeros(len(values), bool)
    for pairs in _components(row, column, considered):
        matched[
            pairs[_assign(row[pairs], column[pairs], values=values[pairs], threshold=threshold)]
        ] = True
    return matched & candidate


def _components(row: np.ndarray, column: np.ndarray, pairs: np.ndarray) -> list[np.ndarray]:
    """Pairs in groups such that no row or column occurs in two groups."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    rows = int(row.max(initial=-1)) + 1
    n = rows + int(column.max(initial=-1)) + 1
    graph = coo_matrix((np.ones(len(pairs)), (row[pairs], rows + column[pairs])), shape=(n, n))
    group = connected_components(graph, directed=False)[1][row[pairs]]
    order = np.argsort(group, kind="stable")
    return np.split(pairs[order], np.flatnonzero(np.diff(group[order])) + 1)


def _assign(
    row: np.ndarray, column: np.ndarray, *, values: np.ndarray, threshold: float
) -> np.ndarray:
    """Indices of the chosen pairs: as many matches as possible, then the largest total value."""
    from scipy.optimize import linear_sum_assignment

    rows, row = np.unique(row, return_inverse=True)
    columns, column = np.unique(column, return_inverse=True)
    gain, place = np.zeros((len(rows), len(columns))), np.full((len(rows), len(columns)), -1)
    # All values together count less than one more match.
    gain[row, column] = (values >= threshold) + values / (2 * min(gain.shape))
    place[row, column] = np.arange(len(values))
    chosen = place[linear_sum_assignment(gain, maximize=True)]
    return chosen[chosen >= 0]
