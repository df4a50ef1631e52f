"""A batch of images: each result lands when it is done, and a stopped batch can be gone on with.

A journal in the result folder has a line per image that is done. `--resume` skips those whose files
have not changed; an image that fails costs itself alone.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import hashlib
import json
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import starmap, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nbtools import io, runtime, tasks
from nbtools.cli import movies, result_folder
from nbtools.cli.before_loading import WHOLE, require_options
from nbtools.cli.failures import describe_failure, make_readable, require_readable
from nbtools.cli.marking import open_markers
from nbtools.cli.result_folder import LARGEST_OVERLAY
from nbtools.cli.workers import Workers
from nbtools.data.movies import Doubt
from nbtools.documents.text import parse_json
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.io import folders
from nbtools.io.folders import JOURNAL, MARK, hash_file, list_content, list_files, sweep
from nbtools.io.locks import FolderLock
from nbtools.plausibility import Finding
from nbtools.tasks.instances import remove_smaller_than

if TYPE_CHECKING:
    from nbtools.data import DataSet
    from nbtools.methods import Method, Prediction

MOST_COUNTS = 8  # time points whose counts are listed
FINAL = ("out", "overwrite", "resume", "json", "quiet", "debug", "seed", "command")
# the result does not depend on them
FREE = ("workers", "scheduler", "plan")


class Journal:
    """The images of a result folder that are done, a line each.

    Parameters
    ----------
    folder : of the result.
    run : what decides the results: model and options, as plain values.
    """

    def __init__(self, folder: Path, run: dict):
        self.path, self.run = folder / JOURNAL, run
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Begin a new journal."""
        io.write_text(self.path, json.dumps({"run": self.run}) + "\n")

    def add(self, row: dict, *, source: str, files: list[str]) -> None:
        """Note that an image is done.

        Parameters
        ----------
        row : of the summary.
        source : hash of the file it was predicted from; "" where there is none.
        files : names of the files of its result.
        """
        findings = [dataclass_free(one) for one in row["findings"]]
        movie = row["movie"] and dataclasses.asdict(row["movie"])
        more = {"findings": findings, "movie": movie, "source": source, "files": files}
        plain = io.to_plain(row | more)
        with self._lock, open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(plain) + "\n")

    def read(self) -> dict[str, dict]:
        """Rows of the images that are done, by name.

        Raises
        ------
        UserError : the folder has no journal, or that of a run with another model or other options.
        """
        lines = []
        for line in self.path.read_text("utf-8").splitlines() if self.path.is_file() else ():
            try:
                lines.append(parse_json(line, self.path))
            except UserError:
                continue  # the last line of a process that was killed
        before = lines[0].get("run") if lines and isinstance(lines[0], dict) else None
        if before is None:
            raise UserError(
                "A prediction goes on in a folder that it was begun in.",
                f"{self.path.parent} without {JOURNAL}",
                "Leave out --resume, or give the folder of the stopped prediction.",
            )
        differs = [key for key in self.run if before.get(key) != self.run[key]]
        if differs:
            raise UserError(
                "A prediction goes on with the model and the options it was begun with.",
                ", ".join(f"{key}={self.run[key]} (was {before.get(key)})" for key in differs),
                "Use those of the first run, or give another folder.",
            )
        done = {}
        for row in lines[1:]:
            with contextlib.suppress(KeyError, TypeError, AttributeError):  # not written by us
                done[row["name"]] = restore_row(row)
        return done


def dataclass_free(finding: Finding) -> dict:
    """A finding as plain values, with its words in Python."""
    return finding.to_dict() | {"text": str(finding)}


def restore_row(row: dict) -> dict:
    """A row of a journal as `write_prediction` made it."""
    found = []
    for one in row["findings"]:
        text = one.pop("text").removeprefix(one["message"]).strip()
        found.append(Finding(**one, python=text))
    movie = row["movie"]
    if movie:
        movie["doubt"] = movie["doubt"] and Doubt(**movie["doubt"])
        movie = movies.Movie(**movie)
    spacing, zoom = (row[key] and tuple(row[key]) for key in ("spacing", "zoom"))
    return row | {"findings": tuple(found), "movie": movie, "spacing": spacing, "zoom": zoom}


def describe_run(args: argparse.Namespace, model: Method) -> dict:
    """What decides the results of a prediction, as plain values."""
    given = {key: value for key, value in vars(args).items() if key not in (*FINAL, *FREE)}
    plain = {key: io.to_plain(value) for key, value in given.items() if not callable(value)}
    folder = Path(args.model)
    weights = sorted(folder.glob("*.npz")) if folder.is_dir() else []
    plain["weights_sha256"] = [hash_file(path) for path in weights]
    return plain | {"method": model.name}


class Batch:
    """Predicts image after image into a folder.

    While one is predicted, the next is read and the one before is written, unless they are so large
    that memory would not bear it.

    Parameters
    ----------
    model : predicts.
    dataset : the images.
    args : parsed arguments, with the folder of the result.
    say : takes messages on progress.

    Attributes
    ----------
    rows : of the summary, of the images that are done.
    failed : [{name, message}] of what was left out.
    stopped : whether the user, or the system, asked for the end.
    """

    def __init__(
        self,
        model: Method,
        dataset: DataSet,
        *,
        args: argparse.Namespace,
        say: Callable[[str], None],
    ):
        self.model, self.dataset, self.args, self.say = model, dataset, args, say
        self.rows: list[dict] = []
        self.failed: list[dict] = []
        self.stopped = False
        self.waiting: list[tuple] = []  # images whose results are being written
        self.journal = Journal(args.out, describe_run(args, model))
        self.report = ForecastReporter(model, args, say=say)
        self.markers = open_markers(args.markers, model)
        self.workers = Workers(args, say=say)

    def run(self) -> None:
        """Predict all images that are not done yet; Ctrl-C and SIGTERM keep what is done."""
        self.existed = self.args.out.is_dir()
        if not self._resumes():
            inputs = filter(None, (self.args.images, self.args.model, self.args.markers))
            with io.new_folder(self.args.out, overwrite=self.args.overwrite, inputs=inputs):
                pass
        about = {"name": folders.BATCH_LOCK, "work": "prediction", "remove": True}
        with FolderLock(self.args.out, **about):
            self._run(self._begin())

    def _run(self, todo: list[int]) -> None:
        try:
            with Interruptible(), self.workers, ThreadPoolExecutor(2) as pool:
                self._predict(todo, pool)
        except KeyboardInterrupt:
            self.stopped = True
            for one in self.waiting:  # written while the rest was being stopped
                self._settle(*one)
            count = f"{len(self.rows)} of {len(self.dataset)} images are done, and kept"
            self.say(f"Stopped: {count}. Go on with --resume.")
        except Exception:
            self._withdraw()
            raise
        order = {name: i for i, name in enumerate(self.dataset.names)}
        self.rows.sort(key=lambda row: order.get(row["name"], 0))

    def _resumes(self) -> bool:
        return self.args.resume and self.existed

    def _withdraw(self) -> None:
        """Leave no folder of a result behind, where not a single image could be predicted."""
        folder = self.args.out
        if self.rows or list_content(folder):
            return
        for name in (JOURNAL, MARK, folders.BATCH_LOCK):
            (folder / name).unlink(missing_ok=True)
        if not any(folder.iterdir()) and not self.existed:
            folder.rmdir()

    def _begin(self) -> list[int]:
        """Begin a journal, or take up the one that was begun; numbers of the images to predict."""
        done = {}
        if self._resumes():
            sweep(self.args.out)
            done = self.journal.read()
        else:
            self.journal.begin()
        todo = []
        for i, name in enumerate(self.dataset.names):
            row = done.get(name)
            if row is not None and self._is_done(row, i):
                self.rows.append(row)
            else:
                todo.append(i)
        if done:
            self.say(f"{len(self.rows)} of {len(self.dataset)} images are done already.")
        return todo

    def _is_done(self, row: dict, index: int) -> bool:
        """Whether the image is the one of then, and its files lie where they were written."""
        places = [self.args.out / str(name) for name in row.pop("files", ())]
        there = all(path.is_file() and path.stat().st_size for path in places)
        return row.pop("source") == self._hash_source(index) and there

    def _predict(self, todo: list[int], pool: ThreadPoolExecutor) -> None:
        for index, read in read_ahead(self._read, todo, pool=pool):
            small, name = False, self.dataset.names[index]
            try:
                image = read()
                small = is_small(image)
                self.report(image)
                written = pool.submit(self._write, image, self._find(image, index), index).result
            except Exception as error:
                written = partial(_raise, error)
            self.waiting.append((index, name, written))
            while len(self.waiting) > small:
                self._settle(*self.waiting.pop(0))
        while self.waiting:
            self._settle(*self.waiting.pop(0))

    def _read(self, index: int) -> Image:
        """The image; where it does not fit into memory, with its pixels left in the file."""
        from nbtools.methods import large

        header, args = self.dataset.header(index), self.args
        fits = large.fits_memory(self.model, header, tile=args.tile, diameter=args.diameter)
        if fits and not self._goes_to_workers(header, index):
            return self.dataset.image(index)
        if not self.model.works_in_blocks(header):
            raise large.refuse(self.model, header)
        require_options(header, args)
        return self.dataset.stored_image(index)

    def _goes_to_workers(self, header: Image, index: int) -> bool:
        """Whether an image that fits into memory is predicted in blocks all the same."""
        path = self.dataset.entries[index].files.get("images")
        able = self.model.works_in_blocks(header) and path is not None and io.is_storable(path)
        whole = any(getattr(self.args, name) for name in WHOLE)
        return able and not whole and self.workers.take(header)

    def _find(self, image: Image, index: int) -> Prediction:
        args = self.args
        if io.is_stored(image.pixels):
            found = self._find_in_blocks(image)
        elif self.model.looks_at_nuclei:
            found = self.model.predict_nuclei(image, self.dataset[index].label)
        else:
            found = self.model.predict(image, tile=args.tile, raw=args.raw, diameter=args.diameter)
        if self.markers is not None:
            self.markers.apply(found, image)
        found.warnings = list_findings(found, self.dataset.remarks(index))
        return found

    def _find_in_blocks(self, image: Image) -> Prediction:
        """Predict an image beyond the memory; what is done is kept for the next try."""
        from nbtools.methods import large

        known = hashlib.sha256(image.name.encode()).hexdigest()[:16]
        # beside no result: a folder of results holds nothing that is not one
        folder = runtime.local_twin(self.args.out / f"blocks-{known}")
        shared = self.workers.wanted
        why = "goes to several workers" if shared else "is larger than the memory that is free"
        self.say(f"{image.name} {why}: predicted in blocks.")

        def tell(text: str) -> None:
            self.say(f"{image.name}: {text}")

        about = {"diameter": self.args.diameter, "folder": folder, "say": tell}
        about["executor"] = self.workers.open()
        found = large.predict_stored(self.model, image, **about)
        shutil.rmtree(folder, ignore_errors=True)
        return found

    def _write(self, image: Image, found: Prediction, index: int) -> dict:
        require_readable(image.name)
        with io.new_folder(self.args.out, keep=True) as inside:
            row = write_prediction(image, found, folder=inside, args=self.args)
            files = list_files(inside)
        self.journal.add(row, source=self._hash_source(index), files=files)
        return row

    def _settle(self, index: int, name: str, written: Callable[[], dict]) -> None:
        total = len(self.dataset)
        try:
            self.rows.append(written())
        except Exception as error:
            if self.args.debug or total == 1 or (index == total - 1 and not self.rows):
                raise
            name, message = make_readable(name), describe_failure(error)
            self.failed.append({"name": name, "message": message})
            self.say(f"{index + 1} of {total}: {name} is left out. {message}")
        else:
            self.say(f"{index + 1} of {total}: {name}, {describe_row(self.rows[-1])}")

    def _hash_source(self, index: int) -> str:
        path = self.dataset.entries[index].files.get("images")
        return hash_file(path) if path is not None and path.is_file() else ""


def list_findings(found: Prediction, remarks: dict[str, str]) -> tuple[Finding, ...]:
    """What must be known of an image: of its reading, by code, and of its result."""
    return (*starmap(Finding, remarks.items()), *found.warnings)


class Interruptible:
    """Context in which SIGTERM, too, is a KeyboardInterrupt."""

    def __enter__(self) -> None:
        self.before = None
        if threading.current_thread() is threading.main_thread():
            self.before = signal.signal(signal.SIGTERM, _interrupt)

    def __exit__(self, *_) -> None:
        if self.before is not None:
            signal.signal(signal.SIGTERM, self.before)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _raise(error: Exception) -> dict:
    raise error


def is_small(image: Image) -> bool:
    """Whether two images of this size can be in memory at once."""
    return not io.is_stored(image.pixels) and image.pixels.size <= LARGEST_OVERLAY


def read_ahead(
    read: Callable[[int], Image], todo: list[int], *, pool: ThreadPoolExecutor
) -> Iterator[tuple[int, Callable[[], Image]]]:
    """For each image a function that returns it, or raises what reading it raised.

    Parameters
    ----------
    read : number of an image → the image; the next one is read meanwhile if it is not large.
    todo : numbers of the images to read.
    pool : of the threads that read.
    """
    ahead = None
    for index, following in zip_longest(todo, todo[1:]):
        now = ahead or pool.submit(read, index)
        small = now.exception() is None and is_small(now.result())
        ahead = pool.submit(read, following) if small and following is not None else None
        yield index, now.result


class ForecastReporter:
    """Reports tiles and memory that an image will need, unless the one before needed the same."""

    def __init__(self, model: Method, args: argparse.Namespace, *, say: Callable[[str], None]):
        self.model, self.args, self.say, self.before = model, args, say, None

    def __call__(self, image: Image) -> None:
        if io.is_stored(image.pixels):
            return
        needed = self.model.forecast(image, tile=self.args.tile, diameter=self.args.diameter)
        now = needed and (needed.tiles, needed.tile)
        if now and now != self.before:
            self.say(f"{image.name}: {needed}.")
        self.before = now or self.before


def write_prediction(
    image: Image, prediction: Prediction, *, folder: Path, args: argparse.Namespace
) -> dict:
    """Write the result of one image, and return its row of the summary."""
    row = {
        "name": image.name,
        "seconds": round(prediction.seconds, 3),
        "axes": image.axes,
        "spacing": image.spacing,
        "unit": image.unit,
        "interval_s": image.interval_s,
        "zoom": prediction.zoom,
        "findings": prediction.warnings,
        "warnings": [one.for_command_line() for one in prediction.warnings],
        "notes": list(prediction.notes),
        "movie": movies.find_movie(image),
    }
    result = prediction.result
    like = getattr(result, "image", image.select(C=0))
    for key, array in prediction.raw.items():
        path = folder / "raw" / f"{image.name}.{key}.tif"
        write_raw(path, array, like=like)
    if args.min_size is not None:
        result = remove_smaller_than(result, args.min_size)
    if args.task is not None:
        result = tasks.get(args.task).convert(result)
    own = {"dtype": image.pixels.dtype} if args.dtype == "input" else {}
    own |= {"suffix": ".ome.zarr"} if args.zarr else {}
    return row | result_folder.write_result(result, image, folder=folder, roi=args.roi, **own)


def write_raw(path: Path, array: np.ndarray, *, like: Image) -> None:
    """Write the network's maps, channels last, with the pixel size that the network was given.

    They cover the field of the image, on a grid of their own where it was magnified or reduced.

    Parameters
    ----------
    path : of the image file.
    array : (*space, K), or (T, *space, K).
    like : the result, for its axes and its grid, or the image.
    """
    path.parent.mkdir(exist_ok=True)
    axes, spacing = like.axes.replace("C", "") + "C", like.spacing
    if spacing:
        mapped = [array.shape[axes.index(axis)] for axis in like.spatial]
        sizes = zip(spacing, like.space_shape, mapped, strict=True)
        spacing = tuple(size * own / theirs for size, own, theirs in sizes)
    about = {"axes": axes, "spacing": spacing, "channels": ()}
    io.write_image(path, like.replace(pixels=array, **about))


def describe_row(row: dict) -> str:
    """A row of the summary in words."""
    nuclei = f"{row['nuclei']} nuclei, " if "nuclei" in row else ""
    if "frames" in row:
        count = len(row["frames"])
        nuclei = f"{count} time points, {count_word([row])} one by one, "
        if "nuclei" in row:
            each = [str(one["nuclei"]) for one in row["frames"]]
            some = each if count <= MOST_COUNTS else [*each[:3], "…", each[-1]]
            nuclei += f"{', '.join(some)} nuclei, "
    return ". ".join([f"{nuclei}{row['seconds']:.2f} s", *row.get("notes", ())])


def count_word(rows: list[dict]) -> str:
    """What happened to time points: "counted" where nuclei were counted."""
    return "counted" if any("nuclei" in row for row in rows) else "predicted"
