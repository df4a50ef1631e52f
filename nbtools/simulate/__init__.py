"""Simulated images of nuclei with exact labels: phantom, then optics, then camera.

The steps are in `packing` (positions of nuclei), `phantom` (labels and dye) and `optics` (blur,
noise, grey values); `scene` joins the first three, `pairs` images a scene twice: with noise and
without, and `genotypes` plants of wild type and mutant. `draw_strokes` scribbles on labelled
nuclei, `label_some` labels few of them, and `mislabel` some wrongly.

References
----------
CytoPacq: Wiesner et al. 2019, doi:10.1093/bioinformatics/btz417.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from nbtools import __version__
from nbtools.errors import UserError, require_choice
from nbtools.image import Image
from nbtools.simulate import optics
from nbtools.simulate.annotators import keep_nuclei as keep_nuclei
from nbtools.simulate.annotators import label_some as label_some
from nbtools.simulate.annotators import mislabel as mislabel
from nbtools.simulate.genotypes import GenotypeSettings, make_genotypes
from nbtools.simulate.movie import MovieSettings, make_movie
from nbtools.simulate.pairs import PairSettings, make_pairs
from nbtools.simulate.phenotypes import wild_type_and_mutant as wild_type_and_mutant
from nbtools.simulate.scene import render_scene
from nbtools.simulate.settings import NucleiSettings
from nbtools.simulate.strokes import draw_strokes as draw_strokes

if TYPE_CHECKING:
    from nbtools.data import DataSet, Sample

_VOLUME = {
    "shape_px": (24, 96, 96),
    "spacing_um": (1.0, 0.4, 0.4),
    "radius_um": (2.5, 6.0),
    "density": (0.04, 0.3),
    "dome": (0.0, 0.3),
    "psf_um": (0.12, 0.5),
    "psf_stretch": (2.0, 3.5),
}
_TISSUE = {
    **_VOLUME,
    "shape_px": (24, 128, 128),
    "spacing_um": (1.5, 0.5, 0.5),
    "radius_um": (2.5, 4.0),
    "density": (0.45, 0.6),
    "cut": 1.0,
    "squeeze": (0.05, 0.2),
    "elongation": (1.1, 1.8),
    "background": (0.02, 0.2),
    "clustering": (0.0,),
}
_UNIFORM = (
    "radius_spread",
    "roughness",
    "chromocentres",
    "nucleoli",
    "granularity",
    "clustering",
    "dome",
    "brightness_spread",
    "gradient",
    "haze",
    "depth_loss",
)
_BEADS = {
    **dict.fromkeys(_UNIFORM, (0.0,)),
    "shape_px": (41, 64, 64),
    "spacing_um": (0.25, 0.25, 0.25),
    "count": 8,
    "radius_um": (1.0,),
    "elongation": (1.0,),
    "cut": 0.0,
    "background": (0.01,),
    "psf_um": (0.4,),
    "psf_stretch": (3.0,),
    "photons": (2000.0,),
}
_GENOTYPES = {
    "radius_um": (2.6,),
    "radius_spread": (0.06,),
    "elongation": (1.35,),
    "roughness": (0.03,),
    "cut": 0.0,
    "clustering": (0.0,),
    "squeeze": (0.0,),
    "chromocentres": (4.0,),
    "nucleoli": (1.0,),
    "granularity": (0.1,),
    "dome": (0.0,),
    "brightness_spread": (0.08,),
    "background": (0.01, 0.08),
    "gradient": (0.0, 0.3),
    "haze": (0.05,),
    "depth_loss": (0.0, 0.2),
    "psf_um": (0.1, 0.16),
    "psf_stretch": (2.5,),
    "photons": (150.0, 600.0),
    "read_noise": (1.5,),
}
# kind of image → settings that differ from the defaults of its class
KINDS = {
    "nuclei2d": {},
    "nuclei3d": _VOLUME,
    "tissue": _TISSUE,
    "beads": _BEADS,
    "pairs": {},
    "classes": _GENOTYPES,
    "movie": {},
}
CLASSES = {  # others: NucleiSettings
    "pairs": PairSettings,
    "classes": GenotypeSettings,
    "movie": MovieSettings,
}
VOLUMES = {  # kinds that have other defaults where the shape has three numbers
    "pairs": _VOLUME,
    "movie": {k: _VOLUME[k] for k in ("shape_px", "spacing_um", "psf_um", "psf_stretch")}
    | {"shape_px": (24, 128, 128), "radius_um": (3.0, 5.0)},
}


def settings_for(kind: str, changes: dict | None = None) -> NucleiSettings:
    """Settings of a kind of image.

    Parameters
    ----------
    kind : one of `KINDS`.
    changes : setting → value, where it differs from the default of the kind. Pairs are volumes
        where `shape_px` has three numbers; the other defaults follow the dimension.

    Raises
    ------
    UserError : an unknown kind or setting, or a value out of its range.

    Examples
    --------
    >>> settings_for("nuclei3d", {"photons": (50, 200)}).photons
    (50.0, 200.0)
    """
    require_choice(kind, KINDS, rule="Simulated images are of a known kind.")
    changes = changes or {}
    volume = kind in VOLUMES and len(changes.get("shape_px", ())) == 3
    return CLASSES.get(kind, NucleiSettings).from_dict(
        {**(VOLUMES[kind] if volume else KINDS[kind]), **changes}
    )


def make(
    kind: str, *, count: int, seed: int, settings: NucleiSettings | dict | None = None
) -> DataSet:
    """Simulate a data set of images with exact labels.

    Parameters
    ----------
    kind : "nuclei2d", "nuclei3d", "tissue" (dense, touching, z three times coarser), "beads" (equal
        balls, which show the blur of a microscope), "pairs" (noisy and clean), "movie" (nuclei that
        move and divide), or "classes" (wild type and mutant, several plants each).
    count : scenes; one image per scene, of pairs as many as `frames`.
    seed : scene i depends on seed and i alone, so that a larger set starts with the same images.
    settings : all of them, or a dictionary of those that differ from the default of the kind.

    Raises
    ------
    UserError : an unknown kind or setting, or a count below 1.

    Examples
    --------
    >>> small = {"count": 5, "shape_px": (128, 128)}
    >>> [int(s.label.pixels.max()) for s in make("nuclei2d", count=2, seed=0, settings=small)]
    [5, 5]
    """
    from nbtools.data import DataSet

    given = settings.to_dict() if isinstance(settings, NucleiSettings) else settings
    settings = settings_for(kind, given)
    if count < 1:
        raise UserError("The number of images must be at least 1.", count, "Use --count 10.")
    scenes = (_photograph(settings, number=i, seed=seed) for i in range(count))
    named = (_name_all(scene, f"{kind}_{i:03d}") for i, scene in enumerate(scenes))
    dataset = DataSet.of(list(chain.from_iterable(named)), name=kind)
    dataset.meta.update(
        licence="CC0-1.0",
        source=f"nbtools {__version__}: {write_command(kind, settings, count=count, seed=seed)}",
    )
    if isinstance(settings, PairSettings):
        dataset.meta["noise"] = settings.noise_law()
    return dataset


def write_command(kind: str, settings: NucleiSettings, *, count: int, seed: int) -> str:
    """The command that makes the same images again.

    Parameters
    ----------
    kind, settings, count, seed : as for `make`.

    Examples
    --------
    >>> write_command("nuclei2d", settings_for("nuclei2d", {"bits": 8}), count=6, seed=1)
    'nbtools simulate nuclei2d --count 6 --seed 1 --set bits=8'
    """
    like = {"shape_px": settings.shape_px} if kind in VOLUMES else {}
    usual = settings_for(kind, like).to_dict()
    usual["shape_px"] = settings_for(kind).to_dict()["shape_px"]
    words = [
        f"{k}={','.join(map(str, v)) if isinstance(v, list) else str(v).lower()}"
        for k, v in settings.to_dict().items()
        if v != usual[k]
    ]
    changed = ["--set", *words] if words else []
    return " ".join([f"nbtools simulate {kind} --count {count} --seed {seed}", *changed])


def nuclei(
    settings: NucleiSettings | None = None, *, ndim: int = 2, rng: np.random.Generator
) -> Sample:
    """Simulate one image of nuclei, with its exact labels.

    Parameters
    ----------
    settings : None for those of "nuclei2d" or "nuclei3d".
    ndim : 2 or 3; counts where there are no settings.
    rng : random numbers.

    Returns
    -------
    Sample : image of uint8 or uint16 and labels 1 … N, both with the spacing in µm.
    """
    from nbtools.data import Sample

    settings = settings or settings_for(f"nuclei{ndim}d")
    drawn = settings.draw(rng)
    scene = render_scene(settings, drawn, rng=rng)
    pixels = optics.expose_camera(scene.photons, settings, drawn=drawn, rng=rng)
    about = {"axes": "ZYX"[-settings.ndim :], "spacing": settings.spacing_um, "name": "nuclei"}
    return Sample("nuclei", Image(pixels, **about), Image(scene.label, **about))


def _photograph(settings: NucleiSettings, *, number: int, seed: int) -> list[Sample]:
    """Simulate the images of one scene."""
    if isinstance(settings, GenotypeSettings):
        return [make_genotypes(settings, number=number, seed=seed)]
    rng = np.random.default_rng([seed, number])
    if isinstance(settings, PairSettings):
        return make_pairs(settings, rng=rng)
    if isinstance(settings, MovieSettings):
        return [make_movie(settings, rng=rng)]
    return [nuclei(settings, rng=rng)]


def _name_all(scene: list[Sample], name: str) -> list[Sample]:
    """Name the images of one scene; several ones get a number and are one group."""
    if len(scene) == 1:
        return [_rename(scene[0], name)]
    digits = len(str(len(scene) - 1))
    return [
        _rename(sample, f"{name}_f{i:0{digits}d}").replace(group=name)
        for i, sample in enumerate(scene)
    ]


def _rename(sample: Sample, name: str) -> Sample:
    images = {
        kind: image.replace(name=name)
        for kind in ("image", "label", "clean")
        if (image := getattr(sample, kind)) is not None
    }
    return sample.replace(name=name, **images)
