"""Checkpoints on a mounted drive, which buffers, delays and renames what is written to it.

A training keeps its checkpoint on the machine itself. Each generation is then copied to the drive
under a name that was never used before, with its hash and size in a file beside it; nothing there
is renamed or written twice. A fresh machine takes the newest copy whose hash holds.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from nbtools import documents, io
from nbtools.errors import UserError
from nbtools.io.folders import hash_file, sync_to_disk
from nbtools.training.settings import TrainingPlan

KEPT_COPIES = 3
NOTE = ".json"  # GENERATION.npz.json stands beside GENERATION.npz


def copy_generation(path: Path, folder: Path, *, seconds: float, plan: TrainingPlan) -> None:
    """Copy a generation to the folder on the drive; a failure is told, and training goes on.

    Parameters
    ----------
    path : of the generation on this machine.
    folder : on the drive; it is made where it does not exist.
    seconds : of training so far.
    plan : is told of failures.
    """
    known = hash_file(path)
    name = f"{path.stem}-{known[:8]}.npz"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)
        sync_to_disk(folder / name)
        about = {"sha256": known, "size": path.stat().st_size, "seconds": seconds}
        (folder / (name + NOTE)).write_text(json.dumps(about), "utf-8")
        for older in list_copies(folder)[:-KEPT_COPIES]:
            older.unlink(missing_ok=True)
            older.with_name(older.name + NOTE).unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        plan.tell("on_note", f"No copy of this epoch on the drive: {reason}. Training goes on.")


def list_copies(folder: Path) -> list[Path]:
    """The copies of generations on a drive, the newest last."""
    return sorted(folder.glob("generation_*.npz"))


def list_found(folder: Path) -> list[Path]:
    """Copies in a folder, and in those that the drive made of it, as "checkpoint (1)"."""
    places = folder.parent.glob(f"{folder.name}*")
    return sorted((p for place in places for p in list_copies(place)), key=lambda path: path.name)


def read_note(path: Path) -> dict:
    """Hash, size and seconds of a copy; {} where the drive lost them."""
    try:
        return documents.read_document(path.with_name(path.name + NOTE), "copy")
    except UserError:
        return {}


def fetch_newest(folder: Path, local: Path, *, plan: TrainingPlan) -> None:
    """Bring the newest whole copy to this machine, where it has no checkpoint of its own.

    Parameters
    ----------
    folder : on the drive.
    local : of the checkpoint on this machine.
    plan : is told how many minutes of training are lost with copies that are not whole.
    """
    if any(local.glob("generation_*.npz")):
        return
    copies = list_found(folder)
    notes = [read_note(path) for path in copies]
    reached = max((float(note.get("seconds", 0)) for note in notes), default=0.0)
    for path in reversed(copies):
        note = read_note(path)
        if not is_whole(path, note):
            continue
        local.mkdir(parents=True, exist_ok=True)
        name = f"{path.stem.split('-')[0].split(' ')[0]}.npz"
        with io.atomic_write(local / name, sync=True) as temporary:
            shutil.copyfile(path, temporary)
        lost = (reached - float(note.get("seconds", reached))) / 60
        if lost > 0:
            told = f"The drive lost the newest checkpoint: {lost:.1f} minutes are trained again."
            plan.tell("on_note", told)
        return


def is_whole(path: Path, note: dict) -> bool:
    """Whether a copy is what was written; without its note, its own hash decides when it is read.

    Parameters
    ----------
    path : of the copy.
    note : that was written beside it.
    """
    from nbtools.training.checkpoints import DAMAGES, read_generation

    try:
        if note:
            return path.stat().st_size == note["size"] and hash_file(path) == note["sha256"]
        read_generation(path)
    except DAMAGES:
        return False
    return True
