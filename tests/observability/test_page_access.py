"""Who may look at the page: every address of it, asked over HTTP without and with what it wants."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest

from mainstream.errors import InputError
from mainstream_runner.page.access import SESSION_SECONDS, Access, Asked, Token, networks
from mainstream_runner.page.server import PageOptions, serve_page

TOKEN = "correct-horse-battery-staple"  # noqa: S105 - a test's
PRIVATE = ("/", "/api/state", "/api/events", "/api/feed", "/api/streams/gate/picture")
Page = Callable[..., AbstractContextManager[str]]


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    return path


@pytest.fixture
def page(board: Any) -> Page:
    @contextmanager
    def serve(address: str = "127.0.0.1:0", **options: Any) -> Iterator[str]:
        with serve_page(board, PageOptions(address=address, **options), warn=lambda _message: None) as url:
            yield url.rstrip("/")

    return serve


def status(url: str, **options: Any) -> int:
    with httpx.Client() as client, client.stream("GET", url, **options) as answer:
        return answer.status_code


def test_on_this_machine_no_token_is_asked_for(page: Page) -> None:
    """Everything is shown to who asks this machine by its name."""
    with page() as url:
        assert [status(url + path) for path in PRIVATE] == [200] * len(PRIVATE)
        assert httpx.get(f"{url}/api/streams/gate/picture").content.startswith(b"\xff\xd8")


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
    ],
)
def test_other_sites_cannot_ask_through_a_browser(page: Page, headers: dict[str, str]) -> None:
    """A name that was pointed here, a page elsewhere that embeds or fetches."""
    with page() as url:
        assert [status(url + path, headers=headers) for path in PRIVATE] == [403] * len(PRIVATE)


WRONG: list[dict[str, Any]] = [
    {},
    {"headers": {"Authorization": "Bearer wrong-horse-battery-staple"}},
    {"headers": {"Authorization": f"Basic {TOKEN}"}},
    {"headers": {"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1"}},
    {"params": {"token": TOKEN, "width": "320", "after": "0"}},
    {"cookies": {"mainstream-session": TOKEN}},
    {"cookies": {"mainstream-session": "1777888800." + "0" * 64}},
]


@pytest.mark.parametrize("wrong", WRONG)
def test_without_the_token_nothing_is_shown(page: Page, token_file: Path, wrong: dict[str, Any]) -> None:
    """Not with another one, not in the address, not by a forged header or cookie; the answer holds nothing of the box."""
    with page("0.0.0.0:0", token=token_file) as url:
        for path in PRIVATE:
            answer = httpx.get(url + path, **wrong)
            assert answer.status_code == 401
            assert "north" not in answer.text
            assert "traffic" not in answer.text


def test_with_the_token_all_is_shown(page: Page, token_file: Path) -> None:
    """As programs give it."""
    with page("0.0.0.0:0", token=token_file) as url:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert [status(url + path, headers=headers) for path in PRIVATE] == [200] * len(PRIVATE)


def test_logging_in_gives_a_session_and_never_the_token(page: Page, token_file: Path) -> None:
    """A cookie that scripts cannot read and other sites cannot send; logging out ends it."""
    with page("0.0.0.0:0", token=token_file) as url, httpx.Client() as client:
        assert client.post(f"{url}/login", data={"token": "wrong"}).status_code == 401
        answer = client.post(f"{url}/login", data={"token": TOKEN})
        assert answer.status_code == 303
        cookie = answer.headers["set-cookie"]
        assert TOKEN not in cookie
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        assert client.get(f"{url}/api/state").status_code == 200
        client.post(f"{url}/logout")
        assert client.get(f"{url}/api/state").status_code == 401


def test_a_changed_token_ends_all_sessions(page: Page, token_file: Path) -> None:
    """A Secret is exchanged while the runner runs; while the file is away, nobody is let in."""
    with page("0.0.0.0:0", token=token_file) as url, httpx.Client() as client:
        client.post(f"{url}/login", data={"token": TOKEN})
        partial = token_file.with_name("new")
        partial.write_text("another-correct-horse")
        partial.replace(token_file)
        assert client.get(f"{url}/api/state").status_code == 401
        assert client.post(f"{url}/login", data={"token": "another-correct-horse"}).status_code == 303
        assert client.get(f"{url}/api/state").status_code == 200
        token_file.unlink()
        assert client.get(f"{url}/api/state").status_code == 401


def test_a_trusted_proxy_is_let_in_and_nobody_else(page: Page) -> None:
    """By the address that the connection comes from."""
    with page("0.0.0.0:0", proxies=("127.0.0.0/8",)) as url:
        proxied = {"Host": "cameras.example", "Origin": "https://cameras.example"}
        assert [status(url + path, headers=proxied) for path in PRIVATE] == [200] * len(PRIVATE)
    with page("0.0.0.0:0", proxies=("10.0.0.1",)) as url:
        forged = {"X-Forwarded-For": "10.0.0.1", "X-Real-IP": "10.0.0.1"}
        assert [status(url + path, headers=forged) for path in PRIVATE] == [403, 401, 401, 401, 401]


def test_every_answer_forbids_what_the_page_does_not_need(page: Page) -> None:
    """No foreign scripts, no frames, no copies in caches."""
    with page() as url:
        for path in (*PRIVATE[:3], "/assets/page.js", "/nowhere"):
            headers = httpx.get(url + path).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["cache-control"] == "no-store"
            assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/assets/index.html", 404),
        ("/assets/..%2Faccess.py", 404),
        ("/api/streams/nowhere/picture", 404),
        ("/api/streams/gate/picture?width=wide", 400),
        ("/api/streams/gate/picture?width=999999999", 400),
        ("/api/events?after=-1", 400),
        ("/api/events?after=" + "9" * 40, 400),
    ],
)
def test_wrong_requests_are_answered(page: Page, path: str, code: int) -> None:
    """With a sentence, never with a trace."""
    with page() as url:
        answer = httpx.get(url + path)
        assert answer.status_code == code
        assert answer.json()["error"]


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "cannot be read"), ("short", "16"), ("with a space inside it", "16"), ("ü" * 20, "16")],
)
def test_a_token_that_protects_nothing_is_refused(page: Page, tmp_path: Path, content: str | None, words: str) -> None:
    """Before the page is served, with what to do."""
    path = tmp_path / "token"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=words) as caught, page("0.0.0.0:0", token=path):
        pass
    assert "short" not in str(caught.value).replace(str(path), "")


def test_beyond_this_machine_somebody_must_be_named(page: Page) -> None:
    """No token, no proxy: refused."""
    with pytest.raises(InputError, match="--web-token"), page("0.0.0.0:0"):
        pass
    with pytest.raises(InputError, match=r"10\.1\.0\.0/16"), page("0.0.0.0:0", proxies=("proxy.example",)):
        pass


def access(**options: Any) -> Access:
    return Access(**({"token": None, "proxies": (), "local_only": True} | options))


def asked(peer: str = "127.0.0.1", cookie: str | None = None, **headers: str) -> Asked:
    return Asked(peer=peer, headers={"host": "localhost:8080", **headers}, cookie=cookie)


def test_sessions_end(token_file: Path) -> None:
    """After a month; one from the future is none."""
    now = [1_000_000.0]
    guard = access(token=Token(token_file), local_only=False, now=lambda: now[0])
    session = guard.session(TOKEN)
    assert guard.allowed(asked(cookie=session))
    now[0] += SESSION_SECONDS + 1
    assert not guard.allowed(asked(cookie=session))
    now[0] -= SESSION_SECONDS + 1000
    assert not guard.allowed(asked(cookie=session))


def test_a_link_from_elsewhere_may_open_the_page() -> None:
    """A navigation shows the page to the person; what it shows cannot be read from elsewhere."""
    guard = access()
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert not guard.foreign(Asked(peer="127.0.0.1", headers={"host": "localhost", **headers}, cookie=None))


def test_proxies_of_both_families() -> None:
    """IPv4 that comes in by an IPv6 socket is the same address."""
    guard = access(proxies=networks(("10.1.0.0/16", "fd00::/8")), local_only=False)
    assert guard.allowed(asked(peer="::ffff:10.1.2.3"))
    assert guard.allowed(asked(peer="fd00::7"))
    assert not guard.allowed(asked(peer="10.2.0.1"))
    assert not guard.allowed(asked(peer=""))
    assert networks(("10.1.0.0/16",)) == (ip_network("10.1.0.0/16"),)


def test_guessing_is_slow_and_bounded() -> None:
    """Answers to wrong tokens queue up; when too many wait, the next one is turned away at once."""

    async def guess() -> list[bool]:
        guard = access()
        return await asyncio.gather(*(guard.delay() for _ in range(12)))

    answers = asyncio.run(guess())
    assert answers.count(True) == 8
    assert answers[8:] == [False] * 4
