"""Why each finding matters, by its code: the consequence for training or for the numbers."""

from __future__ import annotations

_PARTNER = (
    "A method learns from the image and its partner together; without one, there is nothing to "
    "learn from."
)
_LEAK = (
    "A network remembers its training images: a score on the same nuclei is too high, and tells "
    "nothing about new images."
)
_SIDE = "A random division would put related images on both sides, and the score would be too high."
_EXTENT = "Distances, areas and volumes in µm are wrong."
_EMPTY = (
    "From an empty image a network learns to find nothing; if nuclei were forgotten, it is trained "
    "not to find them."
)

_BESIDE = "A network learns nuclei where there are none; a score counts right ones as wrong."

_APART = "A network can only learn the average of images that have nothing to do with each other."

PARTNERS = ("labels", "clean", "classes", "centres", "boxes")  # as in no_labels, missing_boxes
REASONS = {
    "box_without_class": "A detector learns a class without a name beside those that have one.",
    "centre_on_nothing": "A network learns to find points where there is nothing.",
    "centre_twice": "A nucleus counts twice in training and in scores.",
    "antialiased_label": "Each grey value of a blurred edge would count as a separate nucleus.",
    "axes_guessed": (
        "If depth is read as channels, or time as depth, the nuclei found are meaningless."
    ),
    "axes_unknown": (
        "Without names, depth, time and channels cannot be distinguished, and the image cannot be "
        "used."
    ),
    "background_label": (
        "The background counts as a nucleus, and nuclei that touch nothing else as its holes."
    ),
    "binary_label": (
        "Touching nuclei become one object: counts are too low, and no method can learn to split "
        "them."
    ),
    "bit_depth_differs": (
        "Equal brightness has different grey values from image to image: thresholds and "
        "intensities cannot be compared."
    ),
    "box_outside": "Part of the box lies beyond the image: its centre and its size are wrong.",
    "box_twice": "One nucleus counts as two: if it is found once, the other counts as missed.",
    "box_without_area": (
        "Nothing can overlap with such a box: it counts as a nucleus that no method can find."
    ),
    "centre_beside_nucleus": "A detector would learn to mark background.",
    "centre_outside": (
        "There are no pixels to learn from, and it counts as a nucleus that no method can find."
    ),
    "checked_in_parts": "What lies outside the middle may have faults that were not seen.",
    "class_imbalance": (
        "A network that always predicts the frequent class has a high accuracy, and is of no use."
    ),
    "class_in_one_group": (
        "A network can learn the slide, the day or the plant in place of the class, and its score "
        "would not tell."
    ),
    "class_without_nucleus": (
        "If the numbers have changed, classes are learned for the wrong nuclei."
    ),
    "clean_is_image": "A network would learn to copy its input.",
    "cut_objects": (
        "Sizes of cut nuclei are too small, and the border of the image determines their shape."
    ),
    "dark_nuclei": (
        "Weights trained on bright nuclei predict background here, and the other way round."
    ),
    "doubtful_label": _BESIDE,
    "duplicate": _SIDE,
    "duplicate_between_splits": _LEAK,
    "empty_boxes": _EMPTY,
    "empty_centres": _EMPTY,
    "empty_image": "There is nothing to learn from it, and its contrast cannot be stretched.",
    "empty_label": _EMPTY,
    "exchanged_clean": "A network would learn to add noise.",
    "fades_with_depth": (
        "One threshold cannot fit both ends: dim nuclei are missed, and intensity depends on depth."
    ),
    "few_grey_levels": (
        "Texture is lost: denoising and intensities are meaningless, and weak nuclei have "
        "disappeared."
    ),
    "float_label": "A label is a name, not a measurement: 1.5 is not a nucleus.",
    "foreign_file": "A file that you meant to use may be left out without your noticing.",
    "gaps": "A rectangle of exact zeros changes the grey scale, and edges of it look like nuclei.",
    "grey_as_rgb": "It takes three times the memory, and methods that need one channel refuse it.",
    "holes": "Areas are too small, and distances to the edge, which many methods learn, are wrong.",
    "image_is_label": (
        "A network would learn to copy labels, and find nothing in a microscope image."
    ),
    "interpolated_label": (
        "Each value of a rim counts as a nucleus, and the nuclei themselves are too small."
    ),
    "label_in_parts": (
        "One nucleus in two places has its centre outside itself; two nuclei with one number "
        "count as one."
    ),
    "label_is_image": "A network would learn to copy its input.",
    "misplaced_label": _BESIDE,
    "missing_image": (
        "The work on this label is lost, and perhaps another image is paired with the wrong label."
    ),
    "mixed_axes": (
        "A network works in 2D or 3D, with a fixed number of channels: it cannot process both "
        "kinds."
    ),
    "mixed_types": "Equal brightness has different grey values from image to image.",
    "near_duplicate": _SIDE,
    "near_duplicate_between_splits": _LEAK,
    "negative_label": (
        "Only -1 has a meaning (ignore); other negative numbers are lost when the file is written."
    ),
    "no_background": "A network never sees what is no nucleus, and predicts nuclei everywhere.",
    "no_images": "There is nothing to work on.",
    "noise_correlated": (
        "A blind-spot network predicts a pixel from its neighbours: it predicts, and so keeps, "
        "the noise that they share."
    ),
    "not_finite": "One such pixel makes the loss, and then every weight of the network, NaN.",
    "nuclei_large_for_network": (
        "Both edges of a nucleus do not fit into the receptive field: large nuclei are predicted "
        "in pieces."
    ),
    "nuclei_large_for_patch": (
        "Most patches contain cut nuclei, and the network learns that nuclei look like that."
    ),
    "nucleus_size_differs": (
        "A network finds nuclei of the sizes that are frequent in training, and splits or merges "
        "the others."
    ),
    "one_class": "A classifier trained on one class can predict no other.",
    "oversized_label": (
        "It counts as one nucleus of absurd size: sizes, scores and training are spoiled by it."
    ),
    "masks_overlap": "The shared pixels count for one of the nuclei only.",
    "other_tool": (
        "Programs that do not know this layout take label images for images, or find no labels."
    ),
    "outline_covers": "A region counts as a nucleus: counts, sizes and the network are wrong.",
    "outline_encloses": "A region counts as a nucleus: counts, sizes and the network are wrong.",
    "outline_hidden": "A nucleus that is painted over is not counted.",
    "outline_no_nucleus": "A region, tile or point is not a nucleus.",
    "outline_outside": "The nucleus is not counted; perhaps all outlines lie at a wrong place.",
    "outline_without_area": "Points and lines have no area that could be a nucleus.",
    "outline_without_slice": "A nucleus through all slices has a wrong volume.",
    "outlines_joined": "One nucleus on several slices would count as several nuclei.",
    "outlines_of_slices": "Nuclei of one slice hide those of others.",
    "rare_class": "With so few images, the score of this class depends on chance.",
    "partial_labels": "A network that is told of background where nuclei are learns to miss them.",
    "rgb": "Methods for grey images would treat the colours as three channels, or refuse them.",
    "rgb_label": "Colours are for display: the number of a nucleus cannot be read from them.",
    "same_labels": "One of the two images is learned with the nuclei of another.",
    "same_name": "Only one of them can be used, and perhaps it is the wrong one.",
    "saturated": (
        "Brightness above the limit is cut off: intensities are too low, and touching bright "
        "nuclei merge."
    ),
    "several_channels": "A method for one channel cannot know which channel shows the nuclei.",
    "several_images": "Nuclei of the other images would be missing without a word.",
    "shifted_clean": _APART,
    "shifted_label": (
        "Edges are learned where there are none: predicted outlines will be shifted, too."
    ),
    "sibling_tiles": _SIDE,
    "sibling_tiles_between_splits": _LEAK,
    "small_nuclei": "So few pixels show where a nucleus is, but not its shape.",
    "smaller_than_patch": "The image is padded, and the network learns the padding.",
    "spacing_default": _EXTENT,
    "spacing_disagrees": _EXTENT,
    "spacing_differs": "Nuclei of equal size look larger in one image than in another.",
    "spacing_implausible": _EXTENT,
    "spacing_missing": (
        "Results can only be given in pixels, and the pixel size of a model cannot be compared "
        "with yours."
    ),
    "swapped": "A network would learn to draw images from labels.",
    "time_series": (
        "Methods learn from single images, and the nuclei of a volume that is read as a movie are "
        "counted once per slice."
    ),
    "tiny_objects": "Specks count as nuclei: counts are too high, and precision is too low.",
    "transposed_label": (
        "Labels lie beside their nuclei; in a square image this is easily overlooked."
    ),
    "turned_box": _BESIDE,
    "turned_centre": _BESIDE,
    "turned_clean": _APART,
    "turned_label": _BESIDE,
    "unequal_shapes": "Pixels of image and partner do not correspond to each other.",
    "unknown_label": (
        "It counts as one nucleus, and a network learns it as such; pixels marked -1 are left out."
    ),
    "unlabelled_nuclei": (
        "A network learns that such nuclei are background, and scores count them as extra."
    ),
    "unlike_clean": _APART,
    "unreadable": "It is left out, or stops a run half-way.",
    "wrong_dimensions": (
        "A network works in the dimensions of its method: it cannot process this image."
    ),
    "z_step_assumed": _EXTENT,
    "z_step_missing": _EXTENT,
}


def explain(code: str) -> str:
    """Return why a finding of this code matters, in a sentence or two."""
    return REASONS.get(code, _PARTNER if code.split("_")[-1] in PARTNERS else "")
