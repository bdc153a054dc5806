from __future__ import annotations

import attrs
import pytest

from livered_core.config.simulate import SAMPLES, SimulateConfig


def test_every_setting_says_what_it_is():
    for field in attrs.fields(SimulateConfig):
        assert field.metadata["help"], field.name
        assert "unit" in field.metadata, field.name


def test_the_defaults_play_one_minute_of_diamond():
    config = SimulateConfig()
    assert (config.sample, config.run_length, config.n_runs, config.speed) == ("diamond", 60.0, 1, 1.0)
    assert (config.tof_min_us, config.tof_max_us) == (300.0, 16_667.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sample", ""),
        ("rate", -1.0),
        ("rate", float("nan")),
        ("rate", float("inf")),
        ("rate", 1e12),
        ("run_length", 0.0),
        ("run_length", float("inf")),
        ("gap", -0.1),
        ("n_runs", -1),
        ("run_number", 0),
        ("run_number", 2**32),
        ("speed", -1.0),
        ("seed", -1),
        ("tof_min_us", 0.0),
        ("tof_min_us", 20_000.0),
        ("tof_max_us", 300.0),
        ("tof_max_us", float("nan")),
    ],
)
def test_what_makes_no_sense_is_refused(name: str, value: object):
    with pytest.raises(ValueError, match=r"sample|rate|run_|gap|n_runs|speed|seed|tof_"):
        SimulateConfig(**{name: value})


def test_every_sample_is_accepted():
    assert [SimulateConfig(sample=name).sample for name in SAMPLES] == list(SAMPLES)


def test_runs_without_end_cannot_be_played_as_fast_as_possible():
    with pytest.raises(ValueError, match="speed must be above 0 for runs without end"):
        SimulateConfig(n_runs=0, speed=0.0)
    assert SimulateConfig(n_runs=0).n_runs == 0
