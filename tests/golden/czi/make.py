"""Makes the small CZI files beside it with Zeiss's own writer.

Run it in an environment of its own with numpy and pylibCZIrw (LGPL, never a part of nbtools). Grey
values are ramps, 0 to 191 from the first pixel on, plus a number that tells scene, channel and
plane.
"""

from pathlib import Path

import numpy as np
from pylibCZIrw import czi

HERE = Path(__file__).resolve().parent
HEIGHT, WIDTH = 12, 16


def ramp(first):
    plane = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) + first
    return plane.astype(np.uint16)[..., None]


def write(name, fill, compression="uncompressed:"):
    (HERE / name).unlink(missing_ok=True)
    with czi.create_czi(str(HERE / name), compression_options=compression) as document:
        fill(document)
        document.write_metadata(scale_x=0.2e-6, scale_y=0.2e-6, scale_z=0.5e-6)


def fill_scenes(document):
    for scene, channel, z in np.ndindex(3, 2, 2):
        document.write(
            data=ramp(1000 * scene + 100 * channel + 10 * z),
            plane={"C": channel, "Z": z, "T": 0},
            scene=scene,
            location=(scene * 40 - 20, -7),
        )


def fill_corner(document):
    """Three of four tiles: the lower right one is missing."""
    for x, y, first in ((0, 0, 1000), (WIDTH, 0, 2000), (0, HEIGHT, 3000)):
        document.write(data=ramp(first), plane={"C": 0, "Z": 0, "T": 0}, scene=0, location=(x, y))


def fill_planes(document):
    """Planes 0, 1 and 3 of four."""
    for z in (0, 1, 3):
        document.write(data=ramp(100 * z), plane={"C": 0, "Z": z, "T": 0}, location=(0, 0))


def fill_colour(document):
    """Blue 200, green 50, red 10, in the order of the file."""
    planes = [np.full((HEIGHT, WIDTH), value, np.uint8) for value in (200, 50, 10)]
    document.write(data=np.stack(planes, -1), plane={"C": 0, "Z": 0, "T": 0})


if __name__ == "__main__":
    write("scenes.czi", fill_scenes)
    write("scenes_zstd.czi", fill_scenes, "zstd1:ExplicitLevel=3;PreProcess=HiLoByteUnpack")
    write("gap.czi", fill_corner)
    write("lost_plane.czi", fill_planes)
    write("colour.czi", fill_colour)
