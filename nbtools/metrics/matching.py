"""One-to-one matching: as many pairs as possible, and among those the best. Under the scores of
`instances` and of `detection`.
"""

from __future__ import annotations

import numpy as np


def match_pairs(
    row: np.ndarray, column: np.ndarray, *, values: np.ndarray, least: float
) -> np.ndarray:
    """Which candidate pairs match: (pairs,) bool. Each row and each column is in one match at most.

    row, column : (pairs,) what each pair joins, as numbers from 0.
    values : (pairs,) how well they fit, from 0 to 1; a pair matches only from `least` upwards.
    """
    candidate = values >= least
    if len(np.unique(row[candidate])) == candidate.sum() == len(np.unique(column[candidate])):
        return candidate
    # From 0.5 upwards candidates compete only among themselves; below, every overlap has a say in
    # the best assignment.
    considered = np.flatnonzero(candidate) if least >= 0.5 else np.arange(len(values))
    matched = np.zeros(len(values), bool)
    for pairs in _components(row, column, considered):
        matched[pairs[_assign(row[pairs], column[pairs], values=values[pairs], least=least)]] = True
    return matched & candidate


def _components(row: np.ndarray, column: np.ndarray, pairs: np.ndarray) -> list[np.ndarray]:
    """Pairs grouped so that no row or column stands in two groups."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    rows = int(row.max(initial=-1)) + 1
    n = rows + int(column.max(initial=-1)) + 1
    graph = coo_matrix((np.ones(len(pairs)), (row[pairs], rows + column[pairs])), shape=(n, n))
    group = connected_components(graph, directed=False)[1][row[pairs]]
    order = np.argsort(group, kind="stable")
    return np.split(pairs[order], np.flatnonzero(np.diff(group[order])) + 1)


def _assign(row: np.ndarray, column: np.ndarray, *, values: np.ndarray, least: float) -> np.ndarray:
    """As many matches as possible, then the largest total value: indices of the chosen pairs."""
    from scipy.optimize import linear_sum_assignment

    rows, row = np.unique(row, return_inverse=True)
    columns, column = np.unique(column, return_inverse=True)
    gain, place = np.zeros((len(rows), len(columns))), np.full((len(rows), len(columns)), -1)
    gain[row, column] = (values >= least) + values / (2 * min(gain.shape))
    place[row, column] = np.arange(len(values))
    chosen = place[linear_sum_assignment(gain, maximize=True)]
    return chosen[chosen >= 0]
