"""All that writes, with files of the user in the way, and --overwrite or --resume given.

python tests/reliability/overwriting.py            all situations, as a table of counts

A situation is a verb, or a function, and what lies where it writes. It fails where any file of the
user is gone or has changed afterwards, where a traceback appears, or where a refusal advises
--overwrite although that was given.
"""

from __future__ import annotations

import contextlib
import http.server
import io as memory
import itertools
import shutil
import sys
import tempfile
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import tifffile

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from reliability import hostile_documents as hostile

PLACES = ("data", "result", "raw", "model", "movie")  # that commands read
NOTE = "the only notes of three years"

# verb → words; upper-case words are places of the situation
FOLDERS: dict[str, tuple[str, ...]] = {
    "predict": ("predict", "otsu", "DATA", "--out", "OUT"),
    "predict --resume": ("predict", "otsu", "DATA", "--out", "OUT", "--resume"),
    "predict --markers": ("predict", "otsu", "--markers", "RESULT", "DATA", "--out", "OUT"),
    "train": ("train", "otsu", "DATA", "--out", "OUT"),
    "train --resume": ("train", "otsu", "DATA", "--out", "OUT", "--resume"),
    "simulate": ("simulate", "nuclei2d", "--out", "OUT", "--count", "1"),
    "split": ("split", "DATA", "--out", "OUT", "--val", "0.5", "--test", "0"),
    "convert": ("convert", "DATA", "--out", "OUT"),
    "check --fix": ("check", "DATA", "--fix", "OUT"),
    "check --save-pictures": ("check", "DATA", "--save-pictures", "OUT"),
    "compare": ("compare", "RESULT", "--truth", "DATA", "--out", "OUT"),
    "decode --out": ("decode", "RAW", "--out", "OUT"),
    "export": ("export", "RESULT", "--format", "rois", "--out", "OUT"),
    "measure --spots": (
        *("measure", "RESULT", "--images", "DATA", "--spots", "OUT", "--out", "HOME/t.csv"),
    ),
    "rerun": ("rerun", "MODEL", "--out", "OUT"),
    "track": ("track", "MOVIE", "--out", "OUT"),
    "crop": ("crop", "DATA", "--out", "OUT"),
    "ablate": ("ablate", "feature_forest", "DATA", "--out", "OUT"),
    "adapt": (
        *("adapt", "nuclei2d", "DATA", "--out", "OUT", "--rounds", "1", "--minutes", "0.05"),
    ),
}
# functions of the package that no verb calls in the same way, see `call_function`
FUNCTIONS = (
    *("export.save_run", "export.write_labels", "export.write_marks", "data.write_deposit"),
    *("data.fetch", "course.run_course"),
)
FILES: dict[str, tuple[str, ...]] = {
    "measure": ("measure", "RESULT", "--out", "OUT.csv"),
    "next": ("next", "otsu", "DATA", "--out", "OUT.csv"),
    "expect": ("expect", "otsu", "DATA", "--out", "OUT.csv"),
    "export to a file": ("export", "RESULT/im0.tif", "--format", "rois", "--out", "OUT.zip"),
    "export of all in one file": ("export", "RESULT", "--format", "coco", "--out", "OUT.json"),
    "export of a model": ("export", "nuclei2d", "--format", "keras", "--out", "OUT.keras"),
}
INSIDE: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {  # words, names of what it writes
    "report": (("report", "RESULT"), ("report.html", "report.json")),
    "evaluate --save": (
        ("evaluate", "RESULT", "DATA", "--save"),
        ("scores/scores.json", "scores/strata.png", "scores/notes.txt"),
    ),
    "decode": (("decode", "RAW"), ("im0.tif", "summary.csv", "result.json", "rois/im0.zip")),
}


@dataclass(frozen=True)
class Situation:
    """Files of the user where a verb writes.

    Parameters
    ----------
    verb : row of the table.
    name : of the situation.
    words : of the command, with OUT, HOME and PLACES in upper case for places.
    prepare : (home, function that runs the command once) → files and folders of the user.
    """

    verb: str
    name: str
    words: tuple[str, ...]
    prepare: Callable[[Path, Callable[[], None]], list[Path]]


def put(path: Path, text: str = NOTE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def list_results(place: Path) -> list[Path]:
    return sorted(p for p in place.rglob("*") if p.is_file() and not p.name.startswith(".nbtools"))


# --- folders


def hold_a_file(home: Path, run: Callable) -> list[Path]:
    return [put(home / "out" / "thesis" / "notes.txt")]


def hold_a_hidden_file(home: Path, run: Callable) -> list[Path]:
    return [put(home / "out" / ".git" / "HEAD")]


def hold_our_names(home: Path, run: Callable) -> list[Path]:
    names = ("im0.tif", "result.json", "model.json", "weights.npz", "images/im0.tif")
    more = ("checkpoint/generation_000001.npz", "train/images/im0.tif", "compare.json")
    return [put(home / "out" / name) for name in (*names, *more)]


def add_a_file(home: Path, run: Callable) -> list[Path]:
    run()
    places = ("notes.txt", "raw/notes.txt", "images/notes.txt", "checkpoint/my_results.npz")
    return [put(home / "out" / name) for name in places]


def change_a_file(home: Path, run: Callable) -> list[Path]:
    run()
    made = list_results(home / "out")
    return [put(path) for path in made[:1] + made[-1:]]


def be_the_input(home: Path, run: Callable) -> list[Path]:
    shutil.move(home / "data", home / "out")
    (home / "data").symlink_to("out")
    return [home / "out"]


def hold_the_input(home: Path, run: Callable) -> list[Path]:
    (home / "out").mkdir()
    for name in PLACES:
        shutil.move(home / name, home / "out" / name)
        (home / name).symlink_to(Path("out") / name)
    return [home / "out"]


def be_our_input(home: Path, run: Callable) -> list[Path]:
    """What the toolkit wrote, every file of it unchanged: but the verb reads it."""
    from nbtools import io

    read = next((word for word in run.words if word in map(str.upper, PLACES)), "")
    if not read:
        return hold_a_file(home, run)
    shutil.move(home / read.lower(), home / "out")
    (home / read.lower()).symlink_to("out")
    io.add_to_mark(home / "out", list_results(home / "out"))
    return [home / "out"]


def be_a_link(home: Path, run: Callable) -> list[Path]:
    (home / "out").symlink_to(home / "thesis", target_is_directory=True)
    return [put(home / "thesis" / "notes.txt")]


def hold_a_link(home: Path, run: Callable) -> list[Path]:
    run()
    (home / "out").mkdir(exist_ok=True)
    (home / "out" / "more").symlink_to(home / "thesis", target_is_directory=True)
    return [put(home / "thesis" / "notes.txt")]


def be_a_file(home: Path, run: Callable) -> list[Path]:
    return [put(home / "out")]


def lose_the_mark(home: Path, run: Callable) -> list[Path]:
    run()
    (home / "out" / ".nbtools.jsonl").unlink(missing_ok=True)
    return [home / "out"] if list_results(home / "out") else [put(home / "out" / "notes.txt")]


def be_what_a_result_came_from(home: Path, run: Callable) -> list[Path]:
    """The images of a result, which its overlays are drawn from; the toolkit wrote them."""
    import json

    from nbtools import io

    shutil.copytree(home / "data", home / "out")
    io.add_to_mark(home / "out", list_results(home / "out"))
    if run.words[1:2] != ("RAW",):
        return hold_a_file(home, run)
    about = json.loads((home / "raw" / "result.json").read_text())
    (home / "raw" / "result.json").write_text(json.dumps(about | {"source": str(home / "out")}))
    return [home / "out"]


IN_FOLDERS = (
    *(hold_a_file, hold_a_hidden_file, hold_our_names, add_a_file, change_a_file, be_the_input),
    *(hold_the_input, be_our_input, be_a_link, hold_a_link, be_a_file, lose_the_mark),
    be_what_a_result_came_from,
)


# --- files


def list_in_files(suffix: str) -> list[Callable[[Path, Callable], list[Path]]]:
    """What may lie where a file is written."""
    name = f"out{suffix}"

    def be_of_the_user(home: Path, run: Callable) -> list[Path]:
        return [put(home / name)]

    def be_changed(home: Path, run: Callable) -> list[Path]:
        run()
        return [put(home / name)]

    def be_an_input(home: Path, run: Callable) -> list[Path]:
        (home / name).symlink_to(home / "result" / "im0.tif")
        return [home / "result"]

    def be_a_folder(home: Path, run: Callable) -> list[Path]:
        return [put(home / name / "notes.txt")]

    return [be_of_the_user, be_changed, be_an_input, be_a_folder]


def stand_inside(place: str, name: str) -> Callable[[Path, Callable], list[Path]]:
    """A file of the user, under a name that a verb writes inside a result."""

    def prepare(home: Path, run: Callable) -> list[Path]:
        return [put(home / place / name)]

    prepare.__name__ = name
    return prepare


def list_situations() -> list[Situation]:
    """All situations."""
    found = []
    for verb, words in FOLDERS.items():
        found += [Situation(verb, do.__name__, words, do) for do in IN_FOLDERS]
    for name in FUNCTIONS:
        kinds = IN_COURSE if name.startswith("course") else (*IN_FOLDERS, hold_names_of_exports)
        found += [Situation(name, do.__name__, (name,), do) for do in kinds]
    for verb, words in FILES.items():
        suffix = Path(words[-1]).suffix
        found += [Situation(verb, do.__name__, words, do) for do in list_in_files(suffix)]
    for verb, (words, names) in INSIDE.items():
        for name in names:
            do = stand_inside(words[1].lower(), name)
            found.append(Situation(verb, name, words, do))
    return found


# --- functions


def call_function(name: str, home: Path) -> int:
    """Call a function that writes into OUT, and may replace there what is ours; code as of a verb.

    Parameters
    ----------
    name : one of FUNCTIONS.
    home : of the situation.
    """
    from nbtools import course, data, export, io
    from nbtools.errors import UserError
    from nbtools.results import Grid, Points

    out, label = home / "out", io.read_label(home / "data" / "labels" / "im0.tif")
    image = io.read_image(home / "data" / "images" / "im0.tif")
    points = Points(np.array([[9.0, 9.0], [20.0, 30.0]]), Grid.of(image))
    both = ("im0", "im1")
    functions = {
        "export.save_run": lambda: export.save_run(out, image, label, overwrite=True),
        "export.write_labels": lambda: export.write_labels(
            {name: lambda: label for name in both}, out, format="rois"
        ),
        "export.write_marks": lambda: export.write_marks(
            {name: lambda: points for name in both}, out, format="geojson"
        ),
        "data.write_deposit": lambda: data.write_deposit(
            data.DataSet.open(home / "data"), out, overwrite=True
        ),
        "data.fetch": lambda: fetch_to(out, home / "raw" / "im0.tif"),
        "course.run_course": lambda: course.run_course(["00"], fast=True, out=out),
    }
    try:
        functions[name]()
    except UserError as error:
        print(error)
        return 2
    except Exception:
        traceback.print_exc()
        return 70
    return 0


def fetch_to(target: Path, file: Path) -> None:
    """Fetch a set of one file from a server on this machine.

    Parameters
    ----------
    target : folder of the set.
    file : that is served.
    """
    from nbtools import data

    handler = partial(QuietHandler, directory=file.parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/{file.name}"
        source = data.Source(target.name, "A set", "segment", 2, url, (url,))
        data.fetch(source, target.parent)
        server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files, and says nothing."""

    def log_message(self, *words: object) -> None:
        pass


def hold_names_of_the_course(home: Path, run: Callable) -> list[Path]:
    names = ("index.html", "course.json", "GLOSSARY.md", "00_start_here.ipynb")
    return [put(home / "out" / name) for name in names]


def hold_names_of_exports(home: Path, run: Callable) -> list[Path]:
    return [put(home / "out" / name) for name in ("im1.zip", "im1.geojson", "README.md")]


# a course is not run where nothing is in its way
IN_COURSE = (
    *(hold_a_file, hold_a_hidden_file, hold_our_names, hold_names_of_the_course, be_the_input),
    *(hold_the_input, be_a_link, be_a_file),
)


# --- what came of it


def judge(situation: Situation, base: Path, home: Path) -> tuple[str, str]:
    """Put files of the user in the way of a command, and run it.

    Returns
    -------
    "refused", "done", "touched", "traceback" or "bad remedy"; and what was said.
    """
    home.mkdir(parents=True)
    for name in PLACES:
        shutil.copytree(base / name, home / name, copy_function=shutil.copy2)
    told = memory.StringIO()

    def run() -> int:
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            if situation.verb in FUNCTIONS:
                return call_function(situation.verb, home)
            return hostile.call(*place_words(situation, home))

    run.words = situation.words
    theirs = list(map(snapshot, [home / "data", *situation.prepare(home, run)]))
    told.truncate(0)
    code = run()
    after = [snapshot(place) for place, _ in theirs]
    if any(now[1].get(p) != c for (_, files), now in zip(theirs, after) for p, c in files.items()):
        return "touched", told.getvalue()
    if code not in (0, 1, 2):
        return "traceback", told.getvalue()
    if code == 2 and "--overwrite" in told.getvalue().replace("leave out --overwrite", ""):
        return "bad remedy", told.getvalue()
    return ("refused" if code == 2 else "done"), told.getvalue()


def place_words(situation: Situation, home: Path) -> list[str]:
    """The words of a command with the places of a home."""
    words = []
    for word in situation.words:
        for name in (*map(str.upper, PLACES), "OUT"):
            if word.split("/")[0].split(".")[0] == name:
                word = str(home / name.lower()) + word[len(name) :]
        words.append(word.replace("HOME", str(home)))
    overwrites = situation.verb not in ("report", "evaluate --save", "decode")
    return [*words, *(["--overwrite"] if overwrites else [])]


def snapshot(place: Path) -> tuple[Path, dict[Path, bytes]]:
    """A place, and the content of each file in it, by its path; links are not followed."""
    if place.is_file():
        return place, {place: place.read_bytes()}
    files = (p for p in place.rglob("*") if p.is_file() and not p.name.startswith(".nbtools"))
    return place, {path: path.read_bytes() for path in files}


def build(base: Path) -> Path:
    """What the commands read."""
    hostile.build(base)
    shutil.rmtree(base / "model")
    hostile.call("train", "otsu", base / "data", "--out", base / "model")
    (base / "movie").mkdir()
    label = tifffile.imread(base / "data" / "labels" / "im0.tif")
    about = {"imagej": True, "metadata": {"axes": "TYX"}}
    tifffile.imwrite(base / "movie" / "m.tif", np.stack([label] * 3), **about)
    return base


def attack_all(sandbox: Path, situations: list[Situation]) -> tuple[dict[str, Counter], list[str]]:
    """Try situations; counts by verb, and a text for each that failed."""
    with contextlib.redirect_stdout(memory.StringIO()), contextlib.redirect_stderr(sys.stdout):
        base = build(sandbox / "base")
    table, failures = {}, []
    for number, situation in enumerate(situations):
        home = sandbox / f"{number:03d}"
        outcome, told = judge(situation, base, home)
        table.setdefault(situation.verb, Counter())[outcome] += 1
        if outcome not in ("refused", "done"):
            failures.append(f"{outcome}: {situation.verb}, {situation.name}\n{told[-1500:]}")
        shutil.rmtree(home)
    return table, failures


def choose_short() -> list[Situation]:
    """Each verb and each kind of situation at least once."""
    every = list_situations()
    shorter = {*FILES, *INSIDE} - {"export of a model"}
    kinds = [do.__name__ for do in IN_FOLDERS]
    verbs = [verb for verb in FOLDERS if verb != "adapt"]  # it trains where nothing is in the way
    chosen = {(v, kinds[i % len(kinds)]) for i, v in enumerate(verbs)} | {("adapt", kinds[0])}
    chosen |= {("predict", k) for k in kinds} | {("decode --out", kinds[-1])}
    chosen |= {(v, hold_names_of_exports.__name__) for v in FUNCTIONS}
    chosen |= {("course.run_course", k.__name__) for k in IN_COURSE[:4]}
    some = [s for s in every if (s.verb, s.name) in chosen]
    return some + [s for s in every if s.verb in shorter]


def format_table(table: dict[str, Counter]) -> str:
    """The counts as a table in Markdown."""
    columns = ("refused", "done", "touched", "traceback", "bad remedy")
    lines = [f"| verb | situations | {' | '.join(columns)} |", "| --- |" + " --: |" * 6]
    rows = table | {"all": sum(table.values(), Counter())}
    for verb, found in rows.items():
        cells = (found.total(), *(found[c] for c in columns))
        lines.append(f"| `{verb}` | {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table of counts, and what failed."""
    with tempfile.TemporaryDirectory() as folder:
        table, failures = attack_all(Path(folder).resolve(), list_situations())
    print(format_table(table))
    print(*itertools.chain([""] * bool(failures), failures), sep="\n")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
