"""Several data sets as one to learn from, each drawn as often as its share says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nbtools.data.layout import TOML, Layout
from nbtools.errors import UserError

if TYPE_CHECKING:
    from nbtools.data.dataset import DataSet
    from nbtools.data.reading import Reader
    from nbtools.data.sample import Entry


class JoinedReader:
    """Reads each sample with the reader of its own data set.

    Parameters
    ----------
    readers : of the data sets.
    shares : how often each is drawn, against the others; () as their images are.
    """

    def __init__(self, readers: Sequence[Reader], shares: tuple[float, ...] = ()):
        self.readers, self.shares = tuple(readers), shares
        self.options, self.channels = self.readers[0].options, self.readers[0].channels

    def __getattr__(self, name: str) -> Callable:
        """What the reader of an entry does, by its name."""
        if name.startswith("_"):
            raise AttributeError(name)

        def ask(entry: Entry, *rest: object, **how: object) -> object:
            return getattr(self.readers[entry.source], name)(entry, *rest, **how)

        return ask

    def balance(self, entries: Sequence[Entry], weights: np.ndarray) -> np.ndarray:
        """Weights of samples, so that those of each data set sum up to its share.

        Parameters
        ----------
        entries : of the samples.
        weights : (N,) of each sample in its own data set.

        Returns
        -------
        (N,) float64.
        """
        if not self.shares:
            return weights
        found, source = np.array(weights, float), np.array([e.source for e in entries])
        for number, part in enumerate(self.shares):
            own = source == number
            found[own] *= part / max(found[own].sum(), 1e-9)
        return found


def join(datasets: Sequence[DataSet], *, shares: Sequence[float] = (), named: str = "") -> DataSet:
    """Join data sets to one; their files stay where they are.

    Parameters
    ----------
    datasets : two or more. Where images of two have one name, the later gets a number behind it.
    shares : how often each is drawn in training, such as (3, 1); empty: as often as it has images.
    named : the name of the joined set.

    Raises
    ------
    UserError : another number of shares than data sets, or a share that is not above 0.

    Examples
    --------
    >>> from nbtools import simulate
    >>> one, two = (simulate.make("nuclei2d", count=2, seed=s) for s in (0, 1))
    >>> both = join([one, two], shares=(3, 1))
    >>> both.names
    ['nuclei2d_000', 'nuclei2d_001', 'nuclei2d_000_2', 'nuclei2d_001_2']
    >>> both.balance(np.ones(4)).tolist()
    [1.5, 1.5, 0.5, 0.5]
    """
    from nbtools.data.dataset import DataSet, make_distinct

    require_shares(shares, len(datasets))
    entries = [replace(e, source=i) for i, d in enumerate(datasets) for e in d.entries]
    names = make_distinct([e.name for e in entries])
    entries = [replace(e, name=name) for e, name in zip(entries, names, strict=True)]
    reader = JoinedReader([d.reader for d in datasets], tuple(map(float, shares)))
    return DataSet(entries, reader, about=join_layouts(datasets, entries), name=named)


def require_shares(shares: Sequence[float], count: int) -> None:
    """Require one share above 0 for each data set, or none at all.

    Parameters
    ----------
    shares : as given.
    count : number of data sets.

    Raises
    ------
    UserError : what was given is something else.
    """
    if shares and (len(shares) != count or min(shares) <= 0):
        raise UserError(
            "Each data set has a share above 0.",
            f"{len(shares)} shares for {count} data set{'s' * (count != 1)}",
            f"Give as many numbers as data sets: {', '.join(['1'] * count)}.",
            command=f"Give as many numbers as data sets: --share {','.join(['1'] * count)}.",
        )


def join_layouts(datasets: Sequence[DataSet], entries: list[Entry]) -> Layout:
    """What the folders hold, together; the dataset.toml of each counts as a table.

    Parameters
    ----------
    datasets : to be joined.
    entries : of all.
    """
    layout = Layout(entries, meta=dict(datasets[0].meta))
    for dataset in datasets:
        layout.ignored |= dataset.about.ignored
        layout.orphans += dataset.about.orphans
        layout.tables += dataset.about.tables
        if dataset.folder and (dataset.folder / TOML).is_file():
            layout.tables.append(dataset.folder / TOML)
    return layout
