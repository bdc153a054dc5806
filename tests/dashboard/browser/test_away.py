"""The page while its dashboard or its computer is away: nobody takes what it shows for what is."""

from __future__ import annotations

import signal
import socket

import pytest

from browser_page import dashboard, part, wait_for_state, wait_for_version
from browser_support import watched_page
from livered_support import private_environment
from written_engine import written_engine

TOKEN = "a-token-of-thirty-two-characters"
EIGHT_HOURS_LATER = "() => { const now = Date.now; Date.now = () => now() + 8 * 3600e3; }"


def test_after_the_computer_has_slept_the_data_are_as_old_as_they_are(tmp_path, browser):
    with written_engine(tmp_path) as engine, dashboard(tmp_path, private_environment(tmp_path)) as shown:
        engine.begin_run(7, "the first")
        engine.publish(scale=1.0)
        with watched_page(browser, shown.origin) as watched:
            page = watched.page
            page.goto(shown.url)
            wait_for_state(page, "live")
            # Nothing comes any more, the clock on the wall goes on, and the ticks have stood still.
            shown.process.send_signal(signal.SIGSTOP)
            page.evaluate(EIGHT_HOURS_LATER)
            wait_for_state(page, "stale")
            page.wait_for_function("() => document.querySelector('#data-age').textContent.startsWith('8 h')")
            shown.process.send_signal(signal.SIGCONT)
            wait_for_state(page, "live")
            page.wait_for_function("() => !document.querySelector('#data-age').textContent.includes('h')")


@pytest.mark.slow
def test_a_dashboard_that_wants_its_token_again_says_so(tmp_path, browser):
    file = tmp_path / "token"
    file.touch(mode=0o600)
    file.write_text(f"{TOKEN}\n")
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    environment, options = private_environment(tmp_path), ("--port", port, "--token-file", file)
    with written_engine(tmp_path) as engine, dashboard(tmp_path, environment, *options) as shown:
        engine.begin_run(7, "the first")
        engine.publish(scale=1.0)
        with watched_page(browser, shown.origin) as watched:
            watched.allow("the server responded with a status of 401")
            watched.allow("ERR_CONNECTION_|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE")
            page = watched.page
            page.goto(shown.origin)
            page.get_by_label("Token").fill(TOKEN)
            page.keyboard.press("Enter")
            wait_for_version(page, engine.version)
            shown.process.kill()
            shown.process.wait()
            with dashboard(tmp_path, environment, *options):
                wait_for_state(page, "stale")
                part(page, "notice-page").get_by_text("wants its token").wait_for()
