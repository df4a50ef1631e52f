"""Data sets: images with their partners, read lazily, split without leaks, written whole."""

from nbtools.data.arranging import arrange
from nbtools.data.card import describe_dataset, write_card, write_deposit
from nbtools.data.classes import read_classes, write_classes
from nbtools.data.converting import convert_dataset
from nbtools.data.crops import CropPlan, cut_crops, plan_crops
from nbtools.data.dataset import KINDS, DataSet
from nbtools.data.input_options import save_input_options
from nbtools.data.joined import join, require_shares
from nbtools.data.leakage import (
    Fingerprint,
    find_adjacent_tiles,
    find_near_copies,
    take_fingerprint,
)
from nbtools.data.movies import Doubt, doubt_time, name_frame, split_name
from nbtools.data.other_tools import hold_labels
from nbtools.data.registry import Source, fetch, sources
from nbtools.data.ro_crate import check_crate
from nbtools.data.sample import Entry, InputOptions, Sample
from nbtools.data.samples import packaged_path, sample_names, samples
from nbtools.data.splits import group_duplicates, hash_pixels, link_groups
from nbtools.data.tiles import cut_tiles
from nbtools.data.windows import cut_windows
from nbtools.data.writing import (
    INPUT_KEYS,
    copy_files,
    copy_split,
    describe_input_options,
    format_toml,
    write_dataset,
    write_points_and_boxes,
    write_sample,
    write_tables,
)

__all__ = [
    "INPUT_KEYS",
    "KINDS",
    "CropPlan",
    "DataSet",
    "Doubt",
    "Entry",
    "Fingerprint",
    "InputOptions",
    "Sample",
    "Source",
    "arrange",
    "check_crate",
    "convert_dataset",
    "copy_files",
    "copy_split",
    "cut_crops",
    "cut_tiles",
    "cut_windows",
    "describe_dataset",
    "describe_input_options",
    "doubt_time",
    "fetch",
    "find_adjacent_tiles",
    "find_near_copies",
    "format_toml",
    "group_duplicates",
    "hash_pixels",
    "hold_labels",
    "join",
    "link_groups",
    "name_frame",
    "packaged_path",
    "plan_crops",
    "read_classes",
    "require_shares",
    "sample_names",
    "samples",
    "save_input_options",
    "sources",
    "split_name",
    "take_fingerprint",
    "write_card",
    "write_classes",
    "write_dataset",
    "write_deposit",
    "write_points_and_boxes",
    "write_sample",
    "write_tables",
]
