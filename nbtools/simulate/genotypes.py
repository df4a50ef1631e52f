"""Volumes of wild type and mutant: several plants each, one planted effect, a class per nucleus.

Each plant is imaged in a session of its own, with its own light, background and blur, and has its
own size of nuclei. Whoever divides nuclei at random into training and test finds the session again,
and takes it for the genotype; whoever divides plants does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nbtools.config import setting, vary
from nbtools.image import Image
from nbtools.simulate import optics
from nbtools.simulate.scene import render_scene
from nbtools.simulate.settings import NucleiSettings

if TYPE_CHECKING:
    from nbtools.data import Sample

NAMES = ("wild type", "mutant")
# what an effect of strength 1 does to the value of a mutant: factor, or exponent for position
EFFECTS = {
    "size": {"radius_um": 1.12},
    "flatness": {"flattening": 1.4},
    "chromocentres": {"chromocentres": 2.0},
    "position": {"spot_power": 5.0},
    "none": {},
}
SESSION = ("photons", "background", "psf_um", "gradient", "depth_loss")  # alike within a plant
SPOTS = {"spot_size": 1.4, "spot_light": 2.0}  # chromocentres as large as a microscope resolves
PERIPHERAL = 0.12  # exponent of the radius at which chromocentres lie: 0 all at the border


@dataclass(frozen=True)
class GenotypeSettings(NucleiSettings):
    """Plants of two genotypes, and what the mutation does.

    Examples
    --------
    >>> GenotypeSettings(effect="size", strength=0.5).effect_factors()
    {'radius_um': 1.0583005244258363}
    """

    effect: str = setting(
        "size",
        choices=(*EFFECTS, "all"),
        help="What is different in the mutant: size (volume), flatness, chromocentres (their "
        "number), position (of chromocentres), none, or all.",
    )
    strength: float = setting(
        1.0,
        min=0.0,
        max=4.0,
        help="Strength of the effect; 1: radius times 1.12, shortest axis over 1.4, twice as many "
        "chromocentres, chromocentres moved from the border inwards.",
    )
    plants: int = setting(4, min=1, max=1000, help="Plants per genotype.")
    plant_spread: float = setting(
        0.03,
        min=0,
        max=1,
        help="Standard deviation between plants of the radius of their nuclei, over its mean.",
    )
    batch: float = setting(
        1.0,
        min=0,
        max=1,
        help="How far the sessions of plants differ in light, background and blur; 0: not at all.",
    )
    shape_px: tuple[int, ...] = vary(NucleiSettings, "shape_px", default=(28, 80, 80))
    spacing_um: tuple[float, ...] = vary(NucleiSettings, "spacing_um", default=(0.5, 0.25, 0.25))
    count: int | None = vary(NucleiSettings, "count", default=6)

    def effect_factors(self) -> dict[str, float]:
        """Value → factor, in a mutant."""
        chosen = [name for name in EFFECTS if self.effect in (name, "all")]
        found: dict[str, float] = {}
        for name in chosen:
            found |= {key: factor**self.strength for key, factor in EFFECTS[name].items()}
        return found


def make_genotypes(settings: GenotypeSettings, *, number: int, seed: int) -> Sample:
    """Simulate one volume of a plant; genotypes take turns, and then plants.

    Parameters
    ----------
    settings : of the study.
    number : of the image, from 0.
    seed : of the study; plants and images have streams of their own.

    Returns
    -------
    Sample : image, labels, the class of each nucleus, and the plant as its group.
    """
    from nbtools.data import Sample

    kind, plant = number % 2, number // 2 % settings.plants
    drawn = draw_values(settings, kind=kind, plant=plant, seed=seed)
    rng = np.random.default_rng([seed, 3, number])
    scene = render_scene(settings, drawn, rng=rng)
    pixels = optics.expose_camera(scene.photons, settings, drawn=drawn, rng=rng)
    about = {"axes": "ZYX"[-settings.ndim :], "spacing": settings.spacing_um, "name": "genotype"}
    label = Image(scene.label, **about)
    return Sample(
        "genotype",
        Image(pixels, **about),
        label,
        group=f"{NAMES[kind]} {plant + 1}",
        classes=dict.fromkeys(range(1, int(scene.label.max()) + 1), NAMES[kind]),
    )


def draw_values(
    settings: GenotypeSettings, *, kind: int, plant: int, seed: int
) -> dict[str, float]:
    """Draw the values of a plant: of its session, its nuclei, and its genotype.

    Parameters
    ----------
    settings : of the study.
    kind : 0 wild type, 1 mutant.
    plant : number within its genotype.
    seed : of the study.
    """
    common = settings.draw(np.random.default_rng([seed, 1]))
    rng = np.random.default_rng([seed, 2, kind, plant])
    own = settings.draw(rng)
    drawn = dict(common) | {"flattening": 1.0, "spot_power": PERIPHERAL} | SPOTS
    for name in SESSION:
        low, high = max(common[name], 1e-9), max(own[name], 1e-9)
        drawn[name] = low * (high / low) ** settings.batch
    drawn["radius_um"] *= float(np.exp(settings.plant_spread * rng.standard_normal()))
    for name, factor in settings.effect_factors().items() if kind else ():
        drawn[name] *= factor
    return drawn
