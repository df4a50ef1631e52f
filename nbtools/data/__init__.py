"""Data sets: images with labels, clean partners or classes; opened lazily, split without leaks,
written whole.
"""

from nbtools.data.card import describe, write_card, write_deposit
from nbtools.data.classes import read_classes, write_classes
from nbtools.data.dataset import KINDS, DataSet
from nbtools.data.leakage import Fingerprint, find_near_copies, find_siblings, take_fingerprint
from nbtools.data.memory import remember
from nbtools.data.registry import Source, fetch, sources, unpack
from nbtools.data.sample import Entry, InputOptions, Sample
from nbtools.data.samples import packaged, sample_names, samples
from nbtools.data.splits import find_twice, hash_pixels, link_groups
from nbtools.data.tiles import cut_tiles
from nbtools.data.writing import (
    READING,
    copy_files,
    copy_split,
    describe_reading,
    format_toml,
    write_dataset,
    write_places,
    write_sample,
    write_tables,
)

__all__ = [
    "KINDS",
    "READING",
    "DataSet",
    "Entry",
    "Fingerprint",
    "InputOptions",
    "Sample",
    "Source",
    "copy_files",
    "copy_split",
    "cut_tiles",
    "describe",
    "describe_reading",
    "fetch",
    "find_near_copies",
    "find_siblings",
    "find_twice",
    "format_toml",
    "hash_pixels",
    "link_groups",
    "packaged",
    "read_classes",
    "remember",
    "sample_names",
    "samples",
    "sources",
    "take_fingerprint",
    "unpack",
    "write_card",
    "write_classes",
    "write_dataset",
    "write_deposit",
    "write_places",
    "write_sample",
    "write_tables",
]
