"""`nbtools` on the command line: one verb a step, one message for a person, one JSON document for a
program.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import json
import os
import sys
import traceback
from collections.abc import Iterator
from typing import TextIO

from nbtools import __version__, io, runtime
from nbtools.cli import about, again, compare, frame, judge, learn, measuring, prepare
from nbtools.errors import UserError

PARTS = (about, prepare, learn, judge, measuring, compare, again)
VERBS = {verb.name: verb for part in PARTS for verb in part.VERBS}
USER, BUG, STOPPED = 2, 70, 130


def main(argv: list[str] | None = None) -> int:
    """Run one verb; returns the exit code: 0 done, 1 done with findings, 2 the input cannot be
    used, 70 a bug.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    runtime.silence_tensorflow()
    with _own_output("--json" in argv) as out:
        try:
            return _answer(argv, out)
        except UserError as error:
            return _report(error, argv, out)
        except BrokenPipeError:
            return _close_quietly()
        except OSError as error:
            return _report(_explain(error), argv, out)
        except KeyboardInterrupt:
            print("Stopped.", file=sys.stderr)
            return STOPPED
        except Exception:
            traceback.print_exc()
            print(
                f"This is a bug in nbtools {__version__}, not yours. Please report it with the "
                "lines above.",
                file=sys.stderr,
            )
            return BUG


def parse(argv: list[str]) -> argparse.Namespace:
    """The parsed command line, with its verb; a UserError where it cannot be understood."""
    first = next((a for a in argv if not a.startswith("-")), None)
    if first is not None and first not in VERBS:
        close = difflib.get_close_matches(first, VERBS, n=1)
        remedy = f"Did you mean: nbtools {close[0]}?" if close else f"Verbs: {', '.join(VERBS)}."
        raise UserError("The first word must be a verb of nbtools.", repr(first), remedy)
    return _parser().parse_args(argv)


def _parser() -> frame.Parser:
    text = "Find, count and measure nuclei in images. Every verb: nbtools VERB --help."
    parser = frame.Parser(prog="nbtools", description=text, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"nbtools {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=frame.Parser)
    for verb in VERBS.values():
        one = verbs.add_parser(
            verb.name,
            help=verb.help,
            description=f"{verb.help[0].upper()}{verb.help[1:]}.",
            allow_abbrev=False,
        )
        verb.declare(one)
        frame.add_common(one)
    return parser


def _answer(argv: list[str], out: TextIO) -> int:
    args = parse(argv)
    if args.verb is None:
        _parser().print_help(out)
        return 0
    args.command = ["nbtools", *argv]
    answer = VERBS[args.verb].run(args)
    if args.json:
        print(
            json.dumps(io.to_plain(answer.document), indent=2, ensure_ascii=False, allow_nan=False),
            file=out,
        )
    elif answer.lines:
        print("\n".join(answer.lines), file=out)
    out.flush()
    return answer.code


def _report(error: UserError, argv: list[str], out: TextIO) -> int:
    """One message on standard error; with --json the same as a document, so that a program need not
    read prose.
    """
    if "--debug" in argv:
        traceback.print_exception(error)
    print(error, file=sys.stderr)
    if "--json" in argv:
        document = {
            "error": {"rule": error.rule, "received": error.received, "remedy": error.remedy}
        }
        print(json.dumps(io.to_plain(document), indent=2, ensure_ascii=False), file=out)
    return USER


def _explain(error: OSError) -> UserError:
    """The operating system's refusal in our words."""
    place = error.filename or str(error)
    cases = {
        FileNotFoundError: (
            "The file or folder must exist.",
            "Check the spelling, and that you are in the right folder.",
        ),
        PermissionError: (
            "nbtools must be allowed to read and write there.",
            "Choose another folder, or change its permissions.",
        ),
        IsADirectoryError: ("A file is needed here.", "Give the file inside the folder."),
        NotADirectoryError: ("A folder is needed here.", "Give the folder, not a file."),
        FileExistsError: (
            "An existing result is not overwritten.",
            "Choose another --out, or add --overwrite.",
        ),
    }
    rule, remedy = cases.get(
        type(error),
        (
            "The computer must be able to read and write the files.",
            "Check free disk space and the drive.",
        ),
    )
    wrapped = UserError(rule, f"{place} ({error.strerror or type(error).__name__})", remedy)
    wrapped.__cause__ = error
    return wrapped


@contextlib.contextmanager
def _own_output(alone: bool) -> Iterator[TextIO]:
    """Standard output; with --json for the one document alone: what any library prints meanwhile
    goes to standard error.
    """
    if not alone:
        yield sys.stdout
        return
    real, saved = sys.stdout, None
    if real is sys.__stdout__:  # compiled code writes past Python
        real.flush()
        saved = os.dup(1)
        os.dup2(2, 1)
        real = os.fdopen(os.dup(saved), "w", encoding="utf-8")
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield real
    finally:
        if saved is not None:
            real.close()
            os.dup2(saved, 1)
            os.close(saved)


def _close_quietly() -> int:
    """The reader of a pipe has gone (as with `| head`): nothing is wrong, and Python must not
    complain when it ends.
    """
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0
