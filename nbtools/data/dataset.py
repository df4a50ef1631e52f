"""DataSet: a lazy sequence of samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from nbtools import io
from nbtools.data import layout, leakage, movies, splits
from nbtools.data.reading import Reader
from nbtools.data.sample import Entry, InputOptions, Sample
from nbtools.errors import UserError, require_choice
from nbtools.image import Image

KINDS = ("labels", "clean", "classes", "centres", "boxes", "tracks", "unpaired")


class DataSet(Sequence):
    """Images with their partners, read when they are needed.

    Make one with `DataSet.open` from files, or with `DataSet.of` in memory.

    Parameters
    ----------
    entries : where the files of each sample are.
    reader : reads samples from entries.
    about : what the folder holds: metadata of dataset.toml, ignored files, partners without image.
    folder : where the files are; None in memory.
    name : of the data set.

    Examples
    --------
    >>> import numpy as np
    >>> samples = [Sample(f"image_{i}", Image(np.full((64, 64), i), "YX")) for i in range(5)]
    >>> train, val = DataSet.of(samples, name="ramp").split(val=0.2, seed=0)
    >>> train, val[0].image.shape
    (DataSet('ramp/train', 4 images), (64, 64))
    """

    def __init__(
        self,
        entries: list[Entry],
        reader: Reader,
        *,
        about: layout.Layout,
        folder: Path | None = None,
        name: str = "",
    ):
        self.entries, self.reader, self.folder, self.name = list(entries), reader, folder, name
        self.about = about

    @classmethod
    def open(cls, folder: str | Path, *, options: InputOptions | None = None) -> DataSet:
        """Open a data set; only the list of its files is read.

        Parameters
        ----------
        folder : folder of a data set, a plain folder of images, a folder of train, val and test, or
            one image, also as a folder of OME-Zarr.
        options : how the images are read, in place of what dataset.toml says.

        Raises
        ------
        UserError : there is no such folder, or dataset.toml is broken.
        """
        place = Path(folder)
        options = options or InputOptions()
        about = layout.scan(place, series=options.series)
        single = io.is_image_place(place)
        reader = Reader(about.meta, options)
        entries = _frames(about.entries, reader) if options.time == "all" else about.entries
        name = io.stem(place) if single else place.absolute().name
        return cls(
            entries,
            reader,
            about=about,
            folder=place.parent if single else place,
            name=name,
        )

    @classmethod
    def of(cls, samples: Sequence[Sample], *, name: str = "") -> DataSet:
        """A data set in memory.

        Parameters
        ----------
        samples : those without a name get a number; equal names get a number behind them.
        name : of the data set.
        """
        names = make_distinct(
            [s.name or s.image.name or f"image_{i:03d}" for i, s in enumerate(samples)]
        )
        entries = [
            Entry(
                name,
                class_name=s.class_name,
                columns={"group": s.group} if s.group else {},
                sample=s if s.name == name else s.replace(name=name),
            )
            for s, name in zip(samples, names, strict=True)
        ]
        return cls(entries, Reader({}, InputOptions()), about=layout.Layout(entries), name=name)

    @property
    def names(self) -> list[str]:
        return [e.name for e in self.entries]

    @property
    def meta(self) -> dict:
        return self.about.meta

    @property
    def ignored(self) -> dict[Path, str]:
        return self.about.ignored

    @property
    def orphans(self) -> list[tuple[str, Path]]:
        return self.about.orphans

    @property
    def notes(self) -> list[str]:
        return [f"{self.relative(path)}: {reason}" for path, reason in self.ignored.items()]

    @property
    def options(self) -> InputOptions:
        """How the images are read, with what dataset.toml says."""
        return self.reader.options

    @property
    def class_names(self) -> list[str]:
        """Names of the classes, sorted."""
        return sorted({e.class_name for e in self.entries if e.class_name})

    @property
    def nucleus_classes(self) -> tuple[str, ...]:
        """Names of the classes that single nuclei have, sorted; () where none is known."""
        tables = [set((self.reader.classes(e) or {}).values()) for e in self.entries]
        tables += [set(self.reader.centre_classes(e)) for e in self.entries]
        return tuple(sorted(set().union(*tables) - {""}))

    @property
    def box_classes(self) -> tuple[str, ...]:
        """Names of the classes that boxes have, sorted; () where none is known."""
        if not self.has("boxes"):
            return ()
        return tuple(sorted({name for sample in self for name in sample.box_classes if name}))

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, item: int | slice) -> Sample | DataSet:
        chosen = self.entries[item]
        return self._with(chosen) if isinstance(item, slice) else self.reader.sample(chosen)

    def __iter__(self) -> Iterator[Sample]:
        return (self.reader.sample(e) for e in self.entries)

    def __repr__(self) -> str:
        return f"DataSet({self.name!r}, {self.describe_content()})"

    def describe_content(self) -> str:
        """Number of images, and the partners that they have, in words."""
        kinds = ", ".join(k for k in KINDS if self.has(k))
        return f"{len(self)} images" + (f" with {kinds}" if kinds else "")

    def image(self, index: int) -> Image:
        """The image of a sample alone: its partners are not read, and may be missing or broken."""
        return self.reader.image(self.entries[index])

    def header(self, index: int) -> Image:
        """The image with pixels that take no memory, where its format allows that."""
        return self.reader.header(self.entries[index]).image

    def stored_image(self, index: int) -> Image:
        """The image with its pixels left in the file, to be read region by region."""
        return self.reader.stored_image(self.entries[index])

    def stored_label(self, index: int) -> Image:
        """The label image with its pixels left in the file, to be read region by region."""
        return self.reader.stored_label(self.entries[index])

    def remarks(self, index: int) -> dict[str, str]:
        """What must be known of the pixels of an image that was read: code → sentence."""
        return self.reader.remarks(self.entries[index])

    def has(self, kind: str) -> bool:
        """Whether any sample has this partner.

        Parameters
        ----------
        kind : "labels", "clean", "classes", "centres", "boxes", "tracks" or "unpaired".

        Raises
        ------
        UserError : another kind.
        """
        return bool(self.which_have(kind).any())

    def which_have(self, kind: str) -> np.ndarray:
        """Which samples have this partner: (N,) bool.

        Parameters
        ----------
        kind : as of `has`.
        """
        require_choice(kind, KINDS, rule="Partners of an image are of a known kind.")
        if kind == "classes":
            return np.array([bool(e.class_name) for e in self.entries], bool)
        attribute = {"labels": "label"}.get(kind, kind)
        found = [
            kind in e.files or getattr(e.sample, attribute, None) is not None for e in self.entries
        ]
        return np.array(found, bool)

    def subset(self, indices: Sequence[int]) -> DataSet:
        """The samples of these indices, in this order."""
        return self._with([self.entries[int(i)] for i in indices])

    def with_meta(self, answers: Mapping[str, object]) -> DataSet:
        """The same images, and more told of them, as if dataset.toml said it.

        Parameters
        ----------
        answers : key of dataset.toml → value.
        """
        about = replace(self.about, meta=self.meta | dict(answers))
        found = self._with(self.entries)
        found.about = about
        return found

    def with_classes(self, classes: Mapping[str, str]) -> DataSet:
        """The images that are given a class, with that class.

        Parameters
        ----------
        classes : name of an image → its class.
        """
        entries = []
        for entry in self.entries:
            name = classes.get(entry.name)
            if name:
                sample = entry.sample and entry.sample.replace(class_name=name)
                entries.append(replace(entry, class_name=name, sample=sample))
        return self._with(entries)

    def frames(self) -> DataSet:
        """Each time point of a movie as an image of its own; other images as they are."""
        return self._with(_frames(self.entries, self.reader))

    def with_channel(self, channel: int) -> DataSet:
        """The same images, each with this channel alone; files are read when they are needed.

        Parameters
        ----------
        channel : number from 0.
        """
        entries = []
        for entry in self.entries:
            sample = entry.sample
            if sample is not None:
                image = sample.image.select(C=channel).replace(channels=())
                entry = replace(entry, sample=sample.replace(image=image))
            entries.append(entry)
        reader = Reader(self.meta, replace(self.options, channel=channel))
        return DataSet(entries, reader, about=self.about, folder=self.folder, name=self.name)

    def splits(self) -> dict[str, DataSet]:
        """The parts of a folder of train/, val/ and test/; {} for others."""
        parts = dict.fromkeys(e.part for e in self.entries if e.part)
        return {
            part: self._with(
                [e for e in self.entries if e.part == part], name=f"{self.name}/{part}"
            )
            for part in parts
        }

    def split(
        self,
        *,
        val: float = 0.15,
        test: float = 0.0,
        seed: int = 0,
        group_by: str | None = None,
        among: Sequence[bool] | None = None,
    ) -> tuple[DataSet, ...]:
        """Split into parts by seed; groups stay together.

        Parameters
        ----------
        val, test : shares of the images; without `test` there are two parts.
        seed : the same seed gives the same parts.
        group_by : column of a CSV file beside the images; None for the column group, where there is
            one. Samples that share a field of view, a file or their pixels stay together as well,
            see `groups`.
        among : (N,) which samples may be taken for val and test, shares being of these; what shares
            a group with one that is taken is left out. None: all.

        Returns
        -------
        train, val and, where its share is above 0, test.

        Raises
        ------
        UserError : fewer groups than parts, or no such column.
        """
        groups = self.groups(group_by)
        among = np.ones(len(self), bool) if among is None else np.asarray(among)
        chosen, others = np.flatnonzero(among), np.flatnonzero(~among)
        own = [groups[i] for i in chosen]
        val_part, test_part, train = (
            chosen[part] for part in splits.split_indices(own, [val, test], seed=seed)
        )
        apart = {groups[i] for i in (*val_part, *test_part)}
        train = [*train, *(i for i in others if groups[i] not in apart)]
        named = {"train": train, "val": val_part} | ({"test": test_part} if test > 0 else {})
        return tuple(
            self._with([self.entries[i] for i in indices], name=f"{self.name}/{part}")
            for part, indices in named.items()
        )

    def split_few(self, *, seed: int = 0) -> tuple[DataSet, DataSet, DataSet]:
        """Split few images into train, val and test, as far as they go.

        One image is learned from; the second is kept to test with, the third to choose by; of five
        or more, about a fifth is taken for each. Groups stay together, see `groups`.

        Parameters
        ----------
        seed : the same seed gives the same parts.

        Returns
        -------
        train, val, test; empty where there are too few images.
        """
        count = len(set(self.groups())) if len(self) else 0
        if count < 2:
            return self, self[:0], self[:0]
        if count == 2:
            train, test = self.split(val=0.5, seed=seed)
            return train, self[:0], test
        return self.split(val=0.2, test=0.2, seed=seed)

    def groups(self, group_by: str | None = None) -> list[int]:
        """Number of the group of each sample.

        Samples that share a group, a field of view, a file or their pixels have the same number, as
        do adjacent tiles and near copies.

        Parameters
        ----------
        group_by : column of a CSV file beside the images; None for the column group, where there is
            one.

        Raises
        ------
        UserError : there is no such column.
        """
        fields = [splits.field_name(layout.name_key(e.name)) for e in self.entries]
        files = [e.files.get("images") for e in self.entries]
        fingerprints = []
        pixels = []
        for i in range(len(self)):
            image = self.image(i)
            fingerprints.append(leakage.take_fingerprint(image))
            pixels.append(splits.hash_pixels(image.pixels))
        related = leakage.find_adjacent_tiles(fingerprints)
        related += leakage.find_near_copies(fingerprints, self.image)
        return splits.join_groups(
            self._column(group_by), fields, files, pixels, splits.link_groups(len(self), related)
        )

    def ungrouped(self, group_by: str | None = None) -> list[str]:
        """Names of the images without a group, where others have one: each stands for itself.

        Parameters
        ----------
        group_by : as of `groups`.
        """
        values = self._column(group_by)
        if not any(values):
            return []
        return [name for name, value in zip(self.names, values, strict=True) if not value]

    def balance(self, weights: np.ndarray) -> np.ndarray:
        """How often samples are drawn: of joined sets, each as often as its share says.

        Parameters
        ----------
        weights : (N,) of each sample in its own data set.
        """
        return self.reader.balance(self.entries, weights)

    def files(self) -> list[Path]:
        """All input files, with tables and dataset.toml."""
        found = set(self.about.tables).union(*(e.files.values() for e in self.entries))
        if self.folder and (self.folder / layout.TOML).is_file():
            found.add(self.folder / layout.TOML)
        for folder in [path for path in found if path.is_dir()]:  # of OME-Zarr
            found.remove(folder)
            found.update(path for path in folder.rglob("*") if path.is_file())
        return sorted(found)

    def relative(self, path: Path) -> str:
        """Path of a file within the data set, with forward slashes."""
        inside = self.folder is not None and path.is_relative_to(self.folder)
        return (path.relative_to(self.folder) if inside else path).as_posix()

    def _column(self, name: str | None) -> list[str | None]:
        values = [e.columns.get(name or "group") for e in self.entries]
        if name and not any(values) and self.folder:
            table = layout.find_column(self.folder, name)
            values = [table.get(layout.name_key(n)) for n in self.names]
        if name and not any(values):
            raise UserError(
                "Groups must stand in a column of a CSV file beside the images.",
                repr(name),
                "Write groups.csv with the columns name and group, or name a column that is there.",
            )
        return values

    def replace_entries(self, entries: list[Entry]) -> DataSet:
        """The data set with other samples, read in the same way."""
        return self._with(entries)

    def _with(self, entries: list[Entry], *, name: str | None = None) -> DataSet:
        return DataSet(
            entries,
            self.reader,
            about=self.about,
            folder=self.folder,
            name=self.name if name is None else name,
        )


def _frames(entries: list[Entry], reader: Reader) -> list[Entry]:
    """One entry for each time point of each movie."""
    found = []
    for entry in entries:
        chosen = entry.frame is not None or isinstance(reader.options.time, int)
        count = 1 if chosen else _count_frames(entry, reader)
        if count == 1:
            found.append(entry)
            continue
        found += [
            _select_frame(entry, t, name=movies.name_frame(entry.name, t, count=count))
            for t in range(count)
        ]
    return found


def _count_frames(entry: Entry, reader: Reader) -> int:
    if entry.sample is not None:
        return entry.sample.image.size("T")
    return reader.count_frames(entry)


def _select_frame(entry: Entry, t: int, *, name: str) -> Entry:
    if entry.sample is None:
        return replace(entry, name=name, frame=t)
    parts = {k: getattr(entry.sample, k) for k in ("image", "label", "clean")}
    frame = entry.sample.replace(name=name, **{k: p and p.select(T=t) for k, p in parts.items()})
    return replace(entry, name=name, sample=frame)


def make_distinct(names: list[str]) -> list[str]:
    """The names; repeated ones get a number behind them."""
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        key = layout.name_key(name)
        seen[key] += 1
        found.append(name if seen[key] == 1 else f"{name}_{seen[key]}")
    return found
