"""Results and models for other programs: Fiji, spreadsheets, Keras."""

from nbtools.export.model import FORMATS, write_model
from nbtools.export.outlines import rois, trace_mask, trace_plane
from nbtools.export.run import labels, save_run, table

__all__ = [
    "FORMATS",
    "labels",
    "rois",
    "save_run",
    "table",
    "trace_mask",
    "trace_plane",
    "write_model",
]
