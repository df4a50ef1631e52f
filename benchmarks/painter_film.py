"""Film the painter in a browser, for README.md and the site: python benchmarks/painter_film.py

painter.webp  what a shipped network predicts in a real image is corrected: a merged pair is cut,
              a missed nucleus outlined, a fragment deleted and drawn anew

The widget is the real one, on a page of Voilà in Chromium; the hand follows the expert's labels.
Needs the extra `browser`, and a Chromium (or its path in CHROMIUM).
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from skimage.measure import find_contours

import nbtools as nb

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from browser import driver  # noqa: E402

PATH = ROOT / "notebooks" / "pictures" / "painter.webp"
PART = (slice(190, 370), slice(0, 180))  # of the sample; it holds all three kinds of mistake
VIEW, WIDTH, CAPTION = {"width": 720, "height": 900}, 520, 34
QUICK, SLOW, LAST = 110, 1400, 3000  # milliseconds a frame is shown
POINTER = np.array([(0, 0), (0, 17), (4, 13), (7, 19), (10, 18), (7, 12), (12, 12)])
CODE = """
from nbtools import io, widgets
painter = widgets.paint(io.read_image("part.tif"), io.read_label("found.tif"), save_to="corrected")
painter
"""


class Camera:
    """A hand on the painter, each of whose moves leaves a frame."""

    def __init__(self, hand: driver.Hand):
        self.hand, self.place, self.caption = hand, None, ""
        self.frames: list[Image.Image] = []
        self.durations: list[int] = []

    def say(self, caption: str) -> None:
        """Begin a scene."""
        self.caption = caption
        self.shoot(SLOW)

    def shoot(self, duration: int = QUICK) -> None:
        """Take a frame, with the pointer and the caption drawn on it."""
        frame = Image.open(io.BytesIO(self.hand.root.screenshot())).convert("RGB")
        page = Image.new("RGB", (frame.width, frame.height + CAPTION), "white")
        page.paste(frame, (0, CAPTION))
        pen = ImageDraw.Draw(page)
        pen.text((8, 6), self.caption, fill="black", font=ImageFont.load_default(19))
        if self.place is not None:
            box = self.hand.root.bounding_box()
            x, y = self.hand._on_screen(self.place)
            tip = np.array([x - box["x"], y - box["y"] + CAPTION])
            pen.polygon([tuple(corner) for corner in tip + POINTER], "white", "black")
        height = round(page.height * WIDTH / page.width)
        self.frames.append(page.resize((WIDTH, height), Image.Resampling.LANCZOS))
        self.durations.append(duration)

    def point(self, place: tuple[float, float]) -> None:
        """Move the pointer."""
        self.place = place
        self.hand.point(place)

    def drag(self, places: np.ndarray) -> None:
        """Press the mouse, follow the places, let go."""
        mouse = self.hand.tab.page.mouse
        self.point(tuple(places[0]))
        mouse.down()
        for place in places[1:]:
            self.point(tuple(place))
            self.shoot()
        mouse.up()
        self.hand.wait()
        self.shoot(SLOW // 2)

    def save(self, path: Path) -> dict:
        """Write the film."""
        first, *rest = self.frames
        options = {"duration": [*self.durations[:-1], LAST], "loop": 0, "quality": 45, "method": 6}
        first.save(path, save_all=True, append_images=rest, **options)
        return {"frames": len(self.frames), "bytes": path.stat().st_size}


def find_mistakes(truth: np.ndarray, found: np.ndarray) -> dict[str, int]:
    """The largest label that covers two nuclei, the nucleus missed, and the one found in part."""
    inside = [k for k in np.unique(truth)[1:] if not _touches_edge(truth == k)]
    covering = {k: np.bincount(found[truth == k]).argmax() for k in inside}
    merged = [k for k in set(covering.values()) - {0} if list(covering.values()).count(k) > 1]
    covered = {k: (found[truth == k] > 0).mean() for k in inside}
    partly = [k for k in inside if covered[k] > 0]
    return {
        "merged": max(merged, key=lambda k: np.count_nonzero(found == k)),
        "missed": min(inside, key=covered.get),
        "partly": min(partly, key=covered.get),
    }


def _touches_edge(mask: np.ndarray) -> bool:
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())


def find_cut(truth: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A straight line between the two true nuclei that a predicted one covers."""
    numbers, counts = np.unique(truth[mask & (truth > 0)], return_counts=True)
    one, other = (truth == k for k in numbers[np.argsort(counts)[-2:]])
    apart = [np.argwhere(part).mean(axis=0) for part in (one, other)]
    along = (apart[1] - apart[0]) / np.linalg.norm(apart[1] - apart[0])
    across = np.array([-along[1], along[0]])
    places = np.argwhere(mask)
    far = ((np.argwhere(one) - apart[0]) @ along).max()
    near = ((np.argwhere(other) - apart[0]) @ along).min()
    limit = (far + near) / 2  # between the last pixel of one and the first of the other
    middle = apart[0] + limit * along
    crossed = places[np.abs((places - middle) @ along) < 1.5]
    reach = (crossed - middle) @ across
    steps = np.linspace(reach.min() - 3, reach.max() + 3, 9)
    return middle + steps[:, None] * across


def find_outline(mask: np.ndarray) -> np.ndarray:
    """Places along the outline of a nucleus, back to the first."""
    outline = max(find_contours(np.pad(mask, 1).astype(float), 0.5), key=len) - 1
    return np.vstack([outline[::4], outline[:1]])


def play(camera: Camera, truth: np.ndarray, found: np.ndarray) -> None:
    """Correct one mistake of each kind."""
    hand, wrong = camera.hand, find_mistakes(truth, found)
    count = len(np.unique(found)) - 1
    camera.say("A network has found these nuclei. Three mistakes are corrected.")
    hand.press("erase")
    for _ in range(9):
        hand.key("a")  # a thinner brush
    mask = found == wrong["merged"]
    camera.say("Two nuclei in one: cut them with the eraser …")
    camera.drag(find_cut(truth, mask))
    camera.point(tuple(np.argwhere(mask & (truth == truth[mask].max())).mean(axis=0)))
    camera.say("… and press X: each part becomes a nucleus.")
    hand.key("x")
    hand.wait(count=count + 1)
    camera.shoot(SLOW)
    hand.press("outline")
    camera.say("One was missed: draw around it.")
    camera.drag(find_outline(truth == wrong["missed"]))
    hand.wait(count=count + 2)
    part = np.argwhere((truth == wrong["partly"]) & (found > 0))
    camera.point(tuple(part[len(part) // 2]))
    camera.say("Only a piece of this one: press D …")
    hand.key("d")
    hand.wait(count=count + 1)
    camera.say("… and draw it anew.")
    camera.drag(find_outline(truth == wrong["partly"]))
    hand.wait(count=count + 2)
    hand.press("save")
    hand.wait(unsaved="false")
    camera.say("Saved: an image and its labels, ready to train on.")


def main() -> None:
    """Serve a notebook that paints, play, and write the film."""
    from playwright.sync_api import sync_playwright

    sample = nb.data.samples("nuclei2d")[0]
    found = nb.methods.load("nuclei2d").predict(sample.image).labels
    folder = Path(tempfile.mkdtemp())
    nb.io.write_image(folder / "part.tif", sample.image.replace(pixels=sample.image.pixels[PART]))
    nb.io.write_label(folder / "found.tif", found.replace(pixels=found.pixels[PART]))
    server = driver.Server(folder)
    try:
        with sync_playwright() as playwright:
            chromium = driver.find_chromium()
            browser = playwright.chromium.launch(executable_path=chromium, args=driver.FLAGS)
            tab = driver.Tab(browser, server)
            tab.page.set_default_timeout(60_000)
            tab.page.set_viewport_size(VIEW)
            tab.open(driver.write_notebook(folder / "paint.ipynb", CODE), "voila")
            camera = Camera(driver.Hand(tab))
            play(camera, sample.label.pixels[PART], found.pixels[PART])
            browser.close()
        print(camera.save(PATH))
    finally:
        server.close()


if __name__ == "__main__":
    main()
