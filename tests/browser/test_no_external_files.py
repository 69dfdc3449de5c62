"""Read the built pages as text: nothing that a page loads by itself lies outside the site."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

# The tags whose src, href, ... a browser fetches unasked. <a href> is a link, not a load.
LOADING = {
    "audio": ["src"],
    "embed": ["src"],
    "iframe": ["src"],
    "image": ["href", "xlink:href"],
    "img": ["src", "srcset"],
    "input": ["src"],
    "link": ["href"],
    "object": ["data"],
    "script": ["src"],
    "source": ["src", "srcset"],
    "track": ["src"],
    "use": ["href", "xlink:href"],
    "video": ["src", "poster"],
}
# <link rel="..."> that names a page or its owner and fetches nothing.
ONLY_NAMES = {"author", "canonical", "index", "license", "next", "prev", "search"}
ELSEWHERE = re.compile(r"^\s*(https?:|wss?:|//)", re.IGNORECASE)
IN_STYLE = re.compile(
    r"""(?:url\(\s*["']?|@import\s+["'])\s*((?:https?:)?//[^"')\s]+)""", re.IGNORECASE
)
IN_MODULE = re.compile(r"""(?:\bfrom|\bimport|\bimport\(|\bfetch\()\s*["']((?:https?:)?//[^"']+)""")


class Loads(HTMLParser):
    """Collects what a page loads from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.external: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        given = {name: value or "" for name, value in attrs}
        if tag == "link" and set(given.get("rel", "").lower().split()) <= ONLY_NAMES:
            return
        for name in LOADING.get(tag, []):
            for candidate in given.get(name, "").split(","):
                if ELSEWHERE.match(candidate):
                    self.external.append(candidate.strip())
        self.external += IN_STYLE.findall(given.get("style", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "style":
            self.external += IN_STYLE.findall(data)
        elif self._inside == "script":
            self.external += IN_MODULE.findall(data)


def external_in_page(text: str) -> list[str]:
    loads = Loads()
    loads.feed(text)
    loads.close()
    return loads.external


def test_pages_load_nothing_from_elsewhere(site: Path):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) >= 4  # the landing page and the three that it links to
    found = {
        str(page.relative_to(site)): external
        for page in pages
        if (external := external_in_page(page.read_text(encoding="utf-8")))
    }
    assert found == {}


def test_styles_load_nothing_from_elsewhere(site: Path):
    styles = sorted(site.rglob("*.css"))
    assert styles
    found = {
        str(style.relative_to(site)): external
        for style in styles
        if (external := IN_STYLE.findall(style.read_text(encoding="utf-8")))
    }
    assert found == {}


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://example.org/a.js"></script>',
        '<script src="//example.org/a.js"></script>',
        '<link rel="stylesheet" href="http://example.org/a.css">',
        '<link rel="preconnect" href="https://example.org">',
        '<img src="a.png" srcset="a.png, https://example.org/b.png 2x">',
        '<p style="background: url(https://example.org/a.png)"></p>',
        "<style>@import 'https://example.org/a.css';</style>",
        "<style>p { background: url('//example.org/a.png') }</style>",
        '<script type="module">import a from "https://example.org/a.js"</script>',
        '<script>fetch("https://example.org/a.json")</script>',
    ],
)
def test_a_load_from_elsewhere_is_found(text):
    assert len(external_in_page(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        '<a href="https://example.org">a link, not a load</a>',
        '<link rel="canonical" href="https://example.org/page.html">',
        '<img src="_static/a.png"><script src="_static/a.js"></script>',
        "<p>https://example.org as text</p>",
        '<svg xmlns="http://www.w3.org/2000/svg"></svg>',
    ],
)
def test_a_link_or_a_local_file_passes(text):
    assert external_in_page(text) == []
