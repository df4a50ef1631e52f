"""The methods that learn from images without labels, alone or beside some with labels."""

from __future__ import annotations

from nbtools.methods.registry.row import Paper, Row

ROWS = (
    Row(
        name="mean_teacher",
        path="nbtools.methods.segment.mean_teacher:MeanTeacherUNet",
        title="Mean teacher: a border U-Net that its own average teaches",
        task="instances",
        dims=(2, 3),
        needs=("labels",),
        welcomes=("unlabelled",),
        system="mean teacher",
        paper=Paper(
            "Mean teachers are better role models: weight-averaged consistency targets improve "
            "semi-supervised deep learning results",
            "10.48550/arXiv.1703.01780",
            2017,
        ),
        lesson="notebooks/14_few_labels.ipynb",
        parameters=489_155,
        weights="demo_mean_teacher",
        target="two_views:TwoViewsTarget",
    ),
    Row(
        name="deepsynth",
        path="nbtools.methods.segment.deepsynth:DeepSynth",
        title="After DeepSynth: a segmenter that learns from images made of masks",
        task="instances",
        dims=(2, 3),
        needs=("labels", "unpaired"),
        system="DeepSynth",
        paper=Paper(
            "DeepSynth: three-dimensional nuclear segmentation of biological images using neural "
            "networks trained with synthetic data",
            "10.1038/s41598-019-54244-5",
            2019,
        ),
        lesson="notebooks/15_learn_from_synthetic_images.ipynb",
        parameters=118_962,
        weights="demo_deepsynth",
        target="distance:DistanceTarget",
    ),
    Row(
        name="nucleaizer",
        path="nbtools.methods.segment.nucleaizer:NucleAIzer",
        title="After NucleAIzer: a U-Net that learns from images made in every style",
        task="instances",
        dims=(2, 3),
        needs=("labels",),
        system="NucleAIzer",
        paper=Paper(
            "nucleAIzer: a parameter-free deep learning framework for nucleus segmentation using "
            "image style transfer",
            "10.1016/j.cels.2020.04.003",
            2020,
        ),
        lesson="notebooks/15_learn_from_synthetic_images.ipynb",
        parameters=801_818,
        weights="demo_nucleaizer",
        target="distance:DistanceTarget",
    ),
    Row(
        name="jigsaw",
        path="nbtools.methods.pretrain.jigsaw:Jigsaw",
        title="Jigsaw: an encoder that has put shuffled images together",
        task="semantic",
        dims=(2, 3),
        needs=("nothing",),
        system="jigsaw (and masked, magnification)",
        paper=Paper(
            "Unsupervised learning of visual representations by solving jigsaw puzzles",
            "10.1007/978-3-319-46466-4_5",
            2016,
        ),
        lesson="notebooks/14_few_labels.ipynb",
        parameters=489_257,
        weights="demo_jigsaw",
    ),
    Row(
        name="masked_image",
        path="nbtools.methods.pretrain.masked_image:MaskedImage",
        title="Masked images: an encoder that has filled in hidden blocks",
        task="restoration",
        dims=(2, 3),
        needs=("nothing",),
        system="jigsaw (and masked, magnification)",
        paper=Paper(
            "Masked autoencoders are scalable vision learners",
            "10.1109/CVPR52688.2022.01553",
            2022,
        ),
        lesson="notebooks/14_few_labels.ipynb",
        parameters=489_121,
        weights="demo_masked_image",
    ),
)
