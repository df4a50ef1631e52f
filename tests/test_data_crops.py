"""One crop per labelled nucleus, at one scale; and what is left when a part is taken out."""

import json

import numpy as np
import pytest

from nbtools import data, simulate
from nbtools.data.ablations import ablate
from nbtools.errors import UserError
from nbtools.image import Image


def make_discs(spacing: float, *, radius_um: float = 3.0, name: str = "a") -> data.Sample:
    """Two discs of equal size in µm, whatever the pixels; the second one is brighter."""
    shape = tuple(round(24 / spacing) for _ in range(2))
    y, x = np.indices(shape) * spacing
    label = np.zeros(shape, np.uint16)
    for number, (cy, cx) in enumerate(((6, 6), (15, 16)), start=1):
        label[np.hypot(y - cy, x - cx) < radius_um] = number
    pixels = (10 + 100 * label).astype(np.uint16)
    about = {"axes": "YX", "spacing": (spacing,) * 2, "name": name}
    named = {1: "dim", 2: "bright"}
    return data.Sample(name, Image(pixels, **about), Image(label, **about), classes=named)


def test_crops_of_two_magnifications_show_nuclei_of_one_size():
    both = data.DataSet.of([make_discs(0.25, name="fine"), make_discs(0.5, name="coarse")])
    plan = data.plan_crops(both, mask="channel")
    assert plan.spacing == (0.5, 0.5)
    areas = [float((s.image.select(C=1).pixels > 0).sum()) for s in data.cut_crops(both, plan)]
    assert np.ptp(areas) < 0.05 * np.mean(areas)
    assert np.mean(areas) * 0.25 == pytest.approx(np.pi * 9, rel=0.05)


def test_a_crop_is_centred_on_its_nucleus_and_has_its_class_and_group():
    crops = data.cut_crops(data.DataSet.of([make_discs(0.5)]), data.CropPlan((15, 15), (0.5, 0.5)))
    assert [s.name for s in crops] == ["a_n0001", "a_n0002"]
    assert [(s.class_name, s.group) for s in crops] == [("dim", "a"), ("bright", "a")]
    assert [s.image.pixels[7, 7] for s in crops] == [110, 210]
    assert crops[0].image.spacing_um == (0.5, 0.5)
    assert crops.entries[1].columns["label"] == "2"


def test_beyond_the_border_and_outside_an_applied_mask_there_is_background():
    sample = make_discs(0.5)
    plan = data.CropPlan((41, 41), (0.5, 0.5), mask="apply")
    crop = data.cut_crops(data.DataSet.of([sample]), plan)[0].image.pixels
    assert set(np.unique(crop)) == {10, 110}
    assert (crop == 110).sum() == (sample.label.pixels == 1).sum()


def test_ablations_keep_what_they_say_and_nothing_else():
    plan = data.CropPlan((15, 15), (0.5, 0.5), mask="channel")
    crop = data.cut_crops(data.DataSet.of([make_discs(0.5)]), plan)[1].image
    crop = crop.replace(pixels=crop.pixels + np.indices(crop.shape)[0].astype(np.uint16) * [1, 0])
    mask = crop.pixels[..., 1] > 0
    outline = ablate(crop, "mask only").pixels[..., 0]
    assert np.array_equal(outline > 0, mask)
    shuffled = ablate(crop, "shuffled").pixels[..., 0]
    assert sorted(shuffled[mask]) == sorted(crop.pixels[..., 0][mask])
    assert not np.array_equal(shuffled, crop.pixels[..., 0])
    spread = ablate(crop, "intensity only").pixels
    assert set(np.unique(spread[..., 0])) <= set(np.unique(crop.pixels[..., 0][mask]))
    assert spread[..., 1].all()
    with pytest.raises(UserError, match="outline of each nucleus"):
        ablate(crop.select(C=0), "mask only")


def test_images_without_labels_or_without_a_common_scale_are_refused():
    bare = make_discs(0.5).replace(label=None)
    with pytest.raises(UserError, match="labelled nuclei"):
        data.plan_crops(data.DataSet.of([bare]))
    unknown = make_discs(0.5, name="b")
    unknown = unknown.replace(image=unknown.image.replace(spacing=None))
    with pytest.raises(UserError, match="pixel size of every image"):
        data.plan_crops(data.DataSet.of([make_discs(0.5), unknown]))


def test_the_command_writes_a_data_set_of_crops_with_masks_in_3d(run, tmp_path):
    settings = {"count": 1, "plants": 1, "shape_px": (14, 36, 36)}
    volumes = simulate.make("classes", count=2, seed=0, settings=settings)
    data.write_dataset(volumes, tmp_path / "volumes")
    words = ("crop", tmp_path / "volumes", "--out", tmp_path / "crops", "--mask", "channel")
    code, out, err = run(*words, "--json")
    assert code == 0, err
    assert json.loads(out)["classes"] == ["mutant", "wild type"]
    crops = data.DataSet.open(tmp_path / "crops")
    assert len(crops) == json.loads(out)["crops"]
    assert crops[0].image.channels[-1] == "mask"
    assert len({s.image.shape for s in crops}) == 1
    assert {e.columns["group"] for e in crops.entries} == {"wild type 1", "mutant 1"}
