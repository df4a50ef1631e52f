"""The methods that make images of another kind."""

from __future__ import annotations

from nbtools.methods.registry.row import Paper, Row

ROWS = (
    Row(
        name="pix2pix",
        path="nbtools.methods.translate.pix2pix:Pix2Pix",
        title="pix2pix: an image of another kind, learned from pairs",
        task="translation",
        dims=(2, 3),
        needs=("paired",),
        system="GAN (SpCycleGAN), pix2pix",
        paper=Paper(
            "Image-to-image translation with conditional adversarial networks",
            "10.1109/CVPR.2017.632",
            2017,
        ),
        lesson="notebooks/15_learn_from_synthetic_images.ipynb",
        parameters=119_265,
        weights="demo_pix2pix",
    ),
    Row(
        name="cyclegan",
        path="nbtools.methods.translate.cyclegan:CycleGan",
        title="CycleGAN, with SpCycleGAN's constraint: learned without pairs",
        task="translation",
        dims=(2, 3),
        needs=("unpaired",),
        system="GAN (SpCycleGAN), pix2pix",
        paper=Paper(
            "Unpaired image-to-image translation using cycle-consistent adversarial networks",
            "10.1109/ICCV.2017.244",
            2017,
        ),
        lesson="notebooks/15_learn_from_synthetic_images.ipynb",
        parameters=119_265,
        weights="demo_cyclegan",
    ),
)
