"""The classical baseline: non-local means or total variation, on noise of equal strength.

Non-local means (Buades et al. 2005, doi:10.1109/CVPR.2005.38) averages pixels whose surroundings
look alike; total variation (Rudin et al. 1992, doi:10.1016/0167-2789(92)90242-F) seeks the image of
least contrast that is near the noisy one. Both are scikit-image's. They know noise of one strength,
but photons are noisier where it is bright: the generalised Anscombe transform makes the noise even,
with its growth estimated from the image, and its exact unbiased inverse gives the grey values back
(Mäkitalo & Foi 2013, doi:10.1109/TIP.2012.2202675).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, final

import numpy as np

from nbtools.config import Settings, setting
from nbtools.data import DataSet
from nbtools.geometry import crop_centre
from nbtools.image import Image
from nbtools.inference.blocks import BlockNeeds
from nbtools.methods.restoration import RestorationWork
from nbtools.methods.untrained import Untrained
from nbtools.metrics import restoration
from nbtools.metrics.noise import LARGEST as LOOKED_AT
from nbtools.metrics.noise import PoissonGaussianNoise, estimate_noise, estimate_poisson_gaussian
from nbtools.targets.restored import RestoredTarget

if TYPE_CHECKING:
    from nbtools.training.settings import History, TrainingPlan

STRENGTH = {
    ("nlm", 2): 0.8,
    ("nlm", 3): 0.6,
    ("tv", 2): 2.0,
    ("tv", 3): 1.5,
}  # chosen on simulated pairs of other seeds
PATCH, SEARCH = {2: 9, 3: 7}, {2: 10, 3: 3}
FIT_IMAGES, FIT_SIDE = 4, 192
ITERATIONS = 200
ZERO = 2 * np.sqrt(3 / 8)  # what no photons at all become


@dataclass(frozen=True)
class NonLocalMeansSettings(Settings):
    filter: str = setting(
        "nlm",
        choices=("nlm", "tv"),
        help="nlm averages alike surroundings; tv keeps edges and flattens the rest.",
    )
    strength: float | None = setting(
        None,
        min=0.01,
        max=100,
        help=(
            "In widths of the noise; none: 0.8 and 0.6 (tv 2 and 1.5) in planes and volumes, or "
            "chosen by train."
        ),
    )
    patch: int | None = setting(
        None,
        unit="px",
        min=3,
        max=31,
        level="advanced",
        help="nlm: side of the surroundings that are compared; none: 9, in volumes 7.",
    )
    search: int | None = setting(
        None,
        unit="px",
        min=1,
        max=50,
        level="advanced",
        help="nlm: how far away they are sought; none: 10, in volumes 3.",
    )


@final
class NonLocalMeans(Untrained):
    """Non-local means, or total variation, with estimated noise."""

    Settings, Target = NonLocalMeansSettings, RestoredTarget
    takes_channels = True

    def learn(
        self, train: DataSet, val: DataSet | None, *, plan: TrainingPlan, history: History
    ) -> History:
        """Choose the strength on training images that have clean partners; nothing else is trained.

        Parameters
        ----------
        train : noisy images.
        val : is not used.
        plan : its seed chooses the images.
        history : gets the PSNR of the choice, in dB, as `best["train_psnr"]`.
        """
        if train.has("clean") and self.settings.strength is None:
            history.best = {"train_psnr": self._choose(train, seed=plan.seed)}
        return history

    def infer(self, pixels: np.ndarray, *, tile: tuple[int, ...] | None = None) -> np.ndarray:
        """Restore an image as a whole, each channel by itself.

        Parameters
        ----------
        pixels : (*space, C) grey values.
        tile : None; there are none.

        Returns
        -------
        (*space, C) float32 grey values without noise.
        """
        count = pixels.shape[-1]
        channels = [self._restore(pixels[..., c].astype(np.float32)) for c in range(count)]
        return np.stack(channels, axis=-1).astype(np.float32)

    def works_in_blocks(self, image: Image) -> bool:
        """Images without T with non-local means, which look about them only so far."""
        return self.settings.filter != "tv" and "T" not in image.axes

    def block_needs(self, image: Image) -> BlockNeeds:
        """As far as surroundings are sought and compared."""
        ndim = self.domain.ndim
        reach = sum(self._reach(ndim).values())
        taken = self.bytes_per_pixel * image.size("C")
        return BlockNeeds((reach,) * ndim, (1,) * ndim, taken)

    def open_blocks(self, image: Image) -> RestorationWork:
        """Non-local means of each block; noise is estimated once, where it is of the whole."""
        pixels, ndim = image.to(self.domain.axes + "C").pixels, self.domain.ndim
        middle = crop_centre(pixels, LOOKED_AT[-ndim:]).astype(np.float32)
        laws = [self._estimate(middle[..., c]) for c in range(pixels.shape[-1])]

        def restore(cut: np.ndarray) -> np.ndarray:
            parts = [self._apply(cut[..., c].astype(np.float32), law) for c, law in enumerate(laws)]
            return np.stack(parts, axis=-1)

        return RestorationWork(pixels, restore, **vars(self.block_needs(image)))

    def _restore(self, pixels: np.ndarray) -> np.ndarray:
        """(*space) → the same without noise."""
        return self._apply(pixels, self._estimate(pixels))

    def _estimate(self, pixels: np.ndarray) -> tuple[PoissonGaussianNoise, float] | None:
        """Growth of the noise, and its width once that is undone; None where there is none."""
        if (
            not np.isfinite(pixels).all()
            or min(pixels.shape[-2:]) < 4
            or pixels.min() == pixels.max()
        ):
            return None
        law = estimate_poisson_gaussian(pixels)
        width = estimate_noise(stabilise(pixels, law))
        return (law, width) if width > 0 else None

    def _apply(
        self, pixels: np.ndarray, noise: tuple[PoissonGaussianNoise, float] | None
    ) -> np.ndarray:
        if noise is None:
            return pixels
        law, width = noise
        return undo(self._filter(stabilise(pixels, law), width), law)

    def _reach(self, ndim: int) -> dict[str, int]:
        """How large surroundings are, and how far away alike ones are sought, in pixels."""
        patch, search = self.settings.patch or PATCH[ndim], self.settings.search or SEARCH[ndim]
        return {"patch_size": patch, "patch_distance": search}

    def _filter(self, even: np.ndarray, width: float) -> np.ndarray:
        """An image with noise of one width → the same without."""
        from skimage.restoration import denoise_nl_means, denoise_tv_chambolle

        settings, ndim = self.settings, even.ndim
        strength = (
            settings.strength or self.tuned.get("strength") or STRENGTH[settings.filter, ndim]
        )
        if settings.filter == "tv":
            return denoise_tv_chambolle(even, weight=strength * width, max_num_iter=ITERATIONS)
        reach = self._reach(ndim)
        return denoise_nl_means(even, **reach, h=strength * width, sigma=width, fast_mode=True)

    def _choose(self, train: DataSet, seed: int) -> float:
        """Take the strength of the highest mean PSNR; returns that."""
        order = np.random.default_rng(seed).permutation(len(train))
        samples = list(
            islice((s for s in (train[int(i)] for i in order) if s.clean is not None), FIT_IMAGES)
        )
        pairs = [
            tuple(_cut(self.check_image(image.select(T=0))) for image in (s.image, s.clean))
            for s in samples
        ]
        usual, scores = STRENGTH[self.settings.filter, self.domain.ndim], {}
        for strength in (0.5 * usual, 0.75 * usual, usual, 1.5 * usual, 2 * usual):
            self.tuned = {"strength": strength}
            scores[strength] = float(
                np.mean(
                    [restoration.psnr(self.predict(noisy).image, clean) for noisy, clean in pairs]
                )
            )
        best = max(scores, key=scores.get)
        self.tuned = {"strength": best}
        return scores[best]


def stabilise(pixels: np.ndarray, law: PoissonGaussianNoise) -> np.ndarray:
    """Transform grey values so that their noise has standard deviation 1 everywhere.

    This is the generalised Anscombe transform, or a scale where there is no photon noise.

    Parameters
    ----------
    pixels : grey values.
    law : gain and intercept of the variance as a function of the grey value.
    """
    if law.gain <= 0:
        return pixels / np.sqrt(law.intercept) if law.intercept > 0 else pixels
    return 2 * np.sqrt(np.maximum(law.gain * pixels + law.intercept, 0) / law.gain**2 + 3 / 8)


def undo(even: np.ndarray, law: PoissonGaussianNoise) -> np.ndarray:
    """Transform the mean of stabilised values back to a mean grey value.

    This approximates the exact unbiased inverse in closed form: the algebraic inverse would be too
    low.

    Parameters
    ----------
    even : denoised values, stabilised by `stabilise`.
    law : as there.
    """
    if law.gain <= 0:
        return even * np.sqrt(law.intercept) if law.intercept > 0 else even
    d = np.maximum(even, ZERO)
    counts = (
        d**2 / 4 + np.sqrt(3 / 2) / 4 / d - 11 / 8 / d**2 + 5 / 8 * np.sqrt(3 / 2) / d**3 - 1 / 8
    )
    return counts * law.gain - law.intercept / law.gain


def _cut(image: Image) -> Image:
    """The middle of a large image."""
    plane = image.to(image.axes.replace("Y", "").replace("X", "") + "YX")
    height, width = (min(FIT_SIDE, n) for n in plane.shape[-2:])
    first = [(n - side) // 2 for n, side in zip(plane.shape[-2:], (height, width), strict=True)]
    rows, columns = slice(first[0], first[0] + height), slice(first[1], first[1] + width)
    return plane.replace(pixels=plane.pixels[..., rows, columns]).to(image.axes)
