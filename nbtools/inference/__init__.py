"""How a network runs over an image: in tiles, as a whole, in planes, at the best magnification."""

from nbtools.inference.base import Activated, Forecast, Inference, ReceptiveField
from nbtools.inference.orthogonal_planes import OrthogonalPlanes
from nbtools.inference.scale_search import ScaleSearch
from nbtools.inference.test_time_augmentation import TestTimeAugmentation
from nbtools.inference.tiled import FixedTile, Tiled, plan_tiles, run_tiles
from nbtools.inference.whole_image import WholeImage

__all__ = [
    "Activated",
    "FixedTile",
    "Forecast",
    "Inference",
    "OrthogonalPlanes",
    "ReceptiveField",
    "ScaleSearch",
    "TestTimeAugmentation",
    "Tiled",
    "WholeImage",
    "plan_tiles",
    "run_tiles",
]
