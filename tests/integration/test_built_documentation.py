"""The docs as Sphinx builds them: every cell runs, and nothing comes from the network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

for package in ("sphinx", "furo", "myst_nb", "latex2mathml", "sklearn"):
    pytest.importorskip(package)

DOCS = Path(__file__).parents[2] / "docs"
STORY = sorted((DOCS / "story").glob("*.md"))
MOST_SECONDS = 900
COMPUTED = r'<span class="output text_plain">([^<]*)</span>'  # a number in a sentence

# What a browser fetches by itself to show a page; links are fetched when a reader follows them.
FETCHED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"),
           ("source", "src"), ("image", "href"), ("image", "xlink:href")}  # fmt: skip
NOT_FETCHED = {"canonical", "index", "search", "next", "prev", "author", "copyright"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built pages, made once: by the first worker that asks for it."""
    run = tmp_path_factory.getbasetemp()
    folder = (run.parent if "PYTEST_XDIST_WORKER" in os.environ else run) / "docs"
    result = folder / "result"
    try:
        folder.mkdir()
    except FileExistsError:
        deadline = time.monotonic() + MOST_SECONDS
        while not result.exists() and time.monotonic() < deadline:
            time.sleep(0.5)
    else:
        found = build(folder / "html")
        (folder / "unfinished").write_text(found, encoding="utf-8")
        (folder / "unfinished").rename(result)
    complaints = result.read_text(encoding="utf-8")
    assert not complaints, complaints
    return folder / "html"


def build(out: Path) -> str:
    """Builds the docs; returns what went wrong. A warning or a failed cell is an error."""
    run = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "-n", "-q", "-b", "html", DOCS, out],
        capture_output=True, text=True, timeout=MOST_SECONDS,
        env=os.environ | {"PYTHONPATH": str(DOCS.parent / "src")},
    )  # fmt: skip
    return run.stdout[-2000:] + run.stderr[-4000:] if run.returncode else ""


class Page(HTMLParser):
    """What a page fetches, how many pictures it has, and the text that a reader sees."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.names: list[str] = []
        self.prose = ""
        self._within: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.names += [value for name, value in attrs if name == "id" and value]
        self._within += [tag] if tag in ("p", "pre", "figure") else []
        if tag == "link" and given.get("rel") in NOT_FETCHED:
            return
        found = [value for name, value in attrs if (tag, name) in FETCHED and value]
        self.fetched += [value for value in found if not value.startswith("data:")]

    def handle_endtag(self, tag: str) -> None:
        if self._within and self._within[-1] == tag:
            self._within.pop()

    def handle_data(self, data: str) -> None:
        if self._within == ["p"]:
            self.prose += data


def pages(built: Path) -> Iterator[tuple[Path, Page]]:
    for path in sorted(built.rglob("*.html")):
        yield path, Page(path)


def test_no_page_fetches_anything_from_elsewhere(built: Path) -> None:
    looked_at = 0
    for path, page in pages(built):
        for address in page.fetched:
            assert "//" not in address, f"{path.name} fetches {address}"
            assert (path.parent / address.split("?")[0].split("#")[0]).exists(), address
            looked_at += 1
    assert looked_at > 100  # style sheets and scripts, at least
    for sheet in built.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", text), sheet.name


def test_every_number_in_a_sentence_arrived(built: Path) -> None:
    for source in (*STORY, DOCS / "index.md"):
        asked = len(re.findall(r"\{eval\}`", source.read_text(encoding="utf-8")))
        html = (built / source.relative_to(DOCS)).with_suffix(".html")
        shown = re.findall(
            r'<span class="output text_plain">([^<]*)</span>', html.read_text("utf-8")
        )
        assert len(shown) == asked, html.name
        # An array's type, what is not a number, or a plain minus would have slipped in unformatted.
        assert not [text for text in shown if re.search(r"^$|np\.|nan|inf|^-", text)], html.name


@pytest.mark.parametrize("path", STORY, ids=lambda path: path.stem)
def test_no_number_in_a_sentence_is_typed(path: Path) -> None:
    text = re.sub(r"\A---\n.*?\n---\n", "", path.read_text(encoding="utf-8"), flags=re.S)
    text = re.sub(r"^```.*?^```|\$\$.*?\$\$|^#.*?$|^\d+\. ", "", text, flags=re.S | re.M)
    # Code, formulas, computed numbers; and what stands in the text of a link: papers have years.
    text = re.sub(r"float\d+|`[^`]*`+|\$[^$]*\$|\[[^\]]*\]\([^)]*\)", "", text)
    assert not re.findall(r"\d+[.,]\d+|\d+ ?%|\d{2,}", text)


def test_names_are_unique_in_a_page(built: Path) -> None:
    # The pictures are SVG in the page: two with the same names would borrow from each other.
    for path, page in pages(built):
        pictures = [name for name in page.names if name.startswith("picture-")]
        assert len(set(pictures)) == len(pictures), path.name
    assert len([n for n in Page(built / "story" / "bend.html").names if n == "picture-1"]) == 1


def test_pictures_are_drawn_in_the_ink_of_the_page(built: Path) -> None:
    drawn = 0
    for source in STORY:
        html = (built / source.relative_to(DOCS)).with_suffix(".html").read_text(encoding="utf-8")
        for figure in re.findall(r'<figure class="picture">.*?</figure>', html, re.S):
            drawn += 1
            assert not re.search(r"#([0-9a-f]{2})\1\1\b", figure), source.name  # black, white, grey
            assert "currentColor" in figure
            assert re.search(r"<figcaption[^>]*>.{20,}</figcaption>", figure, re.S), source.name
    assert drawn > 15


def test_the_catalogue_and_the_reference_are_complete(built: Path) -> None:
    import limen

    catalogue = (built / "catalogue.html").read_text(encoding="utf-8")
    for name in limen.names():
        assert f'id="{name.replace("_", "-")}"' in catalogue, name
    assert catalogue.count("<math") == catalogue.count('"picture curve"') == len(limen.names())
    reference = (built / "reference.html").read_text(encoding="utf-8")
    for name in (
        "limen.Model.fit",
        "limen.activation",
        "limen.torch.replace",
        "limen.jax.activation",
    ):
        assert f'id="{name}"' in reference, name


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index.html", "story/representations.html"])
def test_a_browser_shows_it_without_complaint(
    built: Path, browser: Any, name: str, theme: str
) -> None:
    page = browser.new_page(color_scheme=theme, viewport={"width": 390, "height": 800})
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(request.url))
    page.on("request", lambda r: complaints.append(r.url) if r.url.startswith("http") else None)
    page.goto((built / name).as_uri())
    assert not complaints
    # On a phone the page itself does not scroll sideways; wide pictures do, in their own frame.
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    # The pictures are drawn in the ink of the theme, and that stands out from its ground.
    ink, ground = page.evaluate(
        """() => {
            const text = document.querySelector("figure.picture svg text");
            return [getComputedStyle(text).fill, getComputedStyle(document.body).backgroundColor];
        }"""
    )
    assert abs(brightness(ink) - brightness(ground)) > 0.6
    page.close()


def brightness(colour: str) -> float:
    red, green, blue = map(int, re.findall(r"\d+", colour)[:3])
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255
