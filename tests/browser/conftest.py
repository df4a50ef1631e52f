"""One server and one browser for all tests of this folder; closed before other tests go on, since
the driver holds an event loop.
"""

import importlib.util

import pytest

from browser import driver

NEEDED = ("playwright", "jupyterlab", "voila")


@pytest.fixture(scope="package")
def _browser():
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed: pip install -e '.[browser]'")
    if driver.find_chromium() is None:
        pytest.skip("no Chromium found: install chromium, or name one in CHROMIUM")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=driver.find_chromium(), args=driver.FLAGS
        )
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def _server(_browser, tmp_path_factory):
    server = driver.Server(tmp_path_factory.mktemp("served"))
    yield server
    server.close()


@pytest.fixture
def tab(_browser, _server):
    """A new page of the browser."""
    tab = driver.Tab(_browser, _server)
    yield tab
    tab.page.close()


@pytest.fixture
def folder(_server, request):
    """A folder that is served."""
    place = _server.folder / request.node.name.replace("[", "_").rstrip("]")
    place.mkdir()
    return place
