"""Why each finding matters, by its code: what goes wrong in training, or with the numbers, if
nothing is done.
"""

from __future__ import annotations

_PARTNER = (
    "A method learns from the image and its partner together; without one, there is nothing to "
    "learn from."
)
_LEAK = (
    "A network remembers what it has trained on: a score on the same nuclei is too good, and "
    "says nothing about new images."
)
_SIDE = (
    "A split by chance would put the like of them on both sides, and the score would be too good."
)
_EXTENT = "Areas, volumes and distances in µm are wrong by the same factor, volumes by its cube."
_SPEAK = (
    "Where nothing is, a program learns to find nothing; if nuclei were forgotten, it is "
    "punished for finding them."
)

PARTNERS = ("labels", "clean", "classes", "centres", "boxes")  # as in no_labels, missing_boxes
REASONS = {
    "antialiased_label": "Each grey value of a soft edge would count as a nucleus of its own.",
    "axes_guessed": (
        "A volume that is read as channels, or a movie as a volume, gives nuclei that do not exist."
    ),
    "axes_unknown": (
        "Without names, depth, time and channels cannot be told apart, and the image cannot be "
        "used."
    ),
    "binary_label": (
        "Touching nuclei become one object: counts are too low, and no method can learn to part "
        "them."
    ),
    "bit_depth_differs": (
        "The same brightness has another number from image to image: thresholds and intensities "
        "cannot be compared."
    ),
    "box_outside": "There is no image under a part of the box; its middle and its size are wrong.",
    "box_twice": "One nucleus counts as two: finding it once is scored as a miss.",
    ("box_without_area"): (
        "Nothing can overlap with such a box: it is a nucleus that no method can find."
    ),
    "centre_beside_nucleus": "A detector would learn to mark background.",
    "centre_outside": "There is no pixel to learn from, and a nucleus that no method can find.",
    ("class_imbalance"): (
        "A network that always says the frequent class looks good by accuracy, and is of no use."
    ),
    "class_without_nucleus": "Classes are learned for the wrong nuclei where numbers have moved.",
    "cut_objects": "Sizes of cut nuclei are too small, and their shapes are those of the border.",
    "dark_nuclei": "Weights trained on bright nuclei see background here, and the other way round.",
    "duplicate": _SIDE,
    "duplicate_between_splits": _LEAK,
    "empty_boxes": _SPEAK,
    "empty_centres": _SPEAK,
    "empty_image": "There is nothing to learn from it, and its contrast cannot be stretched.",
    "empty_label": _SPEAK,
    ("few_grey_levels"): (
        "Texture is lost: denoising and intensities make no sense, and weak nuclei are gone."
    ),
    "float_label": "A label is a name, not a measurement: 1.5 is no nucleus.",
    "foreign_file": "What you meant to be used may be left out without your noticing.",
    "grey_as_rgb": "It takes three times the memory, and methods that need one channel refuse it.",
    "holes": "Areas are too small, and distances to the edge, which many methods learn, are wrong.",
    "label_in_parts": (
        "One nucleus in two places has a middle outside of itself; two nuclei of one number "
        "count as one."
    ),
    "label_is_image": "A network would learn to copy its input.",
    ("missing_image"): (
        "The work on this label is lost, and perhaps another image pairs with the wrong one."
    ),
    ("mixed_axes"): (
        "A network works in 2D or 3D, with a fixed number of channels: it cannot take both kinds."
    ),
    "mixed_types": "The same brightness has another number from image to image.",
    "near_duplicate": _SIDE,
    "near_duplicate_between_splits": _LEAK,
    ("negative_label"): (
        "Only -1 has a meaning, to be ignored; others are lost when the file is written."
    ),
    "no_images": "There is nothing to work on.",
    "noise_correlated": (
        "A network with blind spots guesses a pixel from its neighbours: noise that they share, "
        "it guesses and keeps."
    ),
    "not_finite": "One such pixel makes the loss, and then every weight of the network, NaN.",
    ("nuclei_large_for_network"): (
        "The network cannot see both edges of a nucleus at once: large nuclei fall to pieces."
    ),
    ("nuclei_large_for_patch"): (
        "Most patches show cut nuclei, and the network learns that nuclei look so."
    ),
    "nucleus_size_differs": (
        "A network finds nuclei of the sizes that it has seen most, and parts or joins the others."
    ),
    "one_class": "A classifier that has seen one class can only ever say that one.",
    "rare_class": "With so few, the score of this class is chance.",
    "rgb": "Methods for grey images would see three channels, or refuse them.",
    "rgb_label": "Colours are for looking at: the number of a nucleus cannot be read from them.",
    "same_labels": "One of the two images is learned with the nuclei of another.",
    "same_name": "Only one of them can be used, and perhaps it is the wrong one.",
    "saturated": (
        "Brightness above the limit is cut off: intensities are too low, and touching bright "
        "nuclei melt together."
    ),
    "several_channels": "A method for one channel cannot know which is that of the nuclei.",
    "several_images": "Only the first is used, and it may be a preview.",
    ("shifted_label"): (
        "Edges are learned where there are none: outlines will be beside the nuclei, too."
    ),
    "sibling_tiles": _SIDE,
    "sibling_tiles_between_splits": _LEAK,
    "small_nuclei": "So few pixels say where a nucleus is, but not how it is shaped.",
    "smaller_than_patch": "It is padded, and the network learns the padding.",
    "spacing_differs": "Nuclei of one size look larger in one image than in another.",
    "spacing_implausible": _EXTENT,
    "spacing_missing": (
        "Results can only be given in pixels, and a model's pixel size cannot be compared with "
        "yours."
    ),
    "swapped": "A network would learn to draw images from labels.",
    "time_series": "Methods that learn from labels work on single time points.",
    "tiny_objects": "Specks count as nuclei: counts are too high, and precision is too low.",
    "transposed_label": "Labels lie beside their nuclei; in a square image nobody would notice.",
    "unequal_shapes": "Pixels of image and partner do not belong together.",
    "unreadable": "It is left out, or stops everything half-way.",
    ("wrong_dimensions"): (
        "The network has as many dimensions as its method: it cannot take this image."
    ),
    "z_step_assumed": _EXTENT,
    "z_step_missing": _EXTENT,
}


def explain(code: str) -> str:
    """Why a finding of this code matters, in a sentence or two."""
    return _PARTNER if code.split("_")[-1] in PARTNERS else REASONS.get(code, "")
