"""`nbtools` on the command line: one file per verb, one message or JSON document per call."""

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
from nbtools.cli import (
    ablate,
    adapt,
    check,
    common,
    compare,
    convert,
    course,
    crop,
    decode,
    deposit,
    doctor,
    evaluate,
    expect,
    export,
    fetch,
    import_model,
    measure,
    methods,
    next_labels,
    predict,
    report,
    rerun,
    simulate,
    split,
    start,
    track,
    train,
)
from nbtools.errors import UserError

MODULES = (methods, doctor, start, course, simulate, check, convert, fetch, split, train, predict)
MODULES += (adapt, evaluate, report, export, measure, compare, decode, rerun, track, crop)
MODULES += (ablate, import_model, deposit, next_labels, expect)
COMMANDS = {module.COMMAND.name: module.COMMAND for module in MODULES}
USER, BUG, STOPPED = 2, 70, 130


def main(argv: list[str] | None = None) -> int:
    """Run one verb.

    Parameters
    ----------
    argv : the words behind `nbtools`; by default those of the command line.

    Returns
    -------
    Exit code: 0 done, 1 done with findings, 2 the input cannot be used, 70 a bug.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    runtime.silence_tensorflow()
    with _own_output("--json" in argv) as out:
        try:
            return _run(argv, out)
        except UserError as error:
            return _report(error, argv, out)
        except BrokenPipeError:
            return _close_quietly()
        except OSError as error:
            return _report(_describe_refusal(error), argv, out)
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
    if first is not None and first not in COMMANDS:
        close = difflib.get_close_matches(first, COMMANDS, n=1)
        raise UserError(
            "The first word must be a verb of nbtools.",
            repr(first),
            f"Did you mean: nbtools {close[0]}?" if close else f"Verbs: {', '.join(COMMANDS)}.",
        )
    return _parser().parse_args(argv)


def _parser() -> common.Parser:
    text = "Find, count and measure nuclei in images. Every verb: nbtools VERB --help."
    parser = common.Parser(prog="nbtools", description=text, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"nbtools {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=common.Parser)
    for command in COMMANDS.values():
        one = verbs.add_parser(
            command.name,
            help=command.help,
            description=f"{command.help[0].upper()}{command.help[1:]}.",
            allow_abbrev=False,
        )
        command.declare(one)
        common.add_common(one)
    return parser


def _run(argv: list[str], out: TextIO) -> int:
    args = parse(argv)
    if args.verb is None:
        _parser().print_help(out)
        return 0
    args.command = ["nbtools", *argv]
    result = COMMANDS[args.verb].run(args)
    if args.json:
        print(
            json.dumps(io.to_plain(result.document), indent=2, ensure_ascii=False, allow_nan=False),
            file=out,
        )
    elif result.lines:
        print("\n".join(result.lines), file=out)
    out.flush()
    return result.code


def _report(error: UserError, argv: list[str], out: TextIO) -> int:
    """Report one message on standard error; with --json as a document too, for programs."""
    if "--debug" in argv:
        traceback.print_exception(error)
    error = error.for_command_line()
    print(error, file=sys.stderr)
    if "--json" in argv:
        document = {
            "error": {"rule": error.rule, "received": error.received, "remedy": error.remedy}
        }
        print(json.dumps(io.to_plain(document), indent=2, ensure_ascii=False), file=out)
    return USER


def _describe_refusal(error: OSError) -> UserError:
    """The operating system's refusal as rule, received and remedy."""
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
    """Standard output; with --json for the document alone.

    What any library prints meanwhile goes to standard error.
    """
    if not alone:
        yield sys.stdout
        return
    real = sys.stdout
    saved = None
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
    """Close standard output whose reader has gone, as with `| head`: that is no error."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0
