"""Real data sets open as their own pages describe them."""

import numpy as np

from nbtools.data import DataSet, InputOptions


def test_dsb2018_pairs_every_image(data_folder):
    dataset = DataSet.open(data_folder / "dsb2018_fluorescence" / "test")
    assert len(dataset) == 41  # data_folder/README.md
    assert dataset.notes == []
    assert all(
        s.label.shape == s.image.shape and s.label.pixels.dtype == np.uint16 for s in dataset
    )


def test_dsb2018_parts_keep_their_mosaics_apart(data_folder):
    dataset = DataSet.open(data_folder / "dsb2018_fluorescence")
    assert {k: len(v) for k, v in dataset.splits().items()} == {"train": 376, "val": 84, "test": 41}
    groups = np.array(dataset.groups("mosaic_group"))
    parts = np.array([e.part for e in dataset.entries])
    assert not set(groups[parts == "train"]) & set(groups[parts == "test"])


def test_the_embryo_has_its_axes_and_ratio(data_folder):
    dataset = DataSet.open(data_folder / "mouse_embryo_3d" / "all")
    sample = dataset[0]
    assert (sample.image.axes, sample.image.spacing, sample.image.unit) == (
        "ZYX",
        (2.18, 1, 1),
        "pixel",
    )
    assert (sample.label.axes, sample.label.pixels.max(), sample.label.relative_spacing) == (
        "ZYX",
        8,
        (2.18, 1, 1),
    )
    assert dataset.has("centres")


def test_the_cell_cycle_has_classes_and_named_channels(data_folder):
    dataset = DataSet.open(data_folder / "cell_cycle" / "all", options=InputOptions(channel="DNA"))
    assert (len(dataset), len(dataset.class_names)) == (2252, 7)  # as many rows as classes.csv has
    assert all(e.class_name for e in dataset.entries)
    assert (dataset[0].image.axes, dataset[0].image.shape) == ("YX", (40, 40))


def test_blood_cells_are_colour(data_folder):
    dataset = DataSet.open(data_folder / "blood_cells" / "all")
    assert len(dataset) == 364
    assert dataset[0].image.is_rgb
    assert dataset.has("boxes")


def test_a_plain_folder_of_images_opens(data_folder):
    dataset = DataSet.open(data_folder / "teaching_images")
    assert len(dataset) > 50
    assert {s.image.axes for s in dataset} == {"YX", "CYX", "ZYX"}
