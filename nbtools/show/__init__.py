"""Every figure of the toolkit; a notebook shows each returned figure as the value of its cell."""

from nbtools.show.by_hand import decision, descent, learning_curves, numbers
from nbtools.show.curves import TrainingCurve, training, training_curve
from nbtools.show.explained import explained, feature_maps, kernels
from nbtools.show.fields import flows, paths, stars
from nbtools.show.figure import Figure, array_to_png, to_png, write_pdf
from nbtools.show.found import found_pictures
from nbtools.show.grey import histogram
from nbtools.show.groups import group_table, groups, highlight
from nbtools.show.marked import points
from nbtools.show.noise import correlations
from nbtools.show.pages import picture_page, text_pages
from nbtools.show.paired import differences
from nbtools.show.pictures import images, labels, overlay, pairs, patches, predictions, sample
from nbtools.show.quality import error_map, scores
from nbtools.show.restoration import denoisers, error_maps, restored, side_by_side_rgb
from nbtools.show.results import points_rgb, result_rgb
from nbtools.show.scores import calibration, confusion, evaluation, resolution, strata
from nbtools.show.tables import measurements
from nbtools.show.text import RichText, findings, page, table
from nbtools.show.tracks import lineage, tracks
from nbtools.show.turning import turning_png
from nbtools.show.views import overlay_rgb, paint, view
from nbtools.show.volumes import projections, rays, slices, slices_rgb, surfaces

__all__ = [
    "Figure",
    "RichText",
    "TrainingCurve",
    "array_to_png",
    "calibration",
    "confusion",
    "correlations",
    "decision",
    "denoisers",
    "descent",
    "differences",
    "error_map",
    "error_maps",
    "evaluation",
    "explained",
    "feature_maps",
    "findings",
    "flows",
    "found_pictures",
    "group_table",
    "groups",
    "highlight",
    "histogram",
    "images",
    "kernels",
    "labels",
    "learning_curves",
    "lineage",
    "measurements",
    "numbers",
    "overlay",
    "overlay_rgb",
    "page",
    "paint",
    "pairs",
    "patches",
    "paths",
    "picture_page",
    "points",
    "points_rgb",
    "predictions",
    "projections",
    "rays",
    "resolution",
    "restored",
    "result_rgb",
    "sample",
    "scores",
    "side_by_side_rgb",
    "slices",
    "slices_rgb",
    "stars",
    "strata",
    "surfaces",
    "table",
    "text_pages",
    "to_png",
    "tracks",
    "training",
    "training_curve",
    "turning_png",
    "view",
    "write_pdf",
]
