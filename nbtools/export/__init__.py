"""Results and models for other programs: Fiji, QuPath, 3D Slicer, spreadsheets, Keras."""

from nbtools.export.label_files import FOLDERS, LABEL_FORMATS, write_labels
from nbtools.export.mark_files import MARK_FORMATS, write_mark_rois, write_marks
from nbtools.export.model import CARDED, FORMATS, PACKAGES, WHOLE, write_model
from nbtools.export.model_card import ModelCard
from nbtools.export.outlines import rois, trace_mask, trace_plane, trace_shapes
from nbtools.export.results import save_results, save_scores
from nbtools.export.run import labels, save_run, table, write_rois
from nbtools.export.track_files import TRACK_FORMATS, hold_tracks, open_tracks, write_tracks

__all__ = [
    "CARDED",
    "FOLDERS",
    "FORMATS",
    "LABEL_FORMATS",
    "MARK_FORMATS",
    "PACKAGES",
    "TRACK_FORMATS",
    "WHOLE",
    "ModelCard",
    "hold_tracks",
    "labels",
    "open_tracks",
    "rois",
    "save_results",
    "save_run",
    "save_scores",
    "table",
    "trace_mask",
    "trace_plane",
    "trace_shapes",
    "write_labels",
    "write_mark_rois",
    "write_marks",
    "write_model",
    "write_rois",
    "write_tracks",
]
