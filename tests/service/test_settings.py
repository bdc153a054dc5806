"""The table ``[service]``."""

from __future__ import annotations

import pytest

from livered_core.config import Layer, ServiceConfig, merge, parse_layer, structure
from livered_core.errors import ConfigError


def service(text, tmp_path):
    layers = [
        parse_layer(f"[service]\n{text}\n", "c.toml", tmp_path),
        Layer("flags", {"instrument": "NOM"}, tmp_path),
    ]
    return structure(merge(layers), {}, {"HOME": "/home/nom"}, tmp_path).service


@pytest.mark.parametrize(
    ("text", "memory"),
    [
        ("0", ""),
        ("5_000_000", "5000000"),
        ('"8 GB"', "8000000000"),
        ('"50%"', "50%"),
        ('"33.5 %"', "33.5%"),
        ('"33.333%"', "33.33%"),
        ('"100%"', "100%"),
    ],
    ids=["none", "bytes", "size", "share", "odd-share", "share-of-many-digits", "all"],
)
def test_memory_is_written_as_systemd_reads_it(tmp_path, text, memory):
    assert service(f"memory_max = {text}", tmp_path).memory_text == memory


def test_the_defaults_and_the_other_keys(tmp_path):
    assert service("", tmp_path) == ServiceConfig()
    assert ServiceConfig().memory_text == ""
    found = service(
        'working_directory = "w/{instrument}"\nload_credential = ["a:~/x:y", "b.c-d_e:/z"]\nwatchdog = 0',
        tmp_path,
    )
    assert found.working_directory == tmp_path / "w" / "NOM"
    assert found.credentials == (("a", "~/x:y"), ("b.c-d_e", "/z"))
    assert found.watchdog == 0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("watchdog = 5", "service.watchdog (c.toml) must be 30 or more, or 0 for none, not 5."),
        ("watchdog = -1", "service.watchdog (c.toml) must be 30 or more, or 0 for none, not -1."),
        ('memory_max = "lots"', "service.memory_max (c.toml) must be per cent such as"),
        ('memory_max = "120%"', "service.memory_max (c.toml) must be from 1% to 100%"),
        ("cores = -1", "service.cores (c.toml) must be 0 or more"),
        ("cores = 1e9", "service.cores (c.toml) must be 0 or more, and 100000 at most, not 1e+09."),
        (
            "watchdog = 1_000_000",
            "service.watchdog (c.toml) must be 86400 or less, or 0 for none, not 1e+06.",
        ),
        ('load_credential = ["key"]', "service.load_credential (c.toml) must hold texts such as monitor:"),
        (
            'load_credential = ["a/b:/key"]',
            "service.load_credential (c.toml) must hold texts such as monitor:",
        ),
        ('load_credential = ["a:key"]', "service.load_credential (c.toml) must hold texts such as monitor:"),
        ('load_credential = ["a:/k", "a:/l"]', "must name each credential once, and a stands twice"),
        ("colour = 1", "service.colour (c.toml) is not a key"),
    ],
    ids=lambda value: value if "=" in value else "",
)
def test_what_is_wrong_is_said(tmp_path, text, sentence):
    with pytest.raises(ConfigError) as caught:
        service(text, tmp_path)
    assert sentence in str(caught.value)
