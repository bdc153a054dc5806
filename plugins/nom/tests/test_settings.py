from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import pytest

from livered_core import Instrument
from livered_nom.banks import bank_edges, bank_grouping
from livered_nom.settings import NomSettings
from livered_nom.settings_total import TotalScatteringSettings

ONE_BANK = TotalScatteringSettings(bank_q_min=(0.0,), bank_q_max=(0.0,))


def test_the_banks_hold_every_pixel_once(instrument: Instrument) -> None:
    group = bank_grouping(NomSettings(), instrument).group
    # Eight-packs of 1024 pixels per bank.
    assert (np.bincount(group) / 1024).tolist() == [14, 23, 14, 12, 18, 18]


def test_pixels_of_no_bank_are_masked(instrument: Instrument) -> None:
    one = NomSettings(
        bank_labels=("all",),
        bank_first=(5,),
        bank_last=(9,),
        d_min=(1.0,),
        d_max=(2.0,),
        total_scattering=ONE_BANK,
    )
    grouping = bank_grouping(one, instrument)
    assert grouping.pixel_id[grouping.group == 0].tolist() == [5, 6, 7, 8, 9]
    assert set(grouping.group.tolist()) == {-1, 0}


def test_the_bins_are_those_of_the_settings() -> None:
    edges = bank_edges(NomSettings())
    assert edges.shape == (6, 6001)
    assert edges[:, 0].tolist() == [0.30, 0.15, 0.10, 0.10, 0.10, 0.50]
    assert edges[:, -1].tolist() == [8.0, 3.8, 2.5, 2.0, 1.6, 8.0]


def test_every_setting_is_explained() -> None:
    for field in attrs.fields(NomSettings):
        assert field.metadata["help"]
        assert isinstance(field.metadata["unit"], str)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"d_min": (0.3,)}, "d_min has 1 values and there are 6 bank_labels"),
        ({"bank_last": (1, 2)}, "bank_last has 2 values"),
        ({"d_max": (8.0, 3.8, 2.5, 2.0, 0.1, 8.0)}, r"d_min \(0.1\) must be below d_max \(0.1\) in bank 5"),
        ({"d_min": (0.3, 0.15, 0.1, -0.1, 0.1, 0.5)}, "must be above 0 for every bank, not -0.1"),
        ({"d_max": (8.0, 3.8, 2.5, 2.0, 1.6, float("inf"))}, "must be above 0 for every bank, not inf"),
        ({"bank_first": (0, 14000, 37888, 52224, 64512, 82944)}, "pixel 14000 into both bank 1"),
        ({"bank_first": (0, 40000, 37888, 52224, 64512, 82944)}, r"bank_first \(40000\) must not be above"),
        ({"bank_first": (-1, 14336, 37888, 52224, 64512, 82944)}, "must be pixel ids, 0 or more, not -1"),
        ({"bank_labels": ("a", "a", "b", "c", "d", "e")}, "must name each bank, each name once"),
        ({"bank_labels": ("a", " ", "b", "c", "d", "e")}, "must name each bank, each name once"),
        ({"n_bins": 0}, "must be between 1 and 1000000, not 0"),
        ({"n_bins": 10}, r"references.smoothing_cutoff \(20\) must not be above n_bins \(10\)"),
        ({"tof_min_us": -1.0}, "must be 0 or more"),
        ({"threads": -1}, "must be 0 or more, not -1"),
        ({"tof_min_us": 20_000.0}, r"tof_min_us \(20000.0\) must be below tof_max_us \(16667.0\)"),
        ({"calibrant": "graphite"}, 'must be "diamond"'),
    ],
)
def test_wrong_settings_are_said(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        NomSettings(**changes)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"q_max": 30.0}, r"level_q_max \(40.0\) must not be above q_max \(30.0\)"),
        ({"statistics_q_max": 60.0}, r"statistics_q_max \(60.0\) must not be above q_max"),
        ({"number_density": 0.05}, "number_density has no effect without fourier_cutoff"),
        ({"r_step": 0.003, "q_step": 0.005}, "which takes too long at each update"),
    ],
)
def test_total_scattering_that_cannot_work_is_refused(values: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TotalScatteringSettings(**values)
