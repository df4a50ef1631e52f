"""The table of methods: what each is, whom to cite, where to learn it. Reading it loads nothing else."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

WORKBENCHES = {task: f"notebooks/workbench_{task}.ipynb" for task in ("denoise", "segment")}  # any method of it on one's own images


@dataclass(frozen=True)
class Paper:
    title: str
    doi: str
    year: int


@dataclass(frozen=True)
class Row:
    """One method. `system` is its name in the review; `parameters` are those of its default network in 2D.

    decoder : function (maps, **decoding values) → labels, where that is all `decode` does: it decodes again without loading a network.
    decoder_takes : arguments of that function that are settings of the method: ((argument, setting), …).
    """

    name: str
    path: str
    title: str
    task: str
    dims: tuple[int, ...]
    needs: tuple[str, ...]
    system: str
    paper: Paper
    lesson: str
    parameters: int = 0
    built_on: str | None = None
    weights: str | None = None
    decoder: str | None = None
    decoder_takes: tuple[tuple[str, str], ...] = ()

    def load_decoder(self, settings: dict) -> Callable:
        """The function named by `decoder`, with what it takes of the settings (plain values by name)."""
        module, _, name = self.decoder.partition(":")
        function = getattr(importlib.import_module(module), name)
        return partial(function, **{argument: settings[setting] for argument, setting in self.decoder_takes})

    @property
    def trained(self) -> bool:
        return self.parameters > 0

    @property
    def classical(self) -> bool:
        """Predicts without having learned anything."""
        return not self.trained and self.needs == ("nothing",)

    @property
    def file(self) -> str:
        return self.path.partition(":")[0].replace(".", "/") + ".py"

    def describe(self) -> dict:
        return {
            "name": self.name,
            "title": self.title,
            "task": self.task,
            "dims": list(self.dims),
            "needs": list(self.needs),
            "paper": vars(self.paper).copy(),
            "system": self.system,
            "built_on": self.built_on,
            "parameters": self.parameters,
            "weights": self.weights,
            "lesson": self.lesson,
            "passport": self.passport(),
        }

    def passport(self) -> dict[str, str | None]:
        """The ten elements that reuse needs (the review's Figure 3A), each a path in this repository, or None where it is missing."""
        weights = f"data/weights/{self.weights}" if self.weights else None
        return {
            "explanation": self.lesson,
            "code": self.file,
            "documentation": f"README.md#{self.name}",
            "environment": "constraints.txt",
            "trained_model": weights,
            "training_data": f"{weights}/README.md" if weights else "data/samples" if self.trained else None,
            "training_code": "nbtools/training/__init__.py" if self.trained and not self.built_on else self.file,
            "training_routine": self.lesson,
            "training_documentation": f"{weights}/recipe.json" if weights else None,
            "interface": WORKBENCHES.get(self.task),
        }


ROWS = (
    Row(
        name="otsu",
        path="nbtools.methods.segment.otsu:Otsu",
        title="Otsu threshold and distance watershed",
        task="segment",
        dims=(2, 3),
        needs=("nothing",),
        system="classical baseline",
        paper=Paper("A threshold selection method from gray-level histograms", "10.1109/TSMC.1979.4310076", 1979),
        lesson="notebooks/00_start_here.ipynb",
        built_on="scikit-image",
    ),
    Row(
        name="forest",
        path="nbtools.methods.segment.forest:Forest",
        title="Random forest on pixels, from scribbles",
        task="segment",
        dims=(2, 3),
        needs=("labels",),
        system="ilastik; Trainable Weka Segmentation",
        paper=Paper("ilastik: interactive machine learning for (bio)image analysis", "10.1038/s41592-019-0582-9", 2019),
        lesson="notebooks/03_label_nuclei.ipynb",
        built_on="scikit-learn",
    ),
    Row(
        name="fast_nuclei",
        path="nbtools.methods.segment.fast_nuclei:FastNuclei",
        title="Fast nuclei: foreground and distance on a compact U-Net",
        task="segment",
        dims=(2, 3),
        needs=("labels",),
        system="U-Net with a distance map",
        paper=Paper(
            "Segmentation of nuclei in histopathology images by deep regression of the distance map", "10.1109/TMI.2018.2865709", 2019
        ),
        lesson="notebooks/00_start_here.ipynb",
        parameters=1_082_914,
        weights="nuclei2d",
        decoder="nbtools.targets.distance:decode",
    ),
    Row(
        name="unet",
        path="nbtools.methods.segment.unet:UNet",
        title="U-Net: foreground and its connected regions",
        task="segment",
        dims=(2, 3),
        needs=("labels",),
        system="U-Net; 3D U-Net",
        paper=Paper("U-Net: convolutional networks for biomedical image segmentation", "10.1007/978-3-319-24574-4_28", 2015),
        lesson="notebooks/09_find_the_nuclei.ipynb",
        parameters=489_121,
        decoder="nbtools.targets.semantic:decode",
    ),
    Row(
        name="border_unet",
        path="nbtools.methods.segment.border_unet:BorderUNet",
        title="Border U-Net: inside, border and background",
        task="segment",
        dims=(2, 3),
        needs=("labels",),
        system="U-Net with borders (Caicedo et al.)",
        paper=Paper("Evaluation of deep learning strategies for nucleus segmentation in fluorescence images", "10.1002/cyto.a.23863", 2019),
        lesson="notebooks/10_borders_and_distances.ipynb",
        parameters=489_155,
        decoder="nbtools.targets.border:decode",
        decoder_takes=(("where", "border"),),
    ),
    Row(
        name="stardist",
        path="nbtools.methods.segment.stardist:StarDist",
        title="StarDist: star-convex shapes",
        task="segment",
        dims=(2, 3),
        needs=("labels",),
        system="StarDist",
        paper=Paper("Cell detection with star-convex polygons", "10.1007/978-3-030-00934-2_30", 2018),
        lesson="notebooks/11_shapes_and_flows.ipynb",
        parameters=110_817,
        built_on="stardist",
    ),
    Row(
        name="flows",
        path="nbtools.methods.segment.flows:Flows",
        title="Flows: pixels that meet are one nucleus",
        task="segment",
        dims=(2, 3),
        needs=("labels",),
        system="Cellpose",
        paper=Paper("Cellpose: a generalist algorithm for cellular segmentation", "10.1038/s41592-020-01018-x", 2021),
        lesson="notebooks/11_shapes_and_flows.ipynb",
        parameters=775_075,
    ),
    Row(
        name="qcanet",
        path="nbtools.methods.segment.qcanet:QcaNet",
        title="QCANet: foreground, and centres as markers",
        task="segment",
        dims=(2, 3),
        needs=("labels",),
        system="QCANet",
        paper=Paper(
            "3D convolutional neural networks-based segmentation to acquire quantitative criteria of the nucleus during mouse "
            "embryogenesis",
            "10.1038/s41540-020-00152-8",
            2020,
        ),
        lesson="notebooks/09_find_the_nuclei.ipynb",
        parameters=46_426,
        decoder="nbtools.targets.centres:decode",
        decoder_takes=(("unmarked", "unmarked"),),
    ),
    Row(
        name="cdeep3m",
        path="nbtools.methods.segment.cdeep3m:CDeep3M",
        title="CDeep3M-like: networks of 1, 3 and 5 planes, averaged over 16 views",
        task="segment",
        dims=(3,),
        needs=("labels",),
        system="CDeep3M",
        paper=Paper("CDeep3M: plug-and-play cloud-based deep learning for image segmentation", "10.1038/s41592-018-0106-z", 2018),
        lesson="notebooks/09_find_the_nuclei.ipynb",
        parameters=1_468_227,
    ),
    Row(
        name="planned",
        path="nbtools.methods.segment.planned:Planned",
        title="Planned U-Net: settings from the data set",
        task="segment",
        dims=(2, 3),
        needs=("labels",),
        system="nnU-Net",
        paper=Paper(
            "nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation", "10.1038/s41592-020-01008-z", 2021
        ),
        lesson="notebooks/13_let_the_data_set_the_settings.ipynb",
        parameters=1_377_225,
        decoder="nbtools.targets.border:decode_cores",
    ),
    Row(
        name="nlm",
        path="nbtools.methods.denoise.nlm:NonLocalMeans",
        title="Non-local means, or total variation, with estimated noise",
        task="denoise",
        dims=(2, 3),
        needs=("nothing",),
        system="classical baseline",
        paper=Paper("A non-local algorithm for image denoising", "10.1109/CVPR.2005.38", 2005),
        lesson="notebooks/08_denoise_without_clean_images.ipynb",
        built_on="scikit-image",
    ),
    Row(
        name="n2v",
        path="nbtools.methods.denoise.n2v:N2V",
        title="Noise2Void: denoising from noisy images alone",
        task="denoise",
        dims=(2, 3),
        needs=("nothing",),
        system="Noise2Void",
        paper=Paper("Noise2Void: learning denoising from single noisy images", "10.1109/CVPR.2019.00223", 2019),
        lesson="notebooks/08_denoise_without_clean_images.ipynb",
        parameters=323_425,
    ),
    Row(
        name="care",
        path="nbtools.methods.denoise.care:Care",
        title="CARE: restoring from noisy and clean pairs",
        task="denoise",
        dims=(2, 3),
        needs=("clean",),
        system="CARE",
        paper=Paper("Content-aware image restoration: pushing the limits of fluorescence microscopy", "10.1038/s41592-018-0216-7", 2018),
        lesson="notebooks/07_restore_with_clean_partners.ipynb",
        parameters=332_641,
        built_on="csbdeep",
    ),
    Row(
        name="rcan",
        path="nbtools.methods.denoise.rcan:Rcan",
        title="RCAN: restoring by residual channel attention",
        task="denoise",
        dims=(2, 3),
        needs=("clean",),
        system="3D-RCAN",
        paper=Paper(
            "Three-dimensional residual channel attention networks denoise and sharpen fluorescence microscopy image volumes",
            "10.1038/s41592-021-01155-x",
            2021,
        ),
        lesson="notebooks/07_restore_with_clean_partners.ipynb",
        parameters=26_153,
    ),
    Row(
        name="pn2v",
        path="nbtools.methods.denoise.pn2v:PN2V",
        title="Probabilistic Noise2Void: denoising with a model of the noise",
        task="denoise",
        dims=(2, 3),
        needs=("nothing",),
        system="Probabilistic Noise2Void",
        paper=Paper("Probabilistic Noise2Void: unsupervised content-aware denoising", "10.3389/fcomp.2020.00005", 2020),
        lesson="notebooks/08_denoise_without_clean_images.ipynb",
        parameters=326_692,
    ),
    Row(
        name="deconoising",
        path="nbtools.methods.denoise.deconoising:DecoNoising",
        title="DecoNoising: denoising that knows the blur",
        task="denoise",
        dims=(2, 3),
        needs=("nothing",),
        system="DecoNoising",
        paper=Paper("Improving blind spot denoising for microscopy", "10.48550/arXiv.2008.08414", 2020),
        lesson="notebooks/08_denoise_without_clean_images.ipynb",
        parameters=332_641,
    ),
)
