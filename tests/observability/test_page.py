"""The page in a real browser: Chromium from Debian, driven by Playwright."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from mainstream_runner.board import SinkState
from mainstream_runner.page.server import PageOptions, serve_page

TOKEN = "correct-horse-battery-staple"  # noqa: S105 - a test's
MARKUP = "<img src=x onerror=\"document.title='broken in'\">"
PATIENCE = 30_000
"""Milliseconds after which something that should be seen is taken not to come."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program, "apt-get install chromium"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def served(board: Any) -> Iterator[str]:
    with serve_page(board, PageOptions(address="127.0.0.1:0"), warn=lambda _message: None) as url:
        yield url


@pytest.fixture
def opened(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open an address in a window of its own; errors in the console fail the test."""
    contexts, problems = [], []

    def open_page(url: str, *, width: int = 1280, height: int = 900) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console", lambda message: problems.append(message.text) if "Content Security" in message.text else None
        )
        page.goto(url)
        return page

    expect.set_options(timeout=PATIENCE)
    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


def test_the_box_at_a_glance(board: Any, served: str, opened: Callable[..., Page]) -> None:
    """State, cost, streams with pictures, the tree; nothing is asked of any other host."""
    hosts = set()
    page = opened("about:blank")
    page.on("request", lambda request: hosts.add(request.url.split("/")[2] if request.url.startswith("http") else ""))
    page.goto(served)
    expect(page.get_by_role("heading", name="north")).to_be_visible()
    expect(page.locator("#status")).to_have_text("Running")
    expect(page.locator("#cost-text")).to_contain_text("31.0 % planned, 33.0 % measured")
    card = page.locator("article.card")
    expect(card).to_contain_text("320 \u00d7 180 · 15 fps")
    image = card.locator("img")
    expect(image).to_be_visible()
    page.wait_for_function("document.querySelector('.card img').naturalWidth === 320")
    tree = page.locator("#stems")
    expect(tree).to_contain_text("input → conv_pw_6")
    expect(tree).to_contain_text("conv_pw_6 → conv_pw_9")
    expect(tree.locator(".leaf", has_text="car")).to_contain_text("13.5 of 15 fps")
    expect(tree.locator(".leaf", has_text="car")).to_contain_text("7 dropped: TooLate")
    assert hosts - {""} == {served.split("/")[2]}
    assert board.pictures >= 1


def test_branches_hang_where_they_leave_the_stem(served: str, opened: Callable[..., Page]) -> None:
    """The bus app's branch is below the segments that the car app does not need."""
    page = opened(served)
    expect(page.locator("#stems > article > ul > li > ul > .leaf .name")).to_contain_text("car")
    expect(page.locator("#stems > article > ul > li > ul > li > ul > .leaf .name")).to_contain_text("bus")


def test_events_appear_as_they_happen(board: Any, served: str, opened: Callable[..., Page]) -> None:
    """Started, then over: in the list, the timeline and the stream's card, without loading the page again."""
    page = opened(served)
    expect(page.locator("#no-events")).to_be_visible()
    board.happen()
    expect(page.locator("#events li")).to_contain_text("goes on")
    expect(page.locator(".track span.open")).to_have_count(1)
    expect(page.locator(".card .last")).to_contain_text("car")
    board.happen(ended=True, seconds=11.5)
    expect(page.locator("#events li")).to_contain_text("1.5 s")
    expect(page.locator(".track span.open")).to_have_count(0)
    expect(page.locator("#events li")).to_have_count(1)


def test_what_went_wrong_is_said(board: Any, served: str, opened: Callable[..., Page]) -> None:
    """A camera that is away, a wrong rate, a refused schedule, a sink that is not connected."""
    page = opened(served)
    expect(page.locator("#status")).to_have_text("Running")
    board.refusal = "app traffic/car: blob is missing"
    state = replace(board.states[0], phase="Stalled", message="no frame for 12 s", rate_to_write="25")
    board.states = [state]
    board.sink_states = [
        SinkState(app="traffic/car", sink="mqtt://broker:1883 car", connected=False, message="refused")
    ]
    expect(page.locator("#status")).to_have_text("Running; new schedule refused")
    expect(page.locator("#notes")).to_contain_text("blob is missing")
    expect(page.locator("article.card")).to_contain_text("Stalled")
    expect(page.locator("article.card")).to_contain_text('write captureFps: "25"')
    expect(page.locator("#sinks")).to_contain_text("mqtt://broker:1883 car")
    expect(page.locator("#sinks")).to_contain_text("not connected")


def test_a_new_schedule_is_shown(board: Any, served: str, opened: Callable[..., Page], scheduled: Any) -> None:
    """Apps come and go while the page is open."""
    page = opened(served)
    expect(page.locator(".leaf")).to_have_count(2)
    board.plan = scheduled(("traffic/car", 2, 15), ("traffic/van", 3, 5), ("traffic/bus", 3, 5))
    expect(page.locator(".leaf")).to_have_count(3)
    expect(page.locator("#timeline")).to_contain_text("van")


def test_a_lost_connection_is_said_and_found_again(board: Any, opened: Callable[..., Page]) -> None:
    """The runner restarts on the same port; the page notices both, and shows the new run's events only."""
    with serve_page(board, PageOptions(address="127.0.0.1:0"), warn=lambda _message: None) as url:
        page = opened(url)
        board.happen()
        expect(page.locator("#events li")).to_have_count(1)
    expect(page.locator("#status")).to_contain_text("Connection lost")
    again = type(board)()
    again.started = lambda: board.started().replace(hour=11)
    address = url.split("/")[2]
    with serve_page(again, PageOptions(address=address), warn=lambda _message: None):
        expect(page.locator("#status")).to_have_text("Running")
        expect(page.locator("#events li")).to_have_count(0)
        again.happen(label="lorry")
        expect(page.locator("#events li")).to_contain_text("lorry")


def test_what_comes_from_outside_is_text(board: Any, served: str, opened: Callable[..., Page]) -> None:
    """A label or a message that is markup is shown as it was written."""
    page = opened(served)
    board.states = [replace(board.states[0], phase="Stalled", message=MARKUP)]
    board.refusal = MARKUP
    board.happen(label=MARKUP)
    expect(page.locator("#events li")).to_contain_text("<img src=x")
    expect(page.locator("article.card")).to_contain_text("<img src=x")
    expect(page.locator("#notes")).to_contain_text("<img src=x")
    assert page.locator("img[src=x]").count() == 0
    assert "broken in" not in page.title()


def test_a_token_opens_the_page(board: Any, opened: Callable[..., Page], tmp_path: Path) -> None:
    """The form says when it is the wrong one; the right one shows the box."""
    (tmp_path / "token").write_text(TOKEN)
    options = PageOptions(address="127.0.0.1:0", token=tmp_path / "token")
    with serve_page(board, options, warn=lambda _message: None) as url:
        page = opened(url)
        page.get_by_label("Token").fill("not the token")
        page.get_by_role("button", name="Look").click()
        expect(page.get_by_role("alert")).to_have_text("This is not the token.")
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Look").click()
        expect(page.get_by_role("heading", name="north")).to_be_visible()
        expect(page.locator("article.card img")).to_be_visible()
        assert TOKEN not in page.url


@pytest.mark.parametrize("width", [360, 390, 768, 1280])
def test_nothing_is_wider_than_the_window(board: Any, served: str, opened: Callable[..., Page], width: int) -> None:
    """From a phone to a desk, with long names too."""
    board.states = [replace(board.states[0], source="rtsp://" + "long." * 60 + "example/stream")]
    board.sink_states = [SinkState(app="traffic/" + "car" * 20, sink="mqtt://" + "b" * 90, connected=True)]
    page = opened(served, width=width, height=844)
    board.happen(label="a-label-without-a-place-to-break-" * 4)
    expect(page.locator("#events li")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
