"""How the shipped weights are trained, and what their cards say: one entry each."""

from __future__ import annotations

import embryo

DSB2018 = (
    "Data Science Bowl 2018, Broad Bioimage Benchmark Collection BBBC038 (corrected labels), "
    "doi:10.1038/s41592-019-0612-7"
)
FLUORESCENCE = (
    "Single-channel fluorescence of DNA stains, cultured cells and tissue sections; nuclei of "
    "about 6 to 60 pixels across."
)
CELLS = (
    "micronuclei_cells (MNFinder, DiPeso & Hatch, MIT) and of u2os_cells (Aitslab, Arvidsson et "
    "al. 2022, doi:10.1016/j.dib.2022.108769, CC-BY 4.0)"
)
MIXTURE = f"{DSB2018} (CC0); a part of {CELLS}; simulated fields and backgrounds"
SHARED = "CC-BY-4.0 (weights: attribution to DSB2018, MNFinder and Aitslab; see the data)"
MANY = (
    "Single-channel fluorescence of DNA stains: cultured cells, dense tissue, haze; nuclei of "
    "about 8 to 110 pixels across."
)
# how often DSB2018's training images are drawn, and what `mixture.py` makes
MIXED = {"": 8, "cells": 3, "rescaled": 4, "simulated": 5, "backgrounds": 1}
EVEN = {"": 8, "cells": 4, "rescaled": 5, "simulated": 3, "tissue": 4, "backgrounds": 1}
MORE_TISSUE = {"": 7, "cells": 4, "rescaled": 4, "simulated": 2, "tissue": 7, "backgrounds": 1}
MORE_CELLS = {"": 8, "cells": 6, "rescaled": 5, "simulated": 2, "tissue": 6, "backgrounds": 1}
WIDE = {
    "augmentation": "wide",
    "patch_size": 192,
    "steps_per_epoch": 150,
    "ema_decay": 0.995,
    "checkpoint": "last",
}
RECIPES = {
    "nuclei2d_small": {
        "method": "fast_nuclei",
        "train": "dsb2018_fluorescence/train",
        "val": "dsb2018_fluorescence/val",
        "test": "dsb2018_fluorescence/test",
        "minutes": 40,
        "settings": {"ema_decay": 0.995, "preset": "paper"},
        "title": "Nuclei in 2D fluorescence images",
        "licence": "CC0-1.0 (weights and training data)",
        "source": DSB2018,
        "domain": FLUORESCENCE,
    },
    "nuclei2d": {
        "method": "flows",
        "train": "dsb2018_fluorescence/train",
        "val": "dsb2018_fluorescence/val",
        "test": "dsb2018_fluorescence/test",
        # in three stages: each begins with what the one before has learned
        "stages": (
            {
                "folder": "nuclei2d",
                "shares": MIXED,
                "minutes": 42,
                "settings": {**WIDE, "preset": "fast"},
            },
            {
                "folder": "nuclei2d_second",
                "shares": MORE_TISSUE,
                "minutes": 28,
                "settings": {**WIDE, "learning_rate": 0.0015},
            },
        ),
        # by every third image of the panel, all sets counting alike; see the card
        "chosen": {"threshold": 0.5, "flow_threshold": 0.6, "min_size": 30},
        "shares": MORE_CELLS,
        "minutes": 55,
        "settings": {**WIDE, "learning_rate": 0.001},
        "title": "Nuclei in 2D fluorescence images of many microscopes",
        "licence": SHARED,
        "source": MIXTURE,
        "domain": MANY,
    },
    # neither of these two ships so far: see "Detectors" in the README beside this file
    "centres2d": {
        "method": "kinet",
        "task": "detection",
        "train": "dsb2018_fluorescence/train",
        "val": "dsb2018_fluorescence/val",
        "test": "dsb2018_fluorescence/test",
        "shares": EVEN,
        "minutes": 45,
        "settings": {**WIDE, "patch_size": 128},
        "title": "Centres of nuclei in 2D fluorescence images of many microscopes",
        "licence": SHARED,
        "source": MIXTURE,
        "domain": MANY,
    },
    "boxes2d": {
        "method": "yolo",
        "task": "detection",
        "train": "dsb2018_fluorescence/train",
        "val": "dsb2018_fluorescence/val",
        "test": "dsb2018_fluorescence/test",
        "shares": EVEN,
        "minutes": 45,
        "settings": {**WIDE, "augmentation": "upright"},
        "title": "Boxes around nuclei in 2D fluorescence images of many microscopes",
        "licence": SHARED,
        "source": MIXTURE,
        "domain": MANY,
    },
    "nuclei2d_flows": {
        "method": "flows",
        "train": "dsb2018_fluorescence/train",
        "val": "dsb2018_fluorescence/val",
        "test": "dsb2018_fluorescence/test",
        "minutes": 35,
        "settings": {"ema_decay": 0.995},
        "title": (
            "Nuclei in 2D fluorescence images, outlined more exactly and more slowly than by "
            "`nuclei2d_small`"
        ),
        "licence": "CC0-1.0 (weights and training data)",
        "source": DSB2018,
        "domain": FLUORESCENCE,
    },
    "nuclei2d_histology": {
        "method": "fast_nuclei",
        "train": "dsb2018_other/train",
        "val": "dsb2018_other/val",
        "test": "dsb2018_other/test",
        "only": "RGB",
        "minutes": 20,
        "settings": {"ema_decay": 0.995},
        "title": "Nuclei in stained tissue, bright field",
        "licence": "CC0-1.0 (weights and training data)",
        "source": DSB2018,
        "domain": "RGB images of tissue in purple and pink stains, such as haematoxylin and eosin.",
    },
    "nuclei3d": {
        "method": "flows",
        "looks": embryo.LOOKS,
        "test": "mouse_embryo_3d/all",
        "minutes": 15,
        "settings": {"views": "planes", "patch_size": 96},
        # by confocal_cells_3d, the embryo and the fields of faults.py together; see the card
        "chosen": {"threshold": 0.77, "min_size": 30},
        "title": "Nuclei in 3D fluorescence, planes about twice as far apart as pixels",
        "licence": "CC0-1.0 (weights and simulated training data)",
        "source": (
            "simulated volumes of nuclei, no real image; their looks (`embryo.py`) were shaped "
            "on the volume scored below"
        ),
        "independence": (
            "the one that the looks of the simulation were shaped on, so no independent test"
        ),
        "domain": (
            "Single-channel volumes of nuclei, blurred more along Z, on a dim background, such "
            "as embryos."
        ),
    },
    "denoise2d": {
        "method": "care",
        "pairs": "shape_px=256,256 spacing_um=0.2,0.2 photons=5,100 read_noise=2",
        "minutes": 15,
        "settings": {},
        "title": "Noise off 2D fluorescence images of nuclei, a demonstration",
        "licence": "CC0-1.0 (weights and simulated training data)",
        "source": "simulated pairs of a noisy and a clean image, no real image",
        (
            "domain"
        ): "Nuclei at 5 to 100 photons in the brightest pixels, of a camera with 2 grey values "
        "a photon, 100 without light and a "
        "read noise of 2 electrons. Images of another camera want a model of their own (lesson "
        "07); a warning tells grey values far off.",
    },
}
