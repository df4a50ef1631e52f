"""Parts of a vision transformer on a grid of patches, in 2D and 3D.

Dosovitskiy et al. 2021, arXiv:2010.11929. Patches stay where they are, on a grid (B, *grid, C), and
are a sequence inside the attention only.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers, ops

Tensor = keras.KerasTensor


@keras.saving.register_keras_serializable("nbtools")
class PlaceTable(layers.Layer):
    """Add a learned vector per place of the grid.

    Parameters
    ----------
    grid : places along each axis; a smaller grid uses the first of them, a larger one repeats them.
    """

    def __init__(self, grid: Sequence[int], **kwargs):
        super().__init__(**kwargs)
        self.grid = tuple(grid)

    def build(self, shape: tuple) -> None:
        """Make the table."""
        start = keras.initializers.RandomNormal(stddev=0.02)
        self.table = self.add_weight(shape=(*self.grid, shape[-1]), initializer=start, name="table")

    def call(self, x: Tensor) -> Tensor:
        """(B, *grid, C) → the same, with the vector of each place added."""
        table = self.table
        for axis, size in enumerate(ops.shape(x)[1:-1]):
            index = ops.arange(size, dtype="int32") % self.grid[axis]
            table = ops.take(table, index, axis=axis)
        return x + table

    def compute_output_shape(self, shape: tuple) -> tuple:
        """Shape of the output for a shape of the input."""
        return shape

    def get_config(self) -> dict:
        """Settings of the layer."""
        return {**super().get_config(), "grid": self.grid}


@keras.saving.register_keras_serializable("nbtools")
class GridAttention(layers.Layer):
    """Each place looks at all others: softmax(q kᵀ / √d) v, in several heads.

    Parameters
    ----------
    heads : their number, which divides the channels.

    References
    ----------
    Vaswani et al. 2017, arXiv:1706.03762.
    """

    def __init__(self, heads: int, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads

    def build(self, shape: tuple) -> None:
        """Make what turns a place into question, key and value, and their answer back."""
        width = shape[-1]
        self.ask = self.add_weight(
            shape=(width, 3 * width), initializer="glorot_uniform", name="ask"
        )
        self.tell = self.add_weight(shape=(width, width), initializer="glorot_uniform", name="tell")
        self.bias = self.add_weight(shape=(width,), initializer="zeros", name="bias")

    def call(self, x: Tensor) -> Tensor:
        """(B, *grid, C) → (B, *grid, C)."""
        shape, width = ops.shape(x), x.shape[-1]
        each = width // self.heads
        tokens = ops.reshape(x, (shape[0], -1, width))
        parts = ops.reshape(ops.matmul(tokens, self.ask), (shape[0], -1, 3, self.heads, each))
        query, key, value = (ops.transpose(parts[:, :, i], (0, 2, 1, 3)) for i in range(3))
        near = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) / each**0.5
        found = ops.matmul(ops.softmax(near, axis=-1), value)  # (B, heads, N, each)
        found = ops.reshape(ops.transpose(found, (0, 2, 1, 3)), (shape[0], -1, width))
        return ops.reshape(ops.matmul(found, self.tell) + self.bias, (*shape[:-1], width))

    def compute_output_shape(self, shape: tuple) -> tuple:
        """Shape of the output for a shape of the input."""
        return shape

    def get_config(self) -> dict:
        """Settings of the layer."""
        return {**super().get_config(), "heads": self.heads}


@keras.saving.register_keras_serializable("nbtools")
class Gelu(layers.Layer):
    """GELU, x · Φ(x), by the error function, which exporters know, and not by its complement."""

    def call(self, x: Tensor) -> Tensor:
        """The same shape."""
        return 0.5 * x * (1 + ops.erf(x / 2**0.5))

    def compute_output_shape(self, shape: tuple) -> tuple:
        """Shape of the output for a shape of the input."""
        return shape


def transformer_block(x: Tensor, *, heads: int, hidden: int, name: str) -> Tensor:
    """Attention and two dense layers, each normalised before and added to what was there.

    Parameters
    ----------
    x : (B, *grid, C).
    heads : of the attention.
    hidden : channels between the two dense layers.
    name : of the layers.
    """
    y = layers.LayerNormalization(epsilon=1e-5, name=f"{name}_norm0")(x)
    y = GridAttention(heads, name=f"{name}_attention")(y)
    x = layers.Add(name=f"{name}_add0")([x, y])
    y = layers.LayerNormalization(epsilon=1e-5, name=f"{name}_norm1")(x)
    y = layers.Dense(hidden, name=f"{name}_dense0")(y)
    y = Gelu(name=f"{name}_gelu")(y)
    y = layers.Dense(x.shape[-1], name=f"{name}_dense1")(y)
    return layers.Add(name=f"{name}_add1")([x, y])
