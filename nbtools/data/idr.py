"""Study and assay tables of the Image Data Resource, as far as the data set can tell.

References
----------
Williams et al. 2017, doi:10.1038/nmeth.4326; template: github.com/IDR/idr0000-lastname-example
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

from nbtools.data.dataset import DataSet
from nbtools.image import Image
from nbtools.io.files import write_text

EXPERIMENT = "experimentA"
STUDY, ASSAYS = "idr0000-study.txt", f"idr0000-{EXPERIMENT}-assays.txt"
ACQUISITION = "image acquisition and feature extraction protocol"
ANALYSIS = "data analysis protocol"


def write_idr(folder: Path, dataset: DataSet) -> None:
    """Write the study file and the assay file.

    Parameters
    ----------
    folder : of the deposit, with images/ in it; gets `STUDY`, and experimentA/ with `ASSAYS`.
    dataset : all of its images are read.
    """
    write_text(folder / STUDY, _join_rows(list_study(dataset.meta, count=len(dataset))))
    (folder / EXPERIMENT).mkdir(exist_ok=True)
    written = DataSet.open(folder)
    write_text(folder / EXPERIMENT / ASSAYS, _join_rows(list_assays(written, dataset.meta)))


def list_study(meta: Mapping, *, count: int) -> Iterator[tuple[str, ...]]:
    """Rows of the study file: a name, and its values; those that nobody told are empty.

    Parameters
    ----------
    meta : of dataset.toml.
    count : of the images.
    """
    authors = [str(name) for name in meta.get("authors") or ()]
    split = [name.rpartition(" ") for name in authors]

    def tell(key: str) -> str:
        return str(meta.get(key) or "")

    yield "Comment[IDR Study Accession]", ""
    yield "Study Title", tell("title")
    yield "Study Description", tell("description")
    yield "Study Organism", tell("organism")
    yield "Study Organism Term Source REF", "NCBITaxon"
    yield "Study Organism Term Accession", ""
    yield "Study Experiments Number", "1"
    yield "Study Author List", ", ".join(authors)
    yield "Study DOI", tell("citation")
    yield "Study Person Last Name", *(last for _, _, last in split)
    yield "Study Person First Name", *(first for first, _, _ in split)
    yield "Study Person Email", tell("contact")
    yield "Study License", tell("licence")
    yield "Term Source Name", "NCBITaxon", "EFO", "CMPO", "FBbi"
    yield "Experiment Number", "1"
    yield "Comment[IDR Experiment Name]", f"idr0000/{EXPERIMENT}"
    yield "Experiment Description", tell("specimen")
    yield "Experiment Size", f"5D Images: {count}"
    yield "Experiment Imaging Method", tell("modality")
    yield "Experiment Assay File", ASSAYS
    yield "Experiment Assay File Format", "tab-delimited text"
    yield "Protocol Name", "treatment protocol", ACQUISITION, ANALYSIS
    yield "Protocol Type", "treatment protocol", ACQUISITION, ANALYSIS
    yield "Protocol Description", tell("preparation"), tell("instrument"), tell("labelled_by")


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
