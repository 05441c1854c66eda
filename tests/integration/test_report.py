"""The report in a real browser that is refused every request."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from limen.insight.report import report

pytest.importorskip("plotly")
pytest.importorskip("jinja2")

Make = Callable[..., Any]

EVIL = '<script>alert(1)</script><img src="//x/y" onerror="alert(2)">'
FINDINGS = (
    ("serious", "layer 3", "61 of 256 relu neurons are dead", "Blocked since step 300.", "Less."),
    ("warning", EVIL, EVIL, EVIL, EVIL),
    ("note", "layer 5", "Something", "Seen in 3 of 4 moments.", "Nothing."),
)
NAMES = (
    ("layer 1", "relu"), ("layer 3", "mish"), (EVIL, EVIL), ("a" * 90, "x*" * 200),
    ("<b>bold</b>", "$x$"),
)  # fmt: skip


class Opened:
    """A page, and everything it said and asked for."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:
        self.context = browser.new_context(
            **{"viewport": {"width": 1000, "height": 800}, **options}
        )
        self.asked: list[str] = []
        self.said: list[str] = []
        self.context.route("**/*", self._refuse)
        self.context.set_offline(True)
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.said.append("dialog"), dialog.dismiss()))
        self.url = path.as_uri()
        self.page.goto(self.url)

    def _refuse(self, route: Any) -> None:
        if route.request.url == self.url:
            route.continue_()
        else:
            self.asked.append(route.request.url)
            route.abort()

    def draw_everything(self) -> None:
        for place in self.page.query_selector_all(".plot"):
            place.scroll_into_view_if_needed()
        self.wait_for("[...document.querySelectorAll('.plot')].every(p => p.dataset.drawn)")

    def wait_for(self, condition: str) -> None:
        """Asks from outside: playwright's own way would need the eval that the policy forbids."""
        for _ in range(300):
            if self.ask(condition):
                return
            self.page.wait_for_timeout(100)
        pytest.fail(f"{condition} did not come true in 30 s; the page said {self.said}")

    def ask(self, script: str) -> Any:
        return self.page.evaluate(script)


@pytest.fixture(scope="module")
def path(observed: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    return report(observed(names=NAMES, findings=FINDINGS), folder / "report.html")


@pytest.fixture
def opened(browser: Any, path: Path) -> Iterator[Callable[..., Opened]]:
    pages: list[Opened] = []

    def start(**options: Any) -> Opened:
        pages.append(Opened(browser, path, **options))
        return pages[-1]

    yield start
    for each in pages:
        each.context.close()


def test_it_draws_all_figures_and_asks_for_nothing(opened: Callable[..., Opened]) -> None:
    it = opened()
    it.draw_everything()
    assert it.ask("document.querySelectorAll('.plot svg.main-svg').length") >= 6
    assert it.asked == []
    assert it.said == []


def test_what_came_with_the_model_is_text(opened: Callable[..., Opened]) -> None:
    it = opened()
    it.draw_everything()
    assert it.page.text_content("#layer-2-name") == f"{EVIL}: {EVIL}"
    assert it.ask("document.querySelectorAll('img, body script:not([type])').length") == 0
    ticks = it.ask("[...document.querySelectorAll('#overview-1 .xtick')].map(t => t.textContent)")
    assert ticks == ["layer 1", "layer 3", EVIL[:17] + "…", "a" * 17 + "…", "<b>bold</b>"]
    assert it.said == []


def test_the_policy_stops_other_scripts_and_every_request(opened: Callable[..., Opened]) -> None:
    it = opened()
    it.ask(
        """() => {
          const script = document.createElement("script");
          script.textContent = "globalThis.foreign = 1";
          document.body.append(script);
          document.body.insertAdjacentHTML("beforeend",
            "<img src='https://example.org/a.png' onerror='globalThis.foreign = 2'>");
        }"""
    )
    assert it.ask("fetch('https://example.org').then(() => 'went', () => 'refused')") == "refused"
    assert it.ask("globalThis.foreign") is None
    assert it.asked == []  # the policy refuses before any request is made


def colours(it: Opened) -> tuple[str, str, str]:
    """Of the page, of the text of a figure, and of its first line."""
    ground = it.ask("getComputedStyle(document.body).backgroundColor")
    tick = it.ask("getComputedStyle(document.querySelector('#overview-1 .xtick text')).fill")
    line = it.ask("getComputedStyle(document.querySelector('#overview-1 .js-line')).stroke")
    return ground, tick, line


def test_both_themes_and_the_switch(opened: Callable[..., Opened]) -> None:
    light, dark = opened(color_scheme="light"), opened(color_scheme="dark")
    for it in (light, dark):
        it.draw_everything()
    assert colours(light)[0] == "rgb(255, 255, 255)"
    assert colours(dark)[0] == "rgb(17, 22, 28)"
    assert all(a != b for a, b in zip(colours(light), colours(dark), strict=True))
    assert light.page.get_attribute("#theme", "aria-pressed") == "false"
    light.page.click("#theme")
    assert light.page.get_attribute("#theme", "aria-pressed") == "true"
    light.wait_for("document.querySelector('#overview-1').dataset.drawn === 'dark'")
    assert colours(light) == colours(dark)
    light.page.reload()
    light.draw_everything()
    assert colours(light) == colours(dark)  # the choice stays


def test_a_phone_scrolls_down_only(opened: Callable[..., Opened]) -> None:
    it = opened(viewport={"width": 375, "height": 700}, has_touch=True, is_mobile=True)
    it.draw_everything()
    it.ask("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert it.ask("document.documentElement.scrollWidth") == 375
    wide = it.ask(
        """[...document.querySelectorAll("main *:not(.scroll *):not(.plot *)")]
             .filter(e => e.getBoundingClientRect().right > 375.5).map(e => e.outerHTML)"""
    )
    assert wide == []
    widths = it.ask("[...document.querySelectorAll('.plot')].map(p => p._fullLayout.width)")
    assert set(widths) == {343}


def test_the_keyboard_reaches_everything(opened: Callable[..., Opened]) -> None:
    it = opened()
    reached = []
    for _ in range(60):
        it.page.keyboard.press("Tab")
        reached.append(
            it.ask(
                """(() => { const e = document.activeElement, s = getComputedStyle(e);
                   return [e.tagName, e.textContent.trim(), s.outlineStyle, s.outlineWidth]; })()"""
            )
        )
        if len(reached) > 1 and reached[-1][0] == "BODY":
            break
    assert reached[0][:2] == ["A", "Skip to the diagnosis"]
    assert reached[1][:2] == ["BUTTON", "Dark theme"]
    focusable = it.ask(
        "[...document.querySelectorAll('a, button, summary')].map(e => e.textContent.trim())"
    )
    assert [text for tag, text, *_ in reached if tag != "BODY"] == focusable
    assert all(seen[2:] == ["solid", "3px"] for seen in reached if seen[0] != "BODY")


def test_the_skip_link_the_switch_and_the_tables_work_by_key(opened: Callable[..., Opened]) -> None:
    it = opened()
    it.page.keyboard.press("Tab")
    box = it.page.query_selector(".skip").bounding_box()
    assert box["x"] >= 0
    it.page.keyboard.press("Enter")
    assert it.ask("document.activeElement.id") == "main"
    it.page.focus("#theme")
    it.page.keyboard.press("Space")
    assert it.page.get_attribute("#theme", "aria-pressed") == "true"
    it.page.focus("#layer-0 summary")
    it.page.keyboard.press("Enter")
    assert it.ask("document.querySelector('#layer-0 details').open")
    assert it.page.is_visible("#layer-0 details table")


def test_structure_for_a_screen_reader(opened: Callable[..., Opened]) -> None:
    it = opened()
    it.draw_everything()
    assert it.ask("document.documentElement.lang") == "en"
    assert [it.ask(f"document.querySelectorAll('{tag}').length") for tag in
            ("main", "body > header", "body > footer", "h1")] == [1, 1, 1, 1]  # fmt: skip
    levels = it.ask("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    nameless = """[...document.querySelectorAll("[role=img], [role=region], section")].filter(e => {
        const by = e.getAttribute("aria-labelledby");
        return !(e.getAttribute("aria-label") || (by && document.getElementById(by).textContent));
      }).length"""
    assert it.ask(nameless) == 0
    described = """[...document.querySelectorAll(".plot")].every(p =>
        document.getElementById(p.getAttribute("aria-describedby")).textContent.length > 40)"""
    assert it.ask(described)
    for lacking in ("table:not(:has(caption))", "th:not([scope])", "svg.sketch:not([aria-label])"):
        assert it.ask(f"document.querySelectorAll('{lacking}').length") == 0
    untabled = """[...document.querySelectorAll("figure")].filter(
        f => !f.nextElementSibling.matches("details:has(table)")).length"""
    assert it.ask(untabled) == 0
    ids = it.ask("[...document.querySelectorAll('main [id]:not(.plot *)')].map(e => e.id)")
    assert len(ids) == len(set(ids))


def test_tables_hold_the_numbers_of_the_figures(
    browser: Any, observed: Make, tmp_path: Path
) -> None:
    seen = observed()
    it = Opened(browser, report(seen, tmp_path / "report.html"))
    it.ask("document.querySelectorAll('details').forEach(each => each.open = true)")
    rows = it.page.locator("#layer-1 table").first.locator("tbody tr").all_inner_texts()
    assert len(rows) == 5
    for row, moment in zip(rows, seen.layers[1].history, strict=True):
        cells = [float(cell.replace("−", "-")) for cell in row.split()]
        expected = [moment.step, *moment.pre_activation[::2], *moment.activation[::2]]
        assert cells == pytest.approx(expected, rel=6e-3, abs=1e-9)
    it.context.close()


# Contrast as in WCAG 2.2, success criterion 1.4.3, of every text against what is behind it.
CONTRAST = """() => {
  const parts = c => (c.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = e => {
    for (; e; e = e.parentElement) {
      const c = parts(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
  };
  const poor = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let seen = 0;
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement, s = getComputedStyle(e);
    if (!walk.currentNode.textContent.trim() || e.closest("script, noscript, style")) continue;
    seen += 1;
    const a = light(parts(e.closest("svg") ? s.fill : s.color)), b = light(ground(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push([e.textContent.slice(0, 40), ratio]);
  }
  return [seen, poor];
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast(opened: Callable[..., Opened], theme: str) -> None:
    it = opened(color_scheme=theme)
    it.draw_everything()
    seen, poor = it.ask(CONTRAST)
    assert seen > 200
    assert poor == []


def test_without_javascript_the_words_and_the_tables_remain(opened: Callable[..., Opened]) -> None:
    it = opened(java_script_enabled=False)
    text = it.page.inner_text("body")
    assert "61 of 256 relu neurons are dead" in text
    assert "The figures need JavaScript" in text
    assert not re.search("Dark theme", text)
    it.page.click("#layer-0 summary")
    assert it.page.is_visible("#layer-0 table")
