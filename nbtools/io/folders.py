"""Result folders: they appear whole or not at all, and nothing but our own work is ever replaced.

A folder that the toolkit wrote carries a mark, MARK: a line per file with its name and hash. It is
replaced only where every file in it stands in the mark and is unchanged; labels that were corrected
since, notes and images of the user are foreign, and stay.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import threading
from collections.abc import Iterable
from itertools import chain, count
from pathlib import Path

from nbtools import documents
from nbtools.errors import UserError
from nbtools.io.locks import LOCK, is_held
from nbtools.io.temporary import PREFIX, TEMPORARY, list_leftovers, temporary_path

MARK = ".nbtools.jsonl"
SYSTEM_FILES = (".DS_Store", "Thumbs.db", "desktop.ini", ".ipynb_checkpoints")
JOURNAL = f"{PREFIX}images.jsonl"  # of a batch of images, see `nbtools.cli.batch`
BATCH_LOCK = f"{PREFIX}images.lock"
LOCKS = (BATCH_LOCK, f"checkpoint/{LOCK}")  # held while a folder is being written
# of a training that goes on: generations, their copies on a drive with notes, and older versions'
CHECKPOINT = re.compile(
    r"checkpoint/(generation_\d{6,}(-[0-9a-f]{8})?\.npz(\.json)?|state\.(npz|json)|\.lock)"
)
COMMIT = ".commit"  # ending of a hidden folder of files that are about to replace others
TODO = f"{PREFIX}todo.json"  # in it: what it replaces
LAST = ("model.json", "result.json")
_marking = threading.Lock()
NAMED = 3  # foreign files that a message names


class new_folder:
    """A result folder that appears whole or not at all, with the mark of the toolkit.

    Parameters
    ----------
    path : where the folder shall be; an empty folder there is used.
    overwrite : replace a folder that the toolkit wrote and that nobody changed.
    inputs : files and folders that the result is made from; none of them is ever replaced.
    keep : whether what is in the folder stays: files of the same name alone are replaced.
    renew : beginnings of the names of older files of ours that go, with `keep`, as "scores/".

    Raises
    ------
    UserError : the path is a file, or has content that is not replaced, see `require_new_folder`.

    Examples
    --------
    >>> with new_folder("runs/one", overwrite=True) as folder:
    ...     _ = (folder / "note.txt").write_text("done")
    >>> sorted(read_mark("runs/one"))
    ['note.txt']
    """

    def __init__(
        self,
        path: str | Path,
        overwrite: bool = False,
        *,
        inputs: Iterable[str | Path] = (),
        keep: bool = False,
        renew: tuple[str, ...] = (),
    ):
        self.path = Path(os.path.realpath(path))
        self.overwrite, self.inputs, self.keep = overwrite, tuple(inputs), keep
        self.renew = renew

    def __enter__(self) -> Path:
        self._require()
        self._inside = self.path.is_dir() and (self.keep or not is_movable(self.path))
        self._temporary = temporary_path(self.path / "x" if self._inside else self.path)
        try:
            sweep(self._temporary.parent)
            self._temporary.mkdir(parents=True)
        except OSError as error:
            raise unwritable(self.path, error) from error
        return self._temporary

    def __exit__(self, kind, error, trace) -> None:
        try:
            if kind is None:
                self._finish()
        except OSError as problem:
            raise unwritable(self.path, problem) from problem
        finally:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _require(self) -> None:
        if not self.keep:
            require_new_folder(self.path, overwrite=self.overwrite, inputs=self.inputs)

    def _finish(self) -> None:
        self._require()
        files = [name for name in list_files(self._temporary) if name != MARK]
        new = {name: hash_file(self._temporary / name) for name in files}
        if self.keep:
            self._fill(new)
            return
        old = read_mark(self.path) or {}
        if not self._inside:
            write_mark(self._temporary, new)
            replace_folder(self._temporary, self.path, mark=old)
            return
        remove_own(self.path, old)
        write_mark(self.path, new)
        self._move(files)

    def _fill(self, new: dict[str, str]) -> None:
        """Add files to a folder; several threads may do so.

        Where older files go, all of it is one step: from the moment that the hidden folder has its
        last name, whoever looks at the result next would end what a kill broke off.
        """
        present = [name for name in new if os.path.lexists(self.path / name)]
        if present:
            self._require_own(read_mark(self.path) or {}, present)
        append_mark(self.path, new)
        if not self.renew:
            self._move(list(new))
            return
        mark = read_mark(self.path) or {}
        stale = [name for name in list_files(self.path) if name.startswith(self.renew)]
        stale = [n for n in stale if n not in new and is_own(self.path, n, mark=mark)]
        (self._temporary / TODO).write_text(json.dumps({"new": new, "stale": stale}), "utf-8")
        commit = self._temporary.with_name(self._temporary.name + COMMIT)
        os.replace(self._temporary, commit)
        _finish_commit(commit)

    def _move(self, files: list[str]) -> None:
        # What makes the folder a model or a result goes last: half a folder is neither.
        for name in sorted(files, key=lambda name: name in LAST):
            move_file(self._temporary / name, self.path / name)

    def _require_own(self, mark: dict[str, str], files: list[str]) -> None:
        present = [name for name in files if os.path.lexists(self.path / name)]
        foreign = [name for name in present if not is_own(self.path, name, mark=mark)]
        if foreign:
            raise UserError(
                "Files of yours are not replaced.",
                f"{self.path} with {', '.join(foreign[:NAMED])}",
                "Give these files another name, or give another folder.",
            )


def move_file(source: Path, target: Path) -> None:
    """Move a file in the place of another, in a folder that is made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(source, target)


def finish_commits(folder: str | Path) -> None:
    """End what a process that was killed had begun to replace in a folder.

    Parameters
    ----------
    folder : of a result; nothing happens elsewhere.
    """
    for name in list(list_leftovers(Path(folder))):
        if name.endswith(COMMIT):
            _finish_commit(Path(folder) / name)


def _finish_commit(commit: Path) -> None:
    """Replace the files of a folder by those in a hidden folder inside it, which then goes."""
    folder = commit.parent
    if (commit / TODO).is_file():
        todo = documents.parse_json((commit / TODO).read_text("utf-8"), commit / TODO)
        mark = read_mark(folder) or {}
        for name in todo["stale"]:
            if is_own(folder, name, mark=mark):
                (folder / name).unlink(missing_ok=True)
        for name in sorted(todo["new"], key=lambda name: name in LAST):
            if os.path.lexists(commit / name):  # else it was moved before the kill
                move_file(commit / name, folder / name)
        there = {n: known for n, known in mark.items() if os.path.lexists(folder / n)}
        write_mark(folder, there | todo["new"])
        remove_empty(folder)
        (commit / TODO).unlink()
    shutil.rmtree(commit, ignore_errors=True)


def require_new_folder(
    path: str | Path, *, overwrite: bool = False, inputs: Iterable[str | Path] = ()
) -> None:
    """Require that a result can be written to a path; call it before long work starts.

    Parameters
    ----------
    path : of a result folder.
    overwrite : a folder that the toolkit wrote, and nobody changed, may be replaced.
    inputs : files and folders that the result is made from.

    Raises
    ------
    UserError : the path is a file, cannot be written, has content that is not replaced, or holds an
        input, the current or the home folder.
    """
    path = Path(os.path.realpath(path))
    if os.path.isfile(path):
        raise UserError(
            "A result folder must be a folder.", f"the file {path}", "Give another name."
        )
    require_writable(path)
    if not path.is_dir() or not list_content(path):
        return
    if used := find_input(path, inputs):
        raise UserError(
            "A result is never written over what it is made from.",
            f"{path}, which holds {used}",
            "Give another folder.",
        )
    foreign = find_foreign(path)
    if foreign:
        raise UserError(
            "An existing folder is not overwritten."
            if not overwrite
            else "Only a folder that nbtools wrote, with nothing else in it, is overwritten.",
            f"{path} with {', '.join(foreign)}",
            "Give another folder.",
        )
    if not overwrite:
        raise UserError(
            "An existing result is not overwritten.",
            f"{path}, which has content",
            "Give another folder, or add --overwrite.",
        )
    _require_idle(path)


def _require_idle(path: Path) -> None:
    """A UserError where somebody works in a folder: a run, or the user."""
    if any(is_held(path / name) for name in LOCKS):
        raise UserError(
            "A folder that is being written is not overwritten.",
            f"{path}, where a training or a prediction is running",
            "Wait for its end, stop it, or give another folder.",
        )
    if any(place.is_relative_to(path) for place in (Path.cwd(), Path.home())):
        raise UserError(
            "A folder you are in cannot be replaced.", path, "Give a new folder inside it."
        )


def require_new_file(
    path: str | Path, *, overwrite: bool = False, inputs: Iterable[str | Path] = ()
) -> None:
    """Require that a file can be written to a path; call it before long work starts.

    Parameters
    ----------
    path : of the file.
    overwrite : a file that the toolkit wrote, and nobody changed, may be replaced.
    inputs : files and folders that it is made from.

    Raises
    ------
    UserError : the path is a folder or an input, cannot be written, or has a file that is not
        replaced.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError("The result is a file.", f"the folder {path}", "Give a file in it.")
    require_writable(Path(os.path.realpath(path)))
    if not os.path.lexists(path):
        return
    own = is_written_by_us(path) and not find_input(Path(os.path.realpath(path)), inputs)
    if overwrite and own:
        return
    remedy = "Choose another --out."
    if own:
        remedy = "Choose another --out, or add --overwrite."
    rule = "An existing result is not overwritten."
    if overwrite:
        rule = "Only a file that nbtools wrote, and nobody changed, is overwritten."
    raise UserError(rule, path, remedy)


def is_written_by_us(path: str | Path) -> bool:
    """Whether a file stands unchanged in the mark of its folder, or of one above it."""
    path = Path(os.path.abspath(path))
    for folder in path.parents:
        mark = read_mark(folder)
        if mark is not None:
            return is_own(folder, path.relative_to(folder).as_posix(), mark=mark)
    return False


def is_movable(path: Path) -> bool:
    """Whether another folder can take the place of one by renaming both.

    Not where it is empty, mounted, the one that the user's shell stands in, or of a parent that is
    not ours to write: these are filled from inside.

    Parameters
    ----------
    path : of a folder.
    """
    mounted = os.path.ismount(path) or Path.cwd().is_relative_to(path)
    return bool(os.listdir(path)) and not mounted and os.access(path.parent, os.W_OK)


def replace_folder(source: Path, target: Path, *, mark: dict[str, str]) -> None:
    """Rename a folder to `target`; the one there goes only after the new one is in place.

    Parameters
    ----------
    source, target : on one file system.
    mark : of the folder at `target`; what is not in it is kept, see `discard`.
    """
    if not target.exists():
        os.replace(source, target)
        return
    aside = temporary_path(target)
    os.replace(target, aside)
    try:
        os.replace(source, target)
    except OSError:
        os.replace(aside, target)
        raise
    discard(aside, mark=mark, name=target.name)


def discard(folder: Path, *, mark: dict[str, str], name: str) -> None:
    """Remove a hidden folder; what is not ours, if it came there meanwhile, gets a name to be seen.

    Parameters
    ----------
    folder : under a hidden name.
    mark : of the folder.
    name : that it had; what is left of it is called "NAME (kept)", or with a number behind it.
    """
    remove_own(folder, mark)
    (folder / MARK).unlink(missing_ok=True)
    if not os.listdir(folder):
        os.rmdir(folder)
        return
    names = chain([f"{name} (kept)"], (f"{name} (kept {i})" for i in count(2)))
    free = next(n for n in names if not os.path.lexists(folder.with_name(n)))
    os.replace(folder, folder.with_name(free))


def require_writable(path: Path) -> None:
    """A UserError where a file or folder of this path could not be made, told in the first second.

    Parameters
    ----------
    path : absolute; nothing needs to be there yet.
    """
    place = path
    while not os.path.isdir(place) and place != place.parent:
        place = place.parent
    probe = temporary_path(place / "x")
    try:
        os.lstat(path)  # a name that is too long
    except FileNotFoundError:
        pass
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        raise unwritable(path, error) from error


def find_input(path: Path, inputs: Iterable[str | Path]) -> Path | None:
    """The first input that is a folder itself, or lies in it; None where none is in danger."""
    for one in inputs:
        try:
            place = Path(os.path.realpath(one))
        except ValueError:
            continue  # text of a stranger that is no path
        if place.exists() and (place == path or path in place.parents):
            return Path(one)
    return None


# --- the mark


def read_mark(folder: str | Path) -> dict[str, str] | None:
    """The sha256 of each file that we wrote into a folder, by name; None without a mark.

    Of a file that is just being replaced both are known, with a space between them.

    Parameters
    ----------
    folder : of a result.
    """
    try:
        lines = (Path(folder) / MARK).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    known = {}
    for line in lines:
        try:
            entry = documents.parse_json(line, MARK)
            name, sha256 = str(entry["file"]), str(entry["sha256"])
            before = known.get(name, "").split()
            known[name] = " ".join(dict.fromkeys([*before, sha256]))
        except (UserError, KeyError, TypeError):
            continue  # the last line of a process that was killed
    return known


def write_mark(folder: Path, files: dict[str, str]) -> None:
    """Write the mark of a folder anew: sha256 by name of the file."""
    lines = [json.dumps({"file": name, "sha256": known}) for name, known in files.items()]
    temporary = temporary_path(folder / MARK)
    temporary.write_text("".join(line + "\n" for line in lines), "utf-8", newline="\n")
    os.replace(temporary, folder / MARK)


def add_to_mark(folder: str | Path, paths: Iterable[str | Path]) -> None:
    """Add files that the toolkit has just written into a folder to its mark.

    Parameters
    ----------
    folder : of a result; it gets a mark where it has none.
    paths : of files inside it.
    """
    folder = Path(folder)
    names = [Path(path).relative_to(folder).as_posix() for path in paths]
    append_mark(folder, {name: hash_file(folder / name) for name in names})


def append_mark(folder: Path, files: dict[str, str]) -> None:
    """Add lines to the mark of a folder, in one piece: sha256 by name of the file."""
    lines = [json.dumps({"file": name, "sha256": known}) for name, known in files.items()]
    with _marking, open(folder / MARK, "a", encoding="utf-8", newline="\n") as file:
        # on a line of its own, also after one that a kill cut short
        file.write("".join("\n" + line for line in lines) + "\n")


def find_foreign(folder: Path) -> list[str]:
    """Up to NAMED files of a folder that the toolkit did not write, or that changed since."""
    mark = read_mark(folder)
    if mark is None:
        return list_content(folder)[:NAMED]
    foreign = []
    for name in list_files(folder):
        if not is_own(folder, name, mark=mark):
            foreign.append(name)
        if len(foreign) == NAMED:
            break
    return foreign


def is_own(folder: Path, name: str, *, mark: dict[str, str]) -> bool:
    """Whether a file is as the toolkit wrote it, or is of no interest to anybody."""
    path, parts = folder / name, Path(name).parts
    if any(part in SYSTEM_FILES for part in parts) or name == MARK:
        return True
    if path.is_symlink() or documents.is_special(path):
        return False
    if (
        CHECKPOINT.fullmatch(name)
        or name in (JOURNAL, BATCH_LOCK)
        or any(map(TEMPORARY.fullmatch, parts))
    ):
        return True
    try:
        return name in mark and hash_file(path) in mark[name].split()
    except OSError:
        return False


def remove_own(folder: Path, mark: dict[str, str], *, within: tuple[str, ...] = ("",)) -> None:
    """Remove files of a mark and of the system, and folders that are then empty.

    Parameters
    ----------
    folder : with the files.
    mark : name → sha256; a file that changed since stays.
    within : beginnings of the names that are removed; all by default.
    """
    for name in list_files(folder):
        if name.startswith(within) and is_own(folder, name, mark=mark):
            (folder / name).unlink(missing_ok=True)
    remove_empty(folder)


def remove_empty(folder: Path) -> None:
    """Remove the empty folders below a folder."""
    for place, _, _ in sorted(os.walk(folder), reverse=True):
        if Path(place) != folder and not os.listdir(place):
            os.rmdir(place)


def list_files(folder: Path) -> list[str]:
    """Relative names of all files and links below a folder; links are not followed."""
    found = []
    for place, folders, files in os.walk(folder):
        if Path(place) == folder:
            folders[:] = [name for name in folders if not TEMPORARY.fullmatch(name)]
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        inside = Path(place).relative_to(folder)
        found += [(inside / name).as_posix() for name in (*files, *links)]
    return sorted(found)


def list_content(folder: Path) -> list[str]:
    """Names in a folder, without those that the system or we leave behind."""
    names = sorted(os.listdir(folder))
    known = (*SYSTEM_FILES, MARK, JOURNAL, BATCH_LOCK)
    return [n for n in names if n not in known and not TEMPORARY.fullmatch(n)]


def sync_to_disk(path: Path) -> None:
    """Wait until a file, or the list of files of a folder, is on the disk."""
    if path.is_dir() and os.name == "nt":  # Windows opens no folders
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def hash_file(path: Path) -> str:
    """sha256 of a file's bytes, as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- what is being written, and what a killed process left of it


def sweep(folder: Path) -> None:
    """Remove what processes that were killed left in a folder."""
    finish_commits(folder)
    for name in list(list_leftovers(folder)):
        path = folder / name
        if not path.is_dir() or path.is_symlink():
            path.unlink(missing_ok=True)
        elif (mark := read_mark(path)) is not None:  # it was a result, or was about to be one
            discard(path, mark=mark, name="result")
        else:
            shutil.rmtree(path, ignore_errors=True)


def unwritable(path: Path, error: OSError) -> UserError:
    """What is said where a result cannot be written."""
    reason = error.strerror or type(error).__name__
    return UserError(
        "The result must be writable.",
        f"{path} ({reason})",
        "Choose another folder, or check its permissions and space.",
    )
