"""Open the built pages in a real browser: no request leaves, formulas are drawn, no complaint."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

#: Pages, and whether they have formulas.
CHAPTERS = {
    "index.html": True,
    "howto-line-at-n-khz.html": True,
    "howto-structural.html": True,
    "models-at-initialisation.html": False,
    "vocabulary.html": True,
    "accuracy.html": True,
    "adding-a-layer.html": True,
    "architecture.html": True,
    "speed.html": False,
}

# Resolves when MathJax has drawn the page; pages without formulas do not load it.
DRAWN = "() => window.MathJax?.startup?.promise?.then(() => true) ?? true"


@dataclass
class Visit:
    """One page, and what the browser did to show it."""

    page: object
    external: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


def chromium() -> str | None:
    named = os.environ.get("UPSIM_CHROMIUM")
    return named or shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason='playwright is missing: pip install ".[browser]"'
    )
    executable = chromium()
    if executable is None:
        pytest.skip("no chromium on this machine (UPSIM_CHROMIUM can name one)")
    with playwright.sync_playwright() as session:
        # The pages are ours, and the sandbox does not start for root in a container.
        opened = session.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(address: str, browser) -> Iterator[Visit]:
    context = browser.new_context()
    page = context.new_page()
    record = Visit(page)
    home = urlsplit(address).netloc

    def requested(request) -> None:
        target = urlsplit(request.url)
        if target.scheme not in {"data", "blob"} and target.netloc != home:
            record.external.append(request.url)

    def answered(response) -> None:
        if response.status >= 400:
            record.failed.append(f"{response.status} {response.url}")

    def said(message) -> None:
        if message.type in {"error", "warning"}:
            record.complaints.append(message.text)

    page.on("request", requested)
    page.on("requestfailed", lambda request: record.failed.append(request.url))
    page.on("response", answered)
    page.on("console", said)
    page.on("pageerror", lambda error: record.complaints.append(str(error)))
    yield record
    context.close()


def read(visit: Visit, url: str) -> None:
    visit.page.goto(url, wait_until="load")
    visit.page.evaluate(DRAWN)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_shows_itself_without_a_network(visit, address, chapter):
    read(visit, f"{address}/{chapter}")
    visit.page.wait_for_load_state("networkidle")  # nothing that a script asks for late
    formulas = visit.page.locator(".math").count()
    assert (formulas > 0) == CHAPTERS[chapter]
    # One drawing a formula at the least: a displayed one may hold several.
    assert visit.page.locator(".math mjx-container svg").count() >= formulas
    assert visit.page.locator(".math:not(:has(mjx-container svg))").count() == 0
    assert visit.external == []
    assert visit.failed == []
    assert visit.complaints == []


def test_every_formula_of_the_site_is_valid_tex(visit, site, address):
    pages = [
        page.relative_to(site).as_posix()
        for page in sorted(site.rglob("*.html"))
        if 'class="math ' in page.read_text(encoding="utf-8")
    ]
    assert {name for name, formulas in CHAPTERS.items() if formulas} <= set(pages)
    wrong = {}
    for name in pages:
        read(visit, f"{address}/{name}")
        # MathJax marks a formula that it cannot read with merror, and an unknown command in red.
        errors = visit.page.locator("[data-mml-node='merror'], [data-mjx-error]")
        unknown = visit.page.locator(".math mjx-container [fill='red']")
        undrawn = visit.page.locator(".math:not(:has(mjx-container svg))")
        counts = {"merror": errors.count(), "unknown command": unknown.count()}
        counts["not drawn"] = undrawn.count()
        if any(counts.values()):
            wrong[name] = counts
    assert wrong == {}
    assert visit.external == []
    assert visit.failed == []


def test_the_landing_page_leads_to_the_chapters(visit, address):
    read(visit, f"{address}/index.html")
    visit.page.locator(".sd-card", has_text="Vocabulary").click()
    visit.page.wait_for_url("**/vocabulary.html")
    assert visit.page.locator("h1").first.inner_text().startswith("Vocabulary")
