"""The samples that come with the toolkit: small, licensed, and each real one with its card."""

import re
from pathlib import Path

import numpy as np
import pytest

from nbtools import data
from nbtools.data import sample_names

ROOT = Path(__file__).resolve().parent.parent
REAL = [name for name in sample_names() if name.startswith("real_")]
FREE = {"CC0-1.0", "CC-BY-4.0", "MIT", "BSD-3-Clause"}
MOST_BYTES = 2_000_000  # of all real samples together


def test_a_dozen_real_images_of_several_kinds_are_small():
    folders = [data.packaged_path("samples", name) for name in REAL]
    size = sum(p.stat().st_size for folder in folders for p in folder.rglob("*") if p.is_file())
    assert size <= MOST_BYTES
    assert sum(len(data.samples(name)) for name in REAL) >= 12
    axes = {data.samples(name).image(0).axes for name in REAL}
    assert {"YX", "YXC", "ZYX", "TYX", "CYX"} <= axes


@pytest.mark.parametrize("name", REAL)
def test_a_real_sample_has_a_card_with_source_licence_and_crop(name):
    dataset = data.samples(name)
    card = (dataset.folder / "README.md").read_text("utf-8")
    assert dataset.meta["licence"] in FREE
    assert f"**Licence:** {dataset.meta['licence']}" in card
    assert dataset.meta["source"] in card
    assert re.search(r"https?://|doi:", card)
    assert "**Known to:**" in card
    for image in dataset.names:
        assert f"| {image} |" in card


@pytest.mark.parametrize("name", REAL)
def test_a_real_sample_can_be_read_and_shows_something(name):
    for sample in data.samples(name):
        assert np.ptp(sample.image.pixels) > 20
        if sample.label is not None:
            assert sample.label.space_shape == sample.image.space_shape
            numbers = np.unique(sample.label.pixels)
            assert numbers.tolist() == list(range(len(numbers)))
            assert len(numbers) > 3


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("real_cells", "says nothing about others"),
        ("real_histology", "says nothing about others"),
        ("real_embryo", "no independent test"),
        ("real_micronuclei", "were chosen by images of this set"),
    ],
)
def test_no_sample_that_weights_know_is_called_independent(name, words):
    card = (data.packaged_path("samples", name) / "README.md").read_text("utf-8")
    assert words in card


def test_files_of_the_card_and_nothing_else_are_there():
    for name in REAL:
        folder = data.packaged_path("samples", name)
        tops = {p.name for p in folder.iterdir() if not p.name.startswith(".")}
        assert tops <= {"README.md", "dataset.toml", "images", "labels"}
        assert data.samples(name).notes == []
