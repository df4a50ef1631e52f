"""Volume rendering with NumPy alone: a volume rotated, near things in front of far ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.show.colors import color_labels
from nbtools.show.contrast import measure_contrast
from nbtools.show.views import check_same_space

# axis of the rotation → the two of (depth, row, column) that it mixes
ROTATION_AXES = {"Y": (0, 2), "X": (0, 1), "Z": (1, 2)}
GREY_DENSITY = 0.12  # density of the brightest grey value, per voxel
LABEL_DENSITY = 1.5  # density of a labelled voxel, per voxel
LIGHT = np.array([-0.75, -0.5, -0.43])  # towards the lamp: in front, above, left
AMBIENT = 0.4  # brightness of a surface that the lamp does not reach


@dataclass(frozen=True, eq=False)
class Scene:
    """A volume on cubic voxels, ready to be drawn from any side.

    Parameters
    ----------
    channels : (C, Z, Y, X) float32, brightness from 0 to 1.
    tints : (C, 3) colours of the channels.
    label : (Z, Y, X) integers 0..N, or None.
    colors : (N + 1, 3) colours of the labels.
    voxel_um : side of a voxel in µm, None if unknown.
    name : name of the image.
    """

    channels: np.ndarray
    tints: np.ndarray
    label: np.ndarray | None
    colors: np.ndarray | None
    voxel_um: float | None
    name: str = ""

    def draw(self, angle: float = 0.0, axis: str = "Y") -> np.ndarray:
        """Draw the scene turned about an axis: (H, W, 3) uint8, of the same size from every side.

        Parameters
        ----------
        angle : degrees; the view at 0 is along z; at 90 about Y along x, about X along y.
        axis : "Y" turns the volume like a globe, "X" tips it over, "Z" turns the picture.
        """
        if axis not in ROTATION_AXES:
            raise UserError(
                "A volume is turned about one of its axes.", repr(axis), 'Use "Y", "X" or "Z".'
            )
        rgb = (
            self._draw_labels(angle, axis)
            if self.label is not None
            else self._draw_light(angle, axis)
        )
        return (np.clip(rgb, 0, 1) * 255 + 0.5).astype(np.uint8)

    def _draw_light(self, angle: float, axis: str) -> np.ndarray:
        turned = np.stack([rotate(channel, angle, axis=axis) for channel in self.channels])
        color = np.tensordot(np.moveaxis(turned, 0, -1), self.tints.astype(np.float32), axes=1)
        brightest = np.maximum(turned.max(axis=0), 1e-6)
        return composite(GREY_DENSITY * brightest, color / np.sqrt(brightest)[..., None])

    def _draw_labels(self, angle: float, axis: str) -> np.ndarray:
        label = rotate(self.label, angle, axis=axis, order=0)
        inside = rotate(
            ndimage.gaussian_filter((self.label > 0).astype(np.float32), 1.0), angle, axis=axis
        )
        slope = np.stack(np.gradient(inside), axis=-1)
        facing = -(slope @ LIGHT.astype(np.float32)) / np.maximum(
            np.linalg.norm(slope, axis=-1), 1e-6
        )
        shade = AMBIENT + (1 - AMBIENT) * np.clip(facing, 0, 1)
        return composite(
            LABEL_DENSITY * (label > 0), self.colors.astype(np.float32)[label] * shade[..., None]
        )


def prepare_scene(image: Image, label: Image | None = None, *, most: int = 128) -> Scene:
    """Resample a volume to cubic voxels for `Scene.draw`; labels are drawn as coloured bodies.

    Parameters
    ----------
    image : volume; of a movie, the first frame is taken.
    label : label image of the same size.
    most : longest side in voxels; of larger volumes grey values are averaged, labels thinned out.

    Raises
    ------
    UserError : no volume; label and image differ in size.
    """
    image = require_volume(image).select(T=0).to("ZYXC")
    spacing = np.array(image.relative_spacing)
    voxel = max(1.0, float((spacing * image.space_shape).max() / most))
    contrast = measure_contrast(image.pixels, rgb=image.is_rgb)
    channels = [
        _resample(
            (image.pixels[..., c].astype(np.float32) - contrast.low[c])
            / (contrast.high[c] - contrast.low[c]),
            voxel / spacing,
        )
        for c in range(image.size("C"))
    ]
    labels = colors = None
    if label is not None:
        found = np.maximum(label.select(T=0).to("ZYX").pixels, 0)
        check_same_space(image.space_shape, found.shape)
        dense, colors = color_labels(found)
        labels = _resample(dense, voxel / spacing)
    voxel_um = min(image.spacing_um) * voxel if image.spacing_um else None
    return Scene(
        np.clip(np.stack(channels), 0, 1), contrast.tints, labels, colors, voxel_um, image.name
    )


def rotate(volume: np.ndarray, angle: float, *, axis: str, order: int = 1) -> np.ndarray:
    """Rotate (Z, Y, X) about one axis to (depth, rows, columns), nearest first, nothing cut off.

    About Y: column = x cos a + z sin a, depth = z cos a - x sin a, from the centre; about X
    likewise with y for x.

    Parameters
    ----------
    volume : (Z, Y, X) array.
    angle : degrees.
    axis : "Z", "Y" or "X".
    order : of the interpolation; 0 for labels.
    """
    i, j = ROTATION_AXES[axis]
    sine, cosine = np.sin(np.deg2rad(angle)), np.cos(np.deg2rad(angle))
    back = np.eye(3)  # from the turned grid to the volume's
    back[i, i] = back[j, j] = cosine
    back[i, j], back[j, i] = sine, -sine
    shape = list(volume.shape)
    shape[i] = shape[j] = int(np.ceil(np.hypot(volume.shape[i], volume.shape[j])))
    offset = (np.array(volume.shape) - 1) / 2 - back @ ((np.array(shape) - 1) / 2)
    return ndimage.affine_transform(volume, back, offset, tuple(shape), order=order)


def composite(density: np.ndarray, color: np.ndarray) -> np.ndarray:
    """Composite (D, H, W) density and (D, H, W, 3) colour, nearest first, to a picture (H, W, 3).

    Emission and absorption (Max 1995, doi:10.1109/2945.468400): a voxel of density d transmits the
    share exp(-d) of the light behind it, and adds its own colour with the rest.

    Parameters
    ----------
    density : optical depth per voxel.
    color : colours from 0 to 1.
    """
    density = density.astype(np.float32, copy=False)
    before = np.cumsum(density, axis=0) - density
    weight = np.exp(-before) * (1 - np.exp(-density))
    return np.einsum("dhw,dhwc->hwc", weight, color)


def require_volume(image: Image) -> Image:
    """Return the image, or raise a UserError where it has no planes along z."""
    if image.size("Z") < 2:
        raise UserError(
            "This view needs a volume.",
            f"{image.name or 'image'} with axes {image.axes}",
            'Give an image with axis Z, e.g. Image(pixels, "ZYX").',
        )
    return image


def _resample(volume: np.ndarray, step: np.ndarray) -> np.ndarray:
    """(Z, Y, X) → a grid with voxels as large as `step` old ones.

    Grey values are averaged and interpolated, labels picked.
    """
    picked, factors = volume.dtype.kind in "iu", np.maximum(step.astype(int), 1)
    shape = np.maximum(np.round(np.array(volume.shape) / step), 1).astype(int)
    for axis, factor in enumerate(factors):
        if factor > 1:
            volume = _thin(volume, axis, factor) if picked else _average(volume, axis, factor)
    return ndimage.zoom(
        volume, shape / volume.shape, order=0 if picked else 1, grid_mode=True, mode="nearest"
    )


def _average(volume: np.ndarray, axis: int, factor: int) -> np.ndarray:
    """Means of groups of planes; the last group may be smaller."""
    first = range(0, volume.shape[axis], factor)
    count = np.diff([*first, volume.shape[axis]]).astype(np.float32)
    return np.add.reduceat(volume, first, axis=axis) / count.reshape(
        [-1 if a == axis else 1 for a in range(3)]
    )


def _thin(volume: np.ndarray, axis: int, factor: int) -> np.ndarray:
    middle = np.minimum(
        np.arange(0, volume.shape[axis], factor) + factor // 2, volume.shape[axis] - 1
    )
    return volume.take(middle, axis=axis)
