"""A folder described as an RO-Crate: ro-crate-metadata.json, and our own check of one.

References
----------
Soiland-Reyes et al. 2022, doi:10.3233/DS-210053; https://w3id.org/ro/crate/1.1
"""

from __future__ import annotations

import datetime
import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbtools import documents, io
from nbtools.io.folders import hash_file

NAME = "ro-crate-metadata.json"
CONTEXT = "https://w3id.org/ro/crate/1.1/context"
STANDARD = "https://w3id.org/ro/crate/1.1"
SPDX = "https://spdx.org/licenses/"
REQUIRED = ("name", "description", "datePublished", "license", "hasPart")


def write_crate(folder: Path, meta: Mapping, *, name: str) -> None:
    """Describe all files of a folder.

    Parameters
    ----------
    folder : with its files; the description is added.
    meta : of dataset.toml: title, description, licence, authors, citation, date.
    name : of the data set, where it has no title.
    """
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != NAME]
    entities = [_describe_file(path, folder) for path in files]
    authors = meta.get("authors") or []
    people = [
        {"@id": f"#person-{number}", "@type": "Person", "name": one}
        for number, one in enumerate(authors, start=1)
    ]
    licence = meta.get("licence")
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": meta.get("title") or name,
        "description": meta.get("description") or "See README.md.",
        "datePublished": str(meta.get("date") or datetime.date.today().isoformat()),
        "hasPart": [{"@id": one["@id"]} for one in entities],
    }
    named = [{"@id": one["@id"]} for one in people]
    root |= {"author": named if len(named) > 1 else named[0]} if named else {}
    root |= {"citation": meta["citation"]} if meta.get("citation") else {}
    root |= {"license": {"@id": f"{SPDX}{licence}"}} if licence else {}
    known = [{"@id": f"{SPDX}{licence}", "@type": "CreativeWork", "name": licence}]
    descriptor = {
        "@id": NAME,
        "@type": "CreativeWork",
        "conformsTo": {"@id": STANDARD},
        "about": {"@id": "./"},
    }
    graph = [descriptor, root, *people, *(known if licence else []), *entities]
    io.write_json(folder / NAME, {"@context": CONTEXT, "@graph": graph})


def _describe_file(path: Path, folder: Path) -> dict[str, Any]:
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    place = path.relative_to(folder).as_posix()
    about = {"@id": place, "@type": "File", "name": path.name, "encodingFormat": kind}
    return about | {"contentSize": str(path.stat().st_size), "sha256": hash_file(path)}


def check_crate(folder: Path) -> list[str]:
    """Find what is wrong with an RO-Crate, by the rules that its standard says must hold.

    Parameters
    ----------
    folder : of the crate.

    Returns
    -------
    A sentence per fault; [] where there is none.

    Raises
    ------
    UserError : ro-crate-metadata.json is missing or no JSON.
    """
    about = documents.read_json(folder / NAME)
    graph = about.get("@graph") if isinstance(about, dict) else None
    if about.get("@context") != CONTEXT or not isinstance(graph, list):
        return ["It has no context of RO-Crate 1.1, or no graph."]
    known = {one.get("@id"): one for one in graph if isinstance(one, dict)}
    faults = [] if len(known) == len(graph) else ["Two entities have one @id, or one has none."]
    descriptor, root = known.get(NAME, {}), known.get("./", {})
    if descriptor.get("about") != {"@id": "./"} or not descriptor.get("conformsTo"):
        faults.append("The descriptor is not about the folder, or names no standard.")
    faults += [f"The data set has no {key}." for key in REQUIRED if not root.get(key)]
    faults += [
        f"{one}: @type is missing." for one, entity in known.items() if "@type" not in entity
    ]
    for entity in graph:
        for key, one in _list_references(entity):
            if one not in known and not one.startswith("http"):
                faults.append(f"{entity.get('@id')}: {key} names {one}, which is not described.")
    return faults + _check_files(folder, known, root)


def _list_references(entity: Mapping) -> list[tuple[str, str]]:
    """Property and @id of everything that an entity names."""
    found = []
    for key, value in entity.items():
        values = value if isinstance(value, list) else [value]
        found += [(key, one["@id"]) for one in values if isinstance(one, dict) and "@id" in one]
    return found


def _check_files(folder: Path, known: Mapping, root: Mapping) -> list[str]:
    """Files that are missing, changed or not described."""
    parts = {one["@id"] for one in root.get("hasPart") or [] if isinstance(one, dict)}
    described = {name for name, one in known.items() if one.get("@type") == "File"}
    faults = [f"{name} is no part of the data set." for name in sorted(described - parts)]
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    hidden = {name for name in there if "/." in f"/{name}"}
    rest = there - hidden - described - {NAME, "checksums.sha256"}
    faults += [f"{name} is not described." for name in sorted(rest)]
    for name in sorted(described):
        path = folder / name
        if not path.is_file():
            faults.append(f"{name} is missing.")
        elif hash_file(path) != known[name].get("sha256"):
            faults.append(f"{name} has changed.")
    return faults
