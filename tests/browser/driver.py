"""A server of notebooks on 127.0.0.1, pages of it in Chromium, and the hand that draws on them.
Nothing outside this machine is asked.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]
BADGES = (
    "https://colab.research.google.com/assets/colab-badge.svg",
    "https://mybinder.org/badge_logo.svg",
)  # at the head of a lesson
START_S, ANSWER_MS, LESSON_MS = (
    180,
    240_000,
    900_000,
)  # long: two cores may be busy with other tests
SETTINGS = {
    "notebook-extension/tracker": {
        "windowingMode": "none"
    },  # else cells out of sight are not on the page
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "docmanager-extension/plugin": {"autosave": False},
}


def find_chromium() -> str | None:
    """The browser: the one that CHROMIUM names, or one that is installed."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def write_notebook(path: Path, *cells: str) -> Path:
    """A notebook of code cells."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    nbformat.write(notebook, path)
    return path


def copy_lesson(name: str, folder: Path, *, first: str = "") -> Path:
    """A notebook of the course in a folder that is served, as it is; `first` runs before all."""
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    notebook.cells[:0] = [nbformat.v4.new_code_cell(first)] * bool(first)
    nbformat.write(notebook, folder / f"{name}.ipynb")
    return folder / f"{name}.ipynb"


class Server:
    """JupyterLab with Voilà in it, serving a folder, with settings of its own; `url(notebook,
    mode)` is a notebook's address.
    """

    def __init__(self, folder: Path):
        self.folder, self.port, self.own = folder, _free_port(), Path(tempfile.mkdtemp())
        for name, values in SETTINGS.items():
            path = self.own / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values))
        places = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_RUNTIME_DIR": "run",
            "IPYTHONDIR": "ipython",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
        }
        environment = {
            **os.environ,
            **{name: str(self.own / place) for name, place in places.items()},
        }
        environment["NBTOOLS_FAST"] = str(ROOT / "tests" / "fast.toml")
        words = [
            "lab",
            "--no-browser",
            "--ip=127.0.0.1",
            f"--port={self.port}",
            "--allow-root",
            "--IdentityProvider.token=",
            "--ServerApp.disable_check_xsrf=True",
            f"--ServerApp.root_dir={folder}",
            "--LabApp.extension_manager=readonly",
            "--ServerApp.jpserver_extensions={'voila.server_extension': True}",
        ]
        self.log = (self.own / "log").open("w")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyter", *words],
            cwd=folder,
            env=environment,
            stdout=self.log,
            stderr=self.log,
        )
        self._wait()

    def url(self, notebook: Path, mode: str) -> str:
        name = notebook.relative_to(self.folder).as_posix()
        return f"http://127.0.0.1:{self.port}/" + (
            f"voila/render/{name}" if mode == "voila" else f"lab/tree/{name}?reset"
        )

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()
        shutil.rmtree(self.own, ignore_errors=True)

    def _wait(self) -> None:
        until = time.monotonic() + START_S
        while time.monotonic() < until and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.2)
        raise RuntimeError(f"The server did not start:\n{(self.own / 'log').read_text()[-2000:]}")


class Tab:
    """A page of the browser on a notebook; what it asked for beyond this machine is refused, and
    listed in `refused`, badges apart.
    """

    def __init__(self, browser: object, server: Server):
        self.server, self.refused, self.errors = server, [], []
        self.page = browser.new_page(viewport={"width": 1300, "height": 1000})
        self.page.route("**/*", self._route)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.set_default_timeout(ANSWER_MS)

    def open(self, notebook: Path, mode: str) -> Tab:
        """Open a notebook and run all of it."""
        self.notebook, self.mode = notebook, mode
        self.page.goto(
            self.server.url(notebook, mode), wait_until="commit"
        )  # Voilà goes on loading while cells run
        if mode == "lab":
            self.wait_until_idle()
            self.choose("Run", "runmenu:run-all")
        return self

    def wait_until_idle(self) -> None:
        """JupyterLab: running before the kernel is there would open a dialog."""
        self.page.wait_for_selector(".jp-Notebook .jp-Cell")
        self.page.wait_for_function(
            r"/\| Idle/.test(document.querySelector('#jp-main-statusbar').innerText)"
        )

    def wait_until_done(self) -> None:
        """JupyterLab: until no cell runs or waits."""
        waits = (
            "[...document.querySelectorAll('.jp-InputPrompt')].some((prompt) => "
            "prompt.textContent.includes('*'))"
        )
        self.page.wait_for_function(f"!({waits})", timeout=LESSON_MS)

    def run_from(self, words: str) -> None:
        """JupyterLab: run the cell that holds these words, and all below it; they may take their
        time.
        """
        self.page.locator(".jp-CodeCell", has_text=words).first.locator(".jp-InputPrompt").click()
        self.choose("Run", "notebook:run-all-below")

    def changes(self, css: str) -> str:
        """Wait until the picture of a widget is another one; returns it."""
        before = self.find(css).get_attribute("src")
        self.page.wait_for_function(
            f"(src) => document.querySelector('img.{css}')?.src !== src", arg=before
        )
        return self.find(css).get_attribute("src")

    def photograph(self, name: str) -> None:
        """Keep what is seen of the page in the folder that NBTOOLS_SHOTS names; without it nothing
        is kept.
        """
        if folder := os.environ.get("NBTOOLS_SHOTS"):
            self.page.screenshot(path=f"{folder}/{name}.png")

    @property
    def faults(self) -> list[str]:
        """JupyterLab: the errors that cells ended with."""
        return self.page.locator(
            "[data-mime-type='application/vnd.jupyter.error']"
        ).all_inner_texts()

    @property
    def pictures(self) -> list[str]:
        """JupyterLab: the figures under the cells, as they are on the page."""
        return [
            picture.get_attribute("src")
            for picture in self.page.locator(".jp-OutputArea .jp-RenderedImage img").all()
        ]

    def choose(self, menu: str, command: str) -> None:
        """JupyterLab: an entry of a menu, by its command."""
        self.page.get_by_role("menuitem", name=menu, exact=True).click()
        self.page.locator(f".lm-Menu-item[data-command='{command}']").first.click()

    def reload(self) -> None:
        """Load the page again; JupyterLab's notebook is saved first, as it does by itself every
        other minute.
        """
        if self.mode == "lab":
            before = self.notebook.stat().st_mtime_ns
            self.choose("File", "docmanager:save")
            while self.notebook.stat().st_mtime_ns == before:
                self.page.wait_for_timeout(100)
        self.page.reload(wait_until="commit")

    def find(self, css: str) -> object:
        """The widget that was marked with a CSS class."""
        return self.page.locator(f".{css}").first

    def shows(self, css: str, words: str) -> None:
        """Wait until a widget shows these words."""
        from playwright.sync_api import expect

        expect(self.find(css)).to_contain_text(words, timeout=ANSWER_MS)

    def _route(self, route: object) -> None:
        url = route.request.url
        if url.startswith((f"http://127.0.0.1:{self.server.port}", "data:", "blob:")):
            route.continue_()
        else:
            if url not in BADGES:
                self.refused.append(url)
            route.abort()


class Hand:
    """A hand on a painter: places are (y, x) in pixels of the image."""

    def __init__(self, tab: Tab):
        self.tab, self.root = tab, tab.find("nb-painter-root")
        self.tab.page.wait_for_selector(".nb-painter-root[data-shown=true]")
        self.root.scroll_into_view_if_needed()

    def seen(self, name: str) -> str:
        """What the painter says of itself: count, z, current, unsaved, waiting …"""
        return self.root.get_attribute(f"data-{name}")

    def wait(self, **states: object) -> None:
        """Until the kernel has heard everything, and these states are seen."""
        for name, value in {"waiting": 0, **states}.items():
            self.tab.page.wait_for_selector(
                f".nb-painter-root[data-{name}='{value}']", state="attached"
            )

    def press(self, name: str) -> None:
        """A button or tool."""
        self.root.locator(f".nb-painter-{name}").click()

    def key(self, key: str) -> None:
        self.root.press(key)

    def point(self, place: tuple[float, float]) -> None:
        self.tab.page.mouse.move(*self._on_screen(place))

    def click(self, place: tuple[float, float]) -> None:
        self.tab.page.mouse.click(*self._on_screen(place))

    def drag(self, *places: tuple[float, float]) -> None:
        """Press at the first place, go through all, let go."""
        mouse = self.tab.page.mouse
        mouse.move(*self._on_screen(places[0]))
        mouse.down()
        for place in places[1:]:
            mouse.move(*self._on_screen(place), steps=4)
        mouse.up()

    def _on_screen(self, place: tuple[float, float]) -> tuple[float, float]:
        box = self.root.locator(".nb-painter-canvas").bounding_box()
        zoom, left, top = (float(self.seen(name)) for name in ("zoom", "left", "top"))
        return box["x"] + left + (place[1] + 0.5) * zoom, box["y"] + top + (place[0] + 0.5) * zoom


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
