"""Public data sets of nuclei: where they are, their terms, and their download."""

from __future__ import annotations

import hashlib
import shutil
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nbtools import documents, io
from nbtools.data.samples import packaged_path
from nbtools.errors import UserError, require_choice

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
PIECE = 2**20
TIMEOUT = 60  # seconds without an answer


@dataclass(frozen=True)
class Source:
    """A public data set.

    Parameters
    ----------
    name : in the registry.
    title : one line.
    task : what its annotations serve.
    dims : 2 or 3.
    page : its web page, where the terms are.
    files : addresses that need no account; empty where the page asks for an account or consent.
    licence : "" where it must be read on the page.
    axes : of the files.
    size : of the download, in words.
    note : what users must know.
    sha256, md5 : (address, checksum) of the files with a known one.
    """

    name: str
    title: str
    task: str
    dims: int
    page: str
    files: tuple[str, ...] = ()
    licence: str = ""
    axes: str = ""
    size: str = ""
    note: str = ""
    sha256: tuple[tuple[str, str], ...] = ()
    md5: tuple[tuple[str, str], ...] = ()

    @property
    def hashes(self) -> dict[str, str]:
        """Known checksums by address, as "sha256:…" or "md5:…"."""
        return {url: f"md5:{value}" for url, value in self.md5} | {
            url: f"sha256:{value}" for url, value in self.sha256
        }

    @property
    def terms(self) -> str:
        """The licence, or why none is told here."""
        return self.licence or "not told where we looked: read the page before you share"

    @property
    def checksum(self) -> str:
        """How a download is checked, or why it is not."""
        if not self.files:
            return "none: fetched by hand"
        kinds = sorted({value.partition(":")[0] for value in self.hashes.values()})
        if all(url in self.hashes for url in self.files):
            return ", ".join(kinds)
        return "none: no two projects record the same one"


def sources(path: str | Path | None = None) -> dict[str, Source]:
    """All known public data sets by name.

    Parameters
    ----------
    path : of a file like data/registry.toml, which is the default.
    """
    path = path or packaged_path("registry.toml")
    content = documents.parse_toml(documents.read_text(path), path)
    return {name: _source(name, values) for name, values in content.items()}


def fetch(source: str | Source, folder: str | Path) -> Path:
    """Download a public data set into `folder/NAME`, unpacked.

    A download that broke off goes on where it stopped.

    Parameters
    ----------
    source : name in the registry, or a source.
    folder : of all public data sets.

    Returns
    -------
    Path : the folder with the content of the archives, as their authors laid it out.

    Raises
    ------
    UserError : unknown name, no file without an account, no connection, wrong checksum, or an
        archive with paths outside of its folder.
    """
    source = _find(source) if isinstance(source, str) else source
    if not source.files:
        raise UserError(
            "This data set is downloaded by hand: its page asks for an account or consent.",
            source.name,
            f"See {source.page}.",
        )
    target = Path(folder) / source.name
    if target.is_dir() and any(target.iterdir()):
        return target
    paths = [
        download(url, Path(folder) / ".downloads" / source.name, known=source.hashes.get(url))
        for url in source.files
    ]
    with io.new_folder(target) as temporary:
        for path in paths:
            if path.name.lower().endswith(ARCHIVES):
                io.unpack(path, temporary)
            else:
                shutil.copyfile(path, temporary / path.name)
    return target


def download(url: str, folder: str | Path, *, known: str | None = None) -> Path:
    """Download one file with pooch; a file that is there and whole is kept.

    Parameters
    ----------
    url : address.
    folder : of the download.
    known : checksum as "sha256:…" or "md5:…"; None where it is unknown.

    Returns
    -------
    Path : of the file.

    Raises
    ------
    UserError : pooch is not installed, no connection, or another checksum.
    """
    pooch = io.import_optional("pooch", "public sets")
    name = PurePosixPath(urllib.request.url2pathname(url.split("?")[0])).name or "download"
    try:
        found = pooch.retrieve(
            url, known_hash=known, fname=name, path=folder, downloader=_resume, progressbar=False
        )
    except ValueError as error:  # pooch: the hash differs
        raise UserError(
            f"A downloaded file must have its known {(known or 'checksum').split(':')[0]}.",
            f"{name} ({error})"[:200],
            "Try again; if it fails again, tell us.",
        ) from error
    except (OSError, urllib.error.URLError) as error:
        raise UserError(
            "A public data set must be reachable at its address.",
            f"{url} ({error})",
            "Check the connection and type the command again: it goes on where it stopped.",
        ) from error
    return Path(found)


def _resume(url: str, output_file: str | Path, _pooch: object) -> None:
    """Downloader for pooch that keeps NAME.part of an earlier try and requests only the rest."""
    part = Path(output_file).parent / f"{_hash_url(url)}.part"
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "nbtools"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            _append(answer, part, mode="ab" if answer.status == 206 else "wb")
    except urllib.error.HTTPError as error:
        if error.code != 416:  # nothing is missing: the earlier try got all of it
            raise
    shutil.move(part, output_file)


def _append(answer: object, part: Path, *, mode: str) -> None:
    expected = answer.headers.get("Content-Length")
    count = 0
    with part.open(mode) as file:
        while piece := answer.read(PIECE):
            file.write(piece)
            count += len(piece)
    if expected is not None and count < int(expected):
        raise urllib.error.URLError(f"broke off after {count} of {expected} bytes")


def _hash_url(url: str) -> str:
    return hashlib.blake2b(url.encode(), digest_size=8).hexdigest()


def _find(name: str) -> Source:
    known = sources()
    require_choice(name, known, rule="A public data set must be one of the registry.")
    return known[name]


def _source(name: str, values: dict) -> Source:
    sums = {kind: tuple(sorted(values.get(kind, {}).items())) for kind in ("sha256", "md5")}
    return Source(**{**values, "name": name, "files": tuple(values.get("files", ())), **sums})
