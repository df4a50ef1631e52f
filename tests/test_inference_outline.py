"""What an inference takes, as plain values: the forecast is that of the inference itself."""

import json

import pytest

from nbtools.inference import (
    Activated,
    FixedTile,
    OrthogonalPlanes,
    ReceptiveField,
    ScaleSearch,
    TestTimeAugmentation,
    Tiled,
    WholeImage,
)
from nbtools.inference.outline import InferenceOutline, outline_inference

FIELD = ReceptiveField((20, 20), (8, 8), features=64.0, outputs=3.0)
DEEP = ReceptiveField((0, 20, 20), (1, 8, 8), features=64.0, outputs=3.0)
NO_END = ReceptiveField(None, (8, 8), features=64.0)


@pytest.mark.parametrize(
    ("inference", "shape"),
    [
        (Tiled(FIELD), (3000, 2000)),
        (TestTimeAugmentation(FixedTile(Tiled(NO_END), (256, 256)), "flips"), (900, 800)),
        (Activated(WholeImage(FIELD), abs), (900, 800)),
        (ScaleSearch(Activated(Tiled(FIELD), abs), abs, max, 20.0), (900, 800)),
        (FixedTile(OrthogonalPlanes(Tiled(DEEP)), (16, 64, 64)), (30, 400, 400)),
    ],
)
@pytest.mark.parametrize("tile", [None, "smaller"])
def test_an_outline_forecasts_as_the_inference_does(inference, shape, tile):
    tile = tile and tuple(n // 3 for n in shape)
    outline = outline_inference(inference)
    kept = InferenceOutline.from_dict(json.loads(json.dumps(outline.to_dict())))
    one, other = (each.forecast(shape, tile=tile, frames=2) for each in (inference, kept))
    assert (one.tiles, one.tile, one.needed) == (other.tiles, other.tile, other.needed)
