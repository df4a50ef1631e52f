"""Results and truths by name, from files and folders, and how the names of two sets pair."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nbtools import documents, io, runtime
from nbtools.data import InputOptions
from nbtools.data.names import name_key
from nbtools.data.own_files import is_own
from nbtools.errors import UserError
from nbtools.image import Image

NOT_RESULTS = ("summary.csv", "nuclei.csv", "classes.csv", "objects.csv")
SCORES_FOLDER = "scores"  # of a result: its scores, and the figures that need the truth
BYTES_PER_PIXEL = 60  # that evaluating or measuring labels takes at most, by its arrays
SCORES = ("score", "probability", "confidence")


@dataclass(frozen=True)
class ResultSet:
    """Results or truths by name, each read when it is needed.

    Parameters
    ----------
    readers : name → function that reads it.
    alone : it is one file, which pairs with another whatever their names.
    notes : gives sentences on what was decided while the files were read.
    storable : the readers take `stored`: whether pixels that hardly fit into memory are left in
        their files.
    """

    readers: dict[str, Callable[..., object]]
    alone: bool = False
    notes: Callable[[], list[str]] = list
    storable: bool = False

    @property
    def names(self) -> list[str]:
        """Names of the images, in order."""
        return list(self.readers)

    def read(self, name: str | None, *, stored: bool = False) -> object | None:
        """What there is of this name; None where there is nothing.

        Parameters
        ----------
        name : of the image.
        stored : whether pixels may be left in their file, see `io.StoredPixels`.
        """
        if name not in self.readers:
            return None
        return self.readers[name](stored=True) if stored and self.storable else self.readers[name]()


def require_existing(path: str | Path, what: str) -> Path:
    """Return a path, or raise a UserError where nothing is there.

    In a result, what a process that was killed had begun to replace is replaced first.

    Parameters
    ----------
    path : file or folder.
    what : the place in words, as "The result".
    """
    if not Path(path).exists():
        raise UserError(
            f"{what} must exist.", path, "Check the spelling, and that you are in the right folder."
        )
    if Path(path).is_dir():
        io.finish_commits(path)
    return Path(path)


def read_about(place: Path) -> dict:
    """result.json of a result of ours; {} where there is none."""
    path = place / "result.json"
    return documents.read_document(path) if path.is_file() else {}


def list_known_images(place: Path) -> list[dict]:
    """The rows of result.json that name an image; [] of any other folder."""
    rows = read_about(place).get("images")
    rows = rows if isinstance(rows, list) else []
    return [row for row in rows if isinstance(row, dict) and "name" in row]


def read_input(place: Path) -> InputOptions:
    """The axes, the time point and the series with which the images of a result were read.

    Parameters
    ----------
    place : of the result; of any other file or folder nothing is known.
    """
    known = read_about(place).get("input")
    known = known if isinstance(known, dict) else {}
    axes, time, series, level = (known.get(n) for n in ("axes", "time", "series", "level"))
    return InputOptions(
        axes=axes if isinstance(axes, str) else None,
        time=time if isinstance(time, int) or time == "all" else None,
        series=series if isinstance(series, int | str) else None,
        level=level if isinstance(level, int) and level > 0 else 0,
    )


def list_files(folder: Path) -> list[Path]:
    """Files of a folder in order, without hidden ones and those that are of no single image.

    Of a result, the files that hold the result of one of its images, and nothing that was drawn or
    measured later.

    Parameters
    ----------
    folder : of results, or of files of any kind.
    """
    children = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    files = [p for p in children if p.is_file() or io.is_image_folder(p)]
    files = [p for p in files if p.name.lower() not in NOT_RESULTS and not is_own(p)]
    names = {name_key(str(row["name"])) for row in list_known_images(folder)}
    return [p for p in files if name_key(io.stem(p)) in names] if names else files


def pair_names(found: ResultSet, truth: ResultSet, *, place: Path) -> dict[str, str | None]:
    """Pair the names of a truth with those of a result.

    Parameters
    ----------
    found : the result.
    truth : what is true; two single files belong together whatever their names.
    place : of the result, for errors.

    Returns
    -------
    Name in the truth → name in the result, None where there is none.

    Raises
    ------
    UserError : result and truth have no name in common.
    """
    if found.alone and truth.alone:
        return {truth.names[0]: found.names[0]}
    names = {name: find_partner(name, found.names, taken=truth.names) for name in truth.names}
    if not any(names.values()):
        received = (
            f"{place} with {', '.join(found.names[:3])}; truth with {', '.join(truth.names[:3])}"
        )
        raise UserError(
            "Result and truth must have names in common.",
            received,
            "Give both files the same name, whatever the ending.",
        )
    return names


def find_partner(name: str, candidates: list[str], *, taken: list[str]) -> str | None:
    """The candidate of a name, else the only one that adds to it and belongs to no other name.

    Parameters
    ----------
    name : in the truth.
    candidates : names in the result.
    taken : all names in the truth.

    Examples
    --------
    >>> find_partner("a", ["a_cp_masks", "b"], taken=["a", "b"])
    'a_cp_masks'
    """
    key, others = name_key(name), {name_key(n) for n in taken}
    same = [c for c in candidates if name_key(c) == key]
    longer = [
        c
        for c in candidates
        if name_key(c).startswith(tuple(key + mark for mark in "_-. "))
        and name_key(c) not in others
    ]
    return same[0] if same else longer[0] if len(longer) == 1 else None


def pair_up(
    names: dict[str, str | None], truth: ResultSet, *, found: ResultSet, say: Callable[[str], None]
) -> Iterator[tuple]:
    """Read truth and result of one image after the other.

    Parameters
    ----------
    names : name in the truth → name in the result, as `pair_names` gives them.
    truth, found : truths and results by name.
    say : takes messages on progress.

    Yields
    ------
    Name, truth, and result or None.
    """
    for number, (name, partner) in enumerate(names.items(), 1):
        say(f"{number} of {len(names)}: {name}" + ("" if partner else " is missing in the result"))
        yield name, truth.read(name, stored=True), found.read(partner, stored=True)


def is_large(image: Image) -> bool:
    """Whether labels, with what is computed of them, do not fit into memory.

    Parameters
    ----------
    image : the header is enough.
    """
    return image.pixels.nbytes + BYTES_PER_PIXEL * image.pixels.size > runtime.memory().available


def list_label_files(
    files: list[Path], options: InputOptions
) -> dict[str, tuple[Path, int | None]]:
    """Name of each label image → its file and, of files that hold several, its number.

    Parameters
    ----------
    files : label images.
    options : whether each image of a file is wanted: series is "all".
    """
    found: dict[str, tuple[Path, int | None]] = {}
    for path in files:
        names = io.list_series(path) if options.series == "all" else ()
        found |= {f"{io.stem(path)}_{name}": (path, i) for i, name in enumerate(names)}
        if not names:
            found[io.stem(path)] = (path, None)
    return found


def read_label_file(
    path: Path, options: InputOptions, *, series: int | None = None, stored: bool = False
) -> Image:
    """Read one label image, with the axes and the pixel size that were given.

    Parameters
    ----------
    path : of the file.
    options : axes, series, spacing and unit; empty ones are those of the file. Axes are those of
        the image: labels have no channels.
    series : number of the image in a file of several, in place of that of the options.
    stored : leave the pixels of a label image that hardly fits into memory in its file.
    """
    axes, wanted = options.axes, options.series if options.series != "all" else None
    wanted = wanted if series is None else series
    # a choice for the images of a data set; a single label image is what it is
    wanted = wanted if io.list_series(path) else None
    if axes and "C" in axes.upper():
        stored = io.open_image(path, header_only=True, series=wanted).image
        axes = axes if stored.pixels.ndim >= len(axes) else axes.upper().replace("C", "")
    stored = stored and is_large(io.open_image(path, header_only=True, series=wanted).image)
    if stored:
        io.require_storable(path)
    label = io.read_label(path, axes=axes, series=wanted, stored=stored)
    if options.spacing is None:
        return label
    return io.with_spacing(label, options.spacing, unit=options.unit)
