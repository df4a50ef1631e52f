"""Study and assay tables of the Image Data Resource, as far as the data set can tell.

References
----------
Williams et al. 2017, doi:10.1038/nmeth.4326; template: github.com/IDR/idr0000-lastname-example;
what its reader asks for: github.com/IDR/idr-utils, pyidr/study_parser.py
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from nbtools.data.dataset import DataSet
from nbtools.image import Image
from nbtools.io.files import write_text

ACCESSION = "idr0000"  # until the curators give a number
EXPERIMENT = "experimentA"
STUDY, ASSAYS = f"{ACCESSION}-study.txt", f"{ACCESSION}-{EXPERIMENT}-assays.txt"
DOI = re.compile(r"(https?://(dx\.)?doi\.org/|doi:)?(10\.\d+/\S+)", re.IGNORECASE)
SOURCES = {  # ontologies, and where their terms are
    "NCBITaxon": "http://purl.obolibrary.org/obo/",
    "EFO": "http://www.ebi.ac.uk/efo/",
    "CMPO": "http://www.ebi.ac.uk/cmpo/",
    "FBbi": "http://purl.obolibrary.org/obo/",
}
ACQUISITION = "image acquisition and feature extraction protocol"
ANALYSIS = "data analysis protocol"


def write_idr(folder: Path, dataset: DataSet) -> None:
    """Write the study file and the assay file.

    Parameters
    ----------
    folder : of the deposit, with images/ in it; gets `STUDY`, and experimentA/ with `ASSAYS`.
    dataset : all of its images are read.
    """
    rows = list_study(dataset.meta, count=len(dataset), name=dataset.name)
    write_text(folder / STUDY, _join_rows(rows))
    (folder / EXPERIMENT).mkdir(exist_ok=True)
    written = DataSet.open(folder)
    write_text(folder / EXPERIMENT / ASSAYS, _join_rows(list_assays(written, dataset.meta)))


def list_study(meta: Mapping, *, count: int, name: str = "") -> Iterator[tuple[str, ...]]:
    """Rows of the study file: a name, and its values; those that nobody told are empty.

    Parameters
    ----------
    meta : of dataset.toml.
    count : of the images.
    name : of the data set.
    """
    authors = [str(one) for one in meta.get("authors") or ()]
    split = [one.rpartition(" ") for one in authors]

    def tell(key: str) -> str:
        return " ".join(str(meta.get(key) or "").splitlines())

    yield "Comment[IDR Study Accession]", ACCESSION
    yield "Study Title", tell("title")
    yield "Study Type", ""
    yield "Study Description", tell("description")
    yield "Study Key Words", "nuclei"
    yield "Study Organism", tell("organism")
    yield "Study Organism Term Source REF", "NCBITaxon"
    yield "Study Organism Term Accession", ""
    yield "Study Experiments Number", "1"
    yield "Study Public Release Date", tell("date")
    yield "Study Publication Title", ""
    yield "Study Author List", ", ".join(authors)
    yield "Study DOI", find_doi(tell("citation"))
    yield "Study Person Last Name", *(last for _, _, last in split)
    yield "Study Person First Name", *(first for first, _, _ in split)
    yield "Study Person Email", tell("contact")
    yield "Study License", tell("licence")
    yield "Term Source Name", *SOURCES
    yield "Term Source URI", *SOURCES.values()
    yield "Experiment Number", "1"
    yield "Comment[IDR Experiment Name]", name_experiment(split[0][2] if split else "", name)
    yield "Experiment Sample Type", ""
    yield "Experiment Description", tell("specimen")
    yield "Experiment Size", f"5D Images: {count}"
    yield "Experiment Imaging Method", tell("modality")
    yield "Experiment Assay File", ASSAYS
    yield "Experiment Assay File Format", "tab-delimited text"
    yield "Protocol Name", "treatment protocol", ACQUISITION, ANALYSIS
    yield "Protocol Type", "treatment protocol", ACQUISITION, ANALYSIS
    yield "Protocol Description", tell("preparation"), tell("instrument"), tell("labelled_by")


def find_doi(text: str) -> str:
    """The DOI in a citation; "" where there is none.

    Parameters
    ----------
    text : of the citation.

    Examples
    --------
    >>> find_doi("Ada et al. 2026, doi:10.1234/ab.5"), find_doi("none")
    ('10.1234/ab.5', '')
    """
    found = DOI.search(text)
    return found[3].rstrip(".,;)") if found else ""


def name_experiment(person: str, name: str) -> str:
    """Name of the experiment, as idr0000-lastname-word/experimentA.

    Parameters
    ----------
    person : last name of the first author, or "".
    name : of the data set.
    """
    words = [re.sub(r"\W+", "", one.lower()) for one in (person, name)]
    first, second = words[0] or "lastname", words[1] or "nuclei"
    return f"{ACCESSION}-{first}-{second}/{EXPERIMENT}"


def list_assays(dataset: DataSet, meta: Mapping) -> Iterator[tuple[str, ...]]:
    """Rows of the assay file: the names of its columns, then a row for each file.

    Parameters
    ----------
    dataset : as it lies in the deposit.
    meta : of dataset.toml.
    """
    yield (
        "Source Name",
        "Characteristics [Organism]",
        "Term Source 1 REF",
        "Protocol REF",
        "Assay Name",
        "Channels",
        "Dataset Name",
        "Image File",
        "Comment [Image Dimensions]",
        "Comment [Image File Path]",
        "Comment [Image File Type]",
    )
    for index, entry in enumerate(dataset.entries):
        group = entry.columns.get("group") or entry.name
        for kind, path in entry.files.items():
            if kind not in ("images", "labels"):
                continue
            image = dataset.header(index)
            yield (
                group,
                str(meta.get("organism") or ""),
                "NCBITaxon",
                ACQUISITION if kind == "images" else ANALYSIS,
                entry.name,
                "; ".join(image.channels) if kind == "images" else "labels",
                entry.part or dataset.name,
                path.name,
                _describe_size(image, channels=kind == "images"),
                path.relative_to(dataset.folder).parent.as_posix(),
                "raw" if kind == "images" else "derived",
            )


def _describe_size(image: Image, *, channels: bool) -> str:
    """X, Y, Z, C and T of an image."""
    sizes = [image.size(axis) for axis in "XYZ"]
    sizes += [image.size("C") if channels else 1, image.size("T")]
    return " x ".join(map(str, sizes))


def _join_rows(rows: Iterator[tuple[str, ...]]) -> str:
    """Cells separated by tabs; those with a tab or a new line in quotes."""
    out = io.StringIO()
    csv.writer(out, dialect="excel-tab", lineterminator="\n").writerows(rows)
    return out.getvalue()
