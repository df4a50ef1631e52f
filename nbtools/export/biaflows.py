"""A method as a workflow of BIAFLOWS: descriptor.json, and what runs it in a container.

BIAFLOWS and BIOMERO show the inputs of the descriptor as a form, and call the container with a
flag for each of them, and with folders of images. A Cytomine server hands over five inputs of its
own; they are declared, as its readers demand, and nothing is exchanged with a server.

References
----------
Rubens et al. 2020, doi:10.1016/j.patter.2020.100040; descriptors of version cytomine-0.1 are
described at https://neubias-wg5.github.io.
"""

from __future__ import annotations

import re
from pathlib import Path

import nbtools
from nbtools import io, methods
from nbtools.config import Declaration
from nbtools.errors import UserError
from nbtools.export.model_card import ModelCard
from nbtools.methods.method import Method
from nbtools.results import Labels

SCHEMA = "cytomine-0.1"
DESCRIPTOR, WRAPPER, MODEL = "descriptor.json", "wrapper.py", "model"
FOREIGN = re.compile(r"[^A-Za-z0-9]+")  # what a workflow's name may not hold
SERVER = {  # inputs that a Cytomine server fills in: id → name, type
    "cytomine_host": ("Cytomine host", "String"),
    "cytomine_public_key": ("Cytomine public key", "String"),
    "cytomine_private_key": ("Cytomine private key", "String"),
    "cytomine_id_project": ("Cytomine project", "Number"),
    "cytomine_id_software": ("Cytomine software", "Number"),
}
TYPES = {bool: "Boolean", int: "Number", float: "Number"}  # others are a String
REMARKS = (
    "Write the owner of the container in place of OWNER in descriptor.json and Dockerfile.",
    "The workflow works on folders (--infolder, --outfolder), as BIOMERO calls it; it exchanges "
    "nothing with a server.",
)
DOCKERFILE = """\
# First the image of nbtools, in a clone of it:
#   docker build -t nbtools -f binder/Dockerfile .
# Then, in this folder, the workflow, and a run of it on a folder of images:
#   docker build -t {image} .
#   docker run --rm -v IMAGES:/in:ro -v RESULT:/out {image} --infolder /in --outfolder /out --local
FROM nbtools
COPY descriptor.json wrapper.py /app/
COPY model /app/model
WORKDIR /app
ENTRYPOINT ["python", "/app/wrapper.py"]
"""
PROGRAM = '''\
"""Called by BIAFLOWS or BIOMERO with the flags of descriptor.json."""

import sys
from pathlib import Path

from nbtools.export.biaflows_run import main

sys.exit(main(sys.argv[1:], Path(__file__).parent / "model"))
'''


def write_workflow(method: Method, folder: Path, *, card: ModelCard | None = None) -> None:
    """Write descriptor.json, wrapper.py, Dockerfile and the model into a folder.

    Parameters
    ----------
    method : of segmentation; trained, where it learns.
    folder : is written in place.
    card : name and description of the workflow.

    Raises
    ------
    UserError : the method segments nothing.
    """
    if Labels not in method.task.results:
        raise UserError(
            "A workflow of BIAFLOWS is written for methods that segment nuclei.",
            f"{method.name}, a method for {method.task.name}",
            "Export one whose results are labels.",
        )
    about = describe_workflow(method, card=card or ModelCard())
    io.write_json(folder / DESCRIPTOR, about)
    io.write_text(folder / WRAPPER, PROGRAM)
    image = about["container-image"]["image"]
    io.write_text(folder / "Dockerfile", DOCKERFILE.format(image=image))
    method.save(folder / MODEL)


def describe_workflow(method: Method, *, card: ModelCard) -> dict:
    """The content of descriptor.json.

    Parameters
    ----------
    method : whose decoding values are the inputs that a user sets.
    card : name and description.

    Returns
    -------
    dict of plain values. The name has no blanks; the container is named after it.
    """
    row = methods.row(method.name)
    name = FOREIGN.sub("-", card.name or f"NucleiSegmentation-{method.name}").strip("-")
    inputs = [describe_server_input(key) for key in SERVER]
    inputs += [describe_input(declared, value) for declared, value in list_inputs(method).values()]
    keys = " ".join(one["id"].upper() for one in inputs)
    authors = f" By {', '.join(card.authors)}." if card.authors else ""
    licence = f" Licence: {card.licence}." if card.licence else ""
    what = card.description or f"{row.title}, with nbtools."
    paper = f" Method: {row.paper.title} ({row.paper.year}), doi:{row.paper.doi}."
    return {
        "name": name,
        "description": f"{what}{authors}{licence}{paper} nbtools {nbtools.__version__}.",
        "container-image": {"image": f"OWNER/w_{name.lower()}", "type": "singularity"},
        "command-line": f"python {WRAPPER} {keys}",
        "inputs": inputs,
        "schema-version": SCHEMA,
    }


def list_inputs(method: Method) -> dict[str, tuple[Declaration, object]]:
    """What a user of the workflow sets: name → its declaration, and the value of the model.

    Parameters
    ----------
    method : whose decoding values they are.
    """
    values = method.decoding_values()
    known = {one.name: one for one in method.settings.declarations() if one.name in values}
    return {name: (known[name], values[name]) for name in values if name in known}


def describe_input(declared: Declaration, value: object) -> dict:
    """An input that a user sets, as a descriptor has it.

    Parameters
    ----------
    declared : as a setting of the method.
    value : of the model, from which the user starts.
    """
    limits = [f"{declared.min:,.10g}"] if declared.min is not None else []
    limits += [f"{declared.max:,.10g}"] if limits and declared.max is not None else []
    span = f" From {' to '.join(limits)}." if limits else ""
    return {
        "id": declared.name,
        "value-key": "@ID",
        "command-line-flag": "--@id",
        "name": declared.name.replace("_", " ").capitalize(),
        "description": f"{declared.help.rstrip('.')}.{span}",
        "default-value": value,
        "set-by-server": False,
        "optional": True,
        "type": TYPES.get(type(value), "String"),
    }


def describe_server_input(key: str) -> dict:
    """An input that a server fills in, as a descriptor has it.

    Parameters
    ----------
    key : one of `SERVER`.
    """
    name, kind = SERVER[key]
    return {
        "id": key,
        "value-key": "@ID",
        "command-line-flag": "--@id",
        "name": name,
        "set-by-server": True,
        "optional": False,
        "type": kind,
    }
