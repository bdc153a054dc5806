from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from livered_core import ConfigError
from livered_core.config import Layer, merge, structure
from livered_core.config.reference import with_plugin_tables
from livered_publish_monitor.settings import MonitorSettings, upload_url

CREDENTIALS = Path("monitor.toml")


@pytest.mark.parametrize(
    "template",
    [
        "https://host/plots/{instrument}/{run}/upload_plot_data/",
        "https://host/plots/${instrument}/${run_number}/upload_plot_data/",
    ],
)
def test_both_spellings_of_the_placeholders_give_the_address_in_lower_case(template: str) -> None:
    settings = MonitorSettings(url=template, credentials_file=CREDENTIALS)
    assert upload_url(settings.url, "NOM", 7) == "https://host/plots/nom/7/upload_plot_data/"


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:80", "127.9.9.9", "[::1]:8000"])
def test_http_is_allowed_to_this_machine(host: str) -> None:
    MonitorSettings(url=f"http://{host}/plots/{{instrument}}/{{run}}/", credentials_file=CREDENTIALS)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://monitor.example/plots/nom/{run}/", "https"),
        ("http://127.0.0.1.example/{run}/", "https"),
        ("http://localhost.example/{run}/", "https"),
        ("http://[::2]/{run}/", "https"),
        ("ftp://host/{run}", "https"),
        ("https:///{run}", "not an address"),
        ("https://host:port/{run}", "not an address"),
        ("https://host/a b/{run}", "not an address"),
        ("https://host/{run}?key=hunter2", "not an address"),
        ("https://host/{run}#hunter2", "not an address"),
        ("https://[host/{run}", "not an address"),
        ("https://host/plots/nom/upload_plot_data/", "{run}"),
        ("https://host/{run.__class__}/", "brace"),
        ("https://host/{run}/{proposal}/", "brace"),
        ("https://host/$run/{run}", "dollar"),
        ("https://user:hunter2@host/{run}/", "credentials_file"),
        ("https://{instrument}.example/{run}/", "host"),
    ],
)
def test_a_wrong_address_is_refused_with_what_to_do_and_without_repeating_it(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=r"^url ") as caught:
        MonitorSettings(url=url, credentials_file=CREDENTIALS)
    assert says in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("instrument", ["../nom", "NOM/1", "", "nöm", "NOM\n"])
def test_an_instrument_that_would_bend_the_address_is_refused(instrument: str) -> None:
    with pytest.raises(ValueError, match="instrument name"):
        upload_url("https://host/{instrument}/{run}", instrument, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"timeout": 0.0},
        {"max_points": 3},
        {"min_interval": -1.0},
        {"max_bytes": 5},
        {"max_cells": 0},
        {"layout": 1},
    ],
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MonitorSettings(url="https://host/{run}", credentials_file=CREDENTIALS, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "either credentials_file or systemd_credential"),
        ({"credentials_file": CREDENTIALS, "systemd_credential": "monitor"}, "either"),
        ({"systemd_credential": "../monitor"}, "letters, digits"),
        ({"systemd_credential": ".."}, "letters, digits"),
        (
            {"credentials_file": CREDENTIALS, "key_file": CREDENTIALS},
            "certificate_file where it has a key_file",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        MonitorSettings(url="https://host/{run}", **given)


def test_in_a_configuration_they_are_said_where_they_stand(tmp_path: Path) -> None:
    table = {
        "url": "https://host/{run}",
        "systemd_credential": "monitor",
        "layout": "tabs",
        "key_file": "k.pem",
    }
    layer = Layer("c.toml", {"instrument": "NOM", "plugins": {"publish_monitor": table}}, tmp_path)
    with pytest.raises(
        ConfigError, match=r"plugins\.publish_monitor \(c\.toml\) must have a certificate_file"
    ):
        structure(merge([layer]), {"publish_monitor": MonitorSettings})
    del table["key_file"]
    settings = structure(merge([layer]), {"publish_monitor": MonitorSettings}).plugins["publish_monitor"]
    assert settings.credentials.systemd == "monitor"


def test_the_readme_has_all_settings() -> None:
    path = Path(__file__).parents[1] / "README.md"
    text = path.read_text(encoding="utf-8")
    assert text == with_plugin_tables(text, "publish_monitor", MonitorSettings), (
        "run: python -m livered_core.config.reference --plugin publish_monitor "
        "livered_publish_monitor.settings:MonitorSettings plugins/publish_monitor/README.md"
    )
