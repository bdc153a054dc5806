"""The page under a name of the network: browsers tell less of themselves than at an address of this machine."""

from __future__ import annotations

import pytest

from browser_page import dashboard, wait_for_state
from browser_support import ARGUMENTS, find_chromium, why_no_browser
from livered_support import private_environment
from written_engine import written_engine

TOKEN = "a-token-of-thirty-two-characters"
NAME = "nomad-analysis.test"


@pytest.mark.skipif(why_no_browser() != "", reason=why_no_browser())
def test_the_token_is_taken_under_a_name_of_the_network(tmp_path):
    from playwright.sync_api import sync_playwright

    file = tmp_path / "token"
    file.touch(mode=0o600)
    file.write_text(f"{TOKEN}\n")
    # No name is looked up but this one, which leads here.
    resolver = f"--host-resolver-rules=MAP {NAME} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    arguments = [resolver, *(argument for argument in ARGUMENTS if "resolver" not in argument)]
    options = ("--host", "0.0.0.0", "--token-file", file, "--allow-host", NAME)
    with (
        written_engine(tmp_path) as engine,
        dashboard(tmp_path, private_environment(tmp_path), *options) as shown,
        sync_playwright() as playwright,
    ):
        engine.begin_run(7, "the first")
        engine.publish(scale=1.0)
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=arguments)
        page = browser.new_page()
        page.goto(f"http://{NAME}:{shown.port}/")
        page.get_by_label("Token").fill(TOKEN)
        page.keyboard.press("Enter")
        wait_for_state(page, "live")
        browser.close()
