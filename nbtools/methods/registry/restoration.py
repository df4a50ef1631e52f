"""The methods that restore images."""

from __future__ import annotations

from nbtools.methods.registry.row import Paper, Row

ROWS = (
    Row(
        name="nlm",
        path="nbtools.methods.denoise.nlm:NonLocalMeans",
        title="Non-local means, or total variation, with estimated noise",
        task="restoration",
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
        task="restoration",
        dims=(2, 3),
        needs=("nothing",),
        system="Noise2Void; N2V2 (variant)",
        paper=Paper(
            "Noise2Void: learning denoising from single noisy images",
            "10.1109/CVPR.2019.00223",
            2019,
        ),
        lesson="notebooks/08_denoise_without_clean_images.ipynb",
        parameters=323_425,
        weights="demo_n2v",
    ),
    Row(
        name="care",
        path="nbtools.methods.denoise.care:Care",
        title="CARE: restoring from noisy and clean pairs",
        task="restoration",
        dims=(2, 3),
        needs=("clean",),
        system="CARE",
        paper=Paper(
            "Content-aware image restoration: pushing the limits of fluorescence microscopy",
            "10.1038/s41592-018-0216-7",
            2018,
        ),
        lesson="notebooks/07_restore_with_clean_partners.ipynb",
        parameters=332_641,
        weights="denoise2d",
        built_on="csbdeep",
    ),
    Row(
        name="rcan",
        path="nbtools.methods.denoise.rcan:Rcan",
        title="RCAN: restoring by residual channel attention",
        task="restoration",
        dims=(2, 3),
        needs=("clean",),
        system="3D-RCAN",
        paper=Paper(
            "Three-dimensional residual channel attention networks denoise and sharpen "
            "fluorescence microscopy image volumes",
            "10.1038/s41592-021-01155-x",
            2021,
        ),
        lesson="notebooks/07_restore_with_clean_partners.ipynb",
        parameters=58_429,
        weights="demo_rcan",
    ),
    Row(
        name="pn2v",
        path="nbtools.methods.denoise.pn2v:PN2V",
        title="Probabilistic Noise2Void: denoising with a model of the noise",
        task="restoration",
        dims=(2, 3),
        needs=("nothing",),
        system="Probabilistic Noise2Void",
        paper=Paper(
            "Probabilistic Noise2Void: unsupervised content-aware denoising",
            "10.3389/fcomp.2020.00005",
            2020,
        ),
        lesson="notebooks/08_denoise_without_clean_images.ipynb",
        parameters=326_692,
        weights="demo_pn2v",
    ),
    Row(
        name="deconoising",
        path="nbtools.methods.denoise.deconoising:DecoNoising",
        title="DecoNoising: denoising that knows the blur",
        task="restoration",
        dims=(2, 3),
        needs=("nothing",),
        system="DecoNoising",
        paper=Paper(
            "Improving blind spot denoising for microscopy", "10.48550/arXiv.2008.08414", 2020
        ),
        lesson="notebooks/08_denoise_without_clean_images.ipynb",
        parameters=332_641,
        weights="demo_deconoising",
    ),
)
