"""The playground's page in a real browser: what a person does there, and what they see."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

for package in ("starlette", "uvicorn", "websockets"):
    pytest.importorskip(package, reason="needs the extra playground")
pytest.importorskip("playwright.sync_api", reason="needs a browser to drive")

from playwright.sync_api import Browser, Page, expect  # noqa: E402

import limen  # noqa: E402

PATIENCE = 20_000  # milliseconds: other people may be using this machine, too


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A playground of its own, as `limen playground` starts it."""
    code = "from limen.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "playground", "--no-browser"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    yield process.stdout.readline().split()[-1]
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert errors.strip() == "interrupted"


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The open page; whatever its console says, or its policy forbids, fails the test."""
    page = browser.new_page(viewport={"width": 1360, "height": 1000})
    page.set_default_timeout(PATIENCE)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: (complaints.append("a dialog"), dialog.dismiss()))
    page.goto(address)
    expect(page.locator("#test-accuracy")).to_contain_text("%", timeout=PATIENCE)
    yield page
    page.close()
    assert complaints == []


def percent(page: Page, where: str) -> float:
    return float((page.locator(where).text_content() or "").rstrip(" %"))


def build_is_done(page: Page, text: str) -> None:
    expect(page.locator("#size")).to_contain_text(text, timeout=PATIENCE)


def test_the_token_leaves_the_address(page: Page, address: str) -> None:
    assert "#" in address
    assert page.url == address.partition("#")[0]
    page.reload()
    expect(page.locator("#test-accuracy")).to_contain_text("%", timeout=PATIENCE)


def test_the_door_leads_there(browser: Browser, address: str, tmp_path: Path) -> None:
    from limen.cli.playground import _door

    page = browser.new_page()
    page.goto(_door(tmp_path, address))
    page.wait_for_url(address.partition("#")[0])
    expect(page.locator("#test-accuracy")).to_contain_text("%", timeout=PATIENCE)
    page.close()


def test_a_page_without_a_token_says_what_to_do(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(address.partition("#")[0])
    expect(page.locator("#status")).to_contain_text("it holds a token")
    page.close()


def test_a_formula_is_typed_and_the_curve_changes(page: Page) -> None:
    curve, before = page.locator("#curve"), page.locator("#curve").screenshot()
    page.get_by_label("Formula, or a name of the catalogue").fill("x * sigmoid(2 * x)")
    expect(page.locator("#properties")).to_contain_text("[-0.13923", timeout=PATIENCE)
    expect(page.locator("#properties")).to_contain_text("lipschitz", timeout=PATIENCE)
    assert curve.screenshot() != before
    curve.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    read = re.search(r"f\((.+)\) = (.+), f′ = (.+)", page.locator("#reading").text_content() or "")
    assert read is not None
    x, y, slope = map(float, read.groups())
    f = limen.activation("x * sigmoid(2 * x)")
    np.testing.assert_allclose([y, slope], [f(x), f.derivative()(x)], rtol=1e-3)
    build_is_done(page, "x * sigmoid(2 * x): 114 weights")


def test_an_error_has_its_caret_under_the_column(page: Page) -> None:
    page.get_by_label("Formula, or a name").fill("x * tanh(softplsu(x))")
    expect(page.get_by_role("alert")).to_contain_text("softplus", timeout=PATIENCE)
    lines = (page.locator("#error code").text_content() or "").split("\n")
    assert lines[0] == "x * tanh(softplsu(x))"
    assert lines[0][lines[1].index("^") :].startswith("softplsu")
    expect(page.locator("#formula")).to_have_attribute("aria-invalid", "true")
    pale = re.compile(r"\bstale\b")
    expect(page.locator("#curve")).to_have_class(pale)  # it is that of the function before
    page.locator("#formula").fill("x * tanh(softplus(x))")
    expect(page.locator("#error")).to_be_hidden(timeout=PATIENCE)
    expect(page.locator("#curve")).not_to_have_class(pale)


def test_a_script_is_shown_and_never_run(page: Page) -> None:
    for text in ("<script>alert(1)</script>", "<img src=x onerror=alert(1)>"):
        page.locator("#formula").fill(text)
        expect(page.locator("#error code")).to_contain_text(text, timeout=PATIENCE)
    assert page.locator("#function img, #function script").count() == 0


def test_a_formula_that_takes_minutes_ends_with_a_kind_word(page: Page) -> None:
    page.locator("#formula").fill("sin(" * 98 + "x" + ")" * 98)
    expect(page.get_by_role("alert")).to_contain_text("longer than 12 seconds", timeout=30_000)
    page.locator("#formula").fill("tanh")
    expect(page.locator("#properties")).to_contain_text("(-1.0, 1.0)", timeout=PATIENCE)
    build_is_done(page, "tanh")


def test_training_is_watched(page: Page) -> None:
    before, region = percent(page, "#test-accuracy"), page.locator("#region").screenshot()
    tile = page.get_by_role("button", name="layer 3, neuron 0")
    first = tile.screenshot()
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.locator("#test-accuracy")).to_have_text(
        re.compile(r"^(9[5-9]|100)\.\d %$"), timeout=PATIENCE
    )
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#status")).to_have_text("paused")
    page.wait_for_timeout(300)
    assert percent(page, "#test-accuracy") > before
    assert page.locator("#region").screenshot() != region
    assert tile.screenshot() != first
    epoch = page.locator("#epoch").text_content()
    page.wait_for_timeout(400)
    assert page.locator("#epoch").text_content() == epoch
    page.get_by_role("button", name="One step").click()
    expect(page.locator("#epoch")).not_to_have_text(epoch or "")
    page.get_by_role("button", name="Reset").click()
    expect(page.locator("#epoch")).to_have_text("0")
    assert percent(page, "#test-accuracy") == before  # the seed is the same


def test_a_neuron_is_opened_and_closed(page: Page) -> None:
    tile = page.get_by_role("button", name="layer 1, neuron 3")
    tile.press("Enter")
    expect(page.locator("#neuron-title")).to_have_text("Layer 1, neuron 3")
    expect(page.locator("#neuron-title")).to_be_focused()
    expect(tile).to_have_attribute("aria-pressed", "true")
    facts = page.locator("#neuron-facts")
    expect(facts).to_contain_text("threshold")
    weights = facts.locator("dd").first.text_content()
    page.get_by_role("button", name="One step").click()
    expect(facts.locator("dd").first).not_to_have_text(weights or "")
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#neuron")).to_be_hidden()
    expect(tile).to_be_focused()


def test_a_sample_is_stepped_forward_and_back(page: Page) -> None:
    page.locator("#region").click(position={"x": 120, "y": 120})
    next_one, stage = page.locator("#next"), page.locator("#stage h3")
    expect(stage).to_contain_text("Forward. Layer 0")
    titles = [stage.text_content()]
    for _ in range(10):
        next_one.press("Enter")
        titles.append(stage.text_content())
    assert [t and t.split(".")[0] for t in titles] == [
        *["Forward"] * 5, "Turning point", *["Backward"] * 5
    ]  # fmt: skip
    expect(next_one).to_be_disabled()
    expect(page.locator("#stage")).to_contain_text("dL/dW[·,1]")
    page.get_by_role("button", name="loss: The loss").click()
    rows = page.locator("#stage tbody tr")
    probabilities = [float(rows.nth(k).locator("td").nth(2).text_content() or "") for k in (0, 1)]
    assert sum(probabilities) == pytest.approx(1, abs=1e-4)
    page.get_by_text("All of it, as on paper").click()
    expect(page.locator("#paper pre")).to_contain_text("BACKWARD: the learning flow")


def test_dead_neurons_are_marked(page: Page) -> None:
    page.get_by_label("Optimizer").select_option("sgd")
    page.get_by_label("Learning rate").fill("30")
    page.get_by_role("button", name="Reset").click()
    page.wait_for_timeout(500)
    dead = page.get_by_role("button", name=re.compile("dead: blocked on every"))
    before = dead.count()
    for _ in range(12):
        page.get_by_role("button", name="One step").click()
    expect(dead.nth(before + 2)).to_be_visible(timeout=PATIENCE)
    page.wait_for_timeout(500)
    assert dead.count() == int(page.locator("#dead").text_content() or "")
    dead.first.click()
    expect(page.locator("#neuron-facts")).to_contain_text("no flow comes through")


def test_layers_and_neurons_come_and_go(page: Page) -> None:
    page.get_by_role("button", name="Add a hidden layer").click()
    expect(page.locator("#depth")).to_have_text("3 hidden layers", timeout=PATIENCE)
    page.get_by_role("button", name="Fewer neurons in layer 1").click()
    expect(page.get_by_role("button", name=re.compile("^layer 1, neuron"))).to_have_count(7)
    for _ in range(3):
        page.get_by_role("button", name="Remove the last hidden layer").click()
    expect(page.locator("#depth")).to_have_text("0 hidden layers", timeout=PATIENCE)
    build_is_done(page, "6 weights and biases")


@pytest.mark.parametrize("name", ["circles", "spirals", "xor", "blobs", "digits"])
def test_every_data_set_is_a_choice(page: Page, name: str) -> None:
    page.get_by_role("radio", name="moons").focus()
    for _ in range(["moons", "circles", "spirals", "xor", "blobs", "digits"].index(name)):
        page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name=name)).to_be_checked()
    outputs = 10 if name == "digits" else 2 if name != "blobs" else None
    if outputs:
        tiles = page.get_by_role("button", name=re.compile("^output, neuron"))
        expect(tiles).to_have_count(outputs, timeout=PATIENCE)
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.locator("#epoch")).not_to_have_text("0", timeout=PATIENCE)


def test_both_themes_and_a_phone(page: Page, tmp_path: Path) -> None:
    page.get_by_role("button", name="layer 1, neuron 3").click()
    page.locator("#follow").click()
    expect(page.locator("#stage h3")).to_be_visible()
    grounds = []
    for theme in ("light", "dark"):
        page.locator("#theme").click()
        expect(page.locator("#theme")).to_have_text(f"Theme: {theme}")
        path = tmp_path / f"{theme}.png"
        page.screenshot(path=path, full_page=True)
        from matplotlib.image import imread

        grounds.append(float(imread(path)[2:8, 2:8, :3].mean()))
    assert grounds[0] > 0.9
    assert grounds[1] < 0.15
    page.set_viewport_size({"width": 390, "height": 844})
    for section in ("function", "network", "result", "neuron", "sample"):
        box = page.locator(f"#{section}").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390


def test_everything_to_press_or_fill_in_has_a_name(page: Page) -> None:
    for role in ("button", "textbox", "combobox", "spinbutton", "radio", "img"):
        everything = page.get_by_role(role)
        named = page.get_by_role(role, name=re.compile(r"\S"))
        assert everything.count() == named.count() > 0, role
