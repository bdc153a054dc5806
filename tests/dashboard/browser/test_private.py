"""Nothing leaves this machine, and from another one nobody comes in without the token."""

from __future__ import annotations

import pytest

from browser_page import dashboard, part, wait_for_state, wait_for_version
from browser_support import watched_page
from livered_support import private_environment
from written_engine import written_engine

TOKEN = "a-token-of-thirty-two-characters"


@pytest.fixture
def engine(tmp_path):
    """An engine with a result."""
    with written_engine(tmp_path) as engine:
        engine.begin_run(7, "the first")
        engine.publish(scale=1.0)
        yield engine


def test_only_who_knows_the_token_sees_the_page(engine, tmp_path, browser):
    file = tmp_path / "token"
    file.touch(mode=0o600)
    file.write_text(f"{TOKEN}\n")
    arguments = ("--host", "0.0.0.0", "--token-file", file)
    with dashboard(tmp_path, private_environment(tmp_path), *arguments) as shown:
        origin = f"http://127.0.0.1:{shown.port}"
        with watched_page(browser, origin) as watched:
            watched.allow("the server responded with a status of 401")
            page = watched.page
            page.goto(origin)
            page.get_by_label("Token").fill("a-token-that-is-something-else-x")
            page.keyboard.press("Enter")
            page.get_by_text("wrong").or_(page.get_by_text("not the token")).first.wait_for()
            assert part(page, "state").count() == 0
            page.get_by_label("Token").fill(TOKEN)
            page.keyboard.press("Enter")
            wait_for_state(page, "live")
            wait_for_version(page, engine.version)
            engine.publish(scale=2.0)
            wait_for_version(page, engine.version)
            assert not [url for url in (*watched.requests, page.url) if TOKEN in url]
            assert page.evaluate("document.cookie") == ""
            page.reload()
            wait_for_version(page, engine.version)
        with watched_page(browser, origin) as other:
            other.allow("the server responded with a status of 401")
            assert other.page.goto(f"{origin}/api/instruments/TST/latest").status == 401
        assert TOKEN not in shown.text


def test_a_page_that_asked_elsewhere_would_not_pass(engine, tmp_path, browser):
    with dashboard(tmp_path, private_environment(tmp_path)) as shown:
        with pytest.raises(AssertionError) as caught, watched_page(browser, shown.origin) as watched:
            watched.page.goto(shown.url)
            watched.page.evaluate("fetch('http://192.0.2.1/').catch(() => null)")
            watched.page.wait_for_function("() => policyViolations.length > 0")
        assert "connect-src http://192.0.2.1/" in str(caught.value)
        # Beside the policy of the page, the browser finds no other machine.
        with pytest.raises(AssertionError) as caught, watched_page(browser, shown.origin) as watched:
            watched.page.goto("about:blank")
            watched.page.evaluate("fetch('http://example.org/').catch(() => null)")
        assert "asked http://example.org/" in str(caught.value)
        assert "ERR_NAME_NOT_RESOLVED" in str(caught.value)
