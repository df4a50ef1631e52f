"""Images of single nuclei of two lines, wild type and mutant, for lesson 05."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nbtools.errors import UserError
from nbtools.simulate.settings import NucleiSettings

if TYPE_CHECKING:
    from nbtools.data import DataSet

# one nucleus, and a microscope that is always the same: only the nuclei differ
_SINGLE = {
    "shape_px": (32, 32),
    "count": 1,
    "cut": 0.0,
    "elongation": (1.05, 1.4),
    "radius_spread": (0.0,),
    "roughness": (0.04,),
    "granularity": (0.1,),
    "nucleoli": (1.0,),
    "brightness_spread": (0.0,),
    "dome": (0.2,),
    "background": (0.03,),
    "gradient": (0.0,),
    "haze": (0.0,),
    "psf_um": (0.3,),
    "photons": (300.0,),
    "gain": 2.0,
    "offset": 100.0,
}
LINES = {
    "wild type": {"radius_um": (4.8, 6.2), "chromocentres": (9.0,)},
    "mutant": {"radius_um": (4.2, 5.6), "chromocentres": (2.0,)},
}


def wild_type_and_mutant(*, count: int, seed: int) -> DataSet:
    """Simulate single nuclei of two lines, by turns.

    Mutant nuclei are smaller on average and have fewer chromocentres (bright spots); both vary from
    nucleus to nucleus, and the lines overlap. These effects are invented, to learn with.

    Parameters
    ----------
    count : nuclei, of both lines together.
    seed : nucleus i depends on seed and i alone.

    Returns
    -------
    DataSet : images 32 x 32 px of 0.5 µm with labels and the class "wild type" or "mutant".

    Raises
    ------
    UserError : a count below 2.

    Examples
    --------
    >>> [sample.class_name for sample in wild_type_and_mutant(count=3, seed=0)]
    ['wild type', 'mutant', 'wild type']
    """
    from nbtools.data import DataSet
    from nbtools.simulate import nuclei

    if count < 2:
        raise UserError("Two lines need at least 2 nuclei.", count, "Use count=400.")
    settings = {name: NucleiSettings.from_dict(_SINGLE | line) for name, line in LINES.items()}
    samples, names = [], list(LINES)
    for i in range(count):
        line = names[i % 2]
        sample = nuclei(settings[line], rng=np.random.default_rng([seed, i]))
        name = f"{line} {i // 2}"
        image, label = (part.replace(name=name) for part in (sample.image, sample.label))
        samples.append(sample.replace(name=name, image=image, label=label, class_name=line))
    return DataSet.of(samples, name="wild type and mutant")
