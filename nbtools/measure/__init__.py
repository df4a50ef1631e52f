"""Measure nuclei, one row per nucleus: size, shape, position, neighbours, intensity; in µm.

Texture and chromocentres are measured on request. Every number comes from one pass over runs of
equal labels and one over the foreground, so that ten thousand nuclei in a volume take about a
second (apart from the convex hulls of `solidity`, textures and chromocentres).
"""

from nbtools.measure.chromocentres import find_chromocentres
from nbtools.measure.nuclei import measure, name_time
from nbtools.measure.tables import choose, read_table, stack

__all__ = ["choose", "find_chromocentres", "measure", "name_time", "read_table", "stack"]
