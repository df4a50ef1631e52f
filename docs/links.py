"""Internal links of the built site: every file and every anchor that a page names is there."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """Links and anchors of a page."""

    def __init__(self):
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what a tag links to, and what it can be linked by."""
        given = {key: value for key, value in attrs if value}
        self.links += [given[key] for key in ("href", "src") if key in given]
        self.anchors |= {given[key] for key in ("id", "name") if key in given}


def read(path: Path) -> Page:
    """Links and anchors of the page in a file."""
    page = Page()
    page.feed(path.read_text("utf-8"))
    return page


def check(folder: Path) -> list[str]:
    """Links that lead nowhere, and files that a page would fetch from elsewhere."""
    pages = {path.resolve(): read(path) for path in sorted(folder.rglob("*.html"))}
    problems = []
    for path, page in pages.items():
        for link in page.links:
            problem = follow(link, path, pages)
            if problem:
                problems.append(f"{path.relative_to(folder.resolve())}: {link}: {problem}")
    return problems


def follow(link: str, page: Path, pages: dict[Path, Page]) -> str:
    """What is wrong with a link; "" where nothing, or where it leads out of the site."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return ""
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not target.exists():
        return "no such file"
    anchor = unquote(parts.fragment)
    if anchor and target in pages and anchor not in pages[target].anchors:
        return "no such anchor"
    return ""
