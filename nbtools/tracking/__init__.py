"""Nuclei followed through a movie: linked from frame to frame, with their divisions.

`link` makes `Tracks` of the labels of a movie; `score` compares them with the truth.
"""

from nbtools.tracking.files import (
    draw_tracks,
    write_ctc,
    write_table,
    write_trackmate,
)
from nbtools.tracking.geff_file import write_geff
from nbtools.tracking.linking import LinkOptions, find_reach, link, measure_steps
from nbtools.tracking.scores import score
from nbtools.tracking.tracks import Tracks, from_labels

__all__ = [
    "LinkOptions",
    "Tracks",
    "draw_tracks",
    "find_reach",
    "from_labels",
    "link",
    "measure_steps",
    "score",
    "write_ctc",
    "write_geff",
    "write_table",
    "write_trackmate",
]
