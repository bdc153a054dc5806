from __future__ import annotations

import pytest

from livered_core.engine.handed_over import HandedOver


def test_what_is_elsewhere_and_in_hand_and_waits_has_not_been_reduced():
    handed = HandedOver()
    assert (handed.reduced(), handed.share(0), handed.share(5)) == (0, 1.0, 0.0)
    for size in (10, 20, 30):
        handed.begin(size)
        handed.end()
    assert (handed.reduced(), handed.reduced(1), handed.reduced(2), handed.reduced(9)) == (60, 30, 10, 0)
    handed.begin(40)
    assert handed.reduced() == 60
    assert handed.share(0) == pytest.approx(0.6)
    assert handed.share(20, n_elsewhere=1) == pytest.approx(30 / 120)
    handed.end()
    assert (handed.reduced(), handed.share(0)) == (100, 1.0)


def test_nothing_but_empty_chunks_is_all_of_it():
    handed = HandedOver()
    handed.begin(0)
    assert handed.share(0) == 1.0
    handed.end()
    assert handed.share(0, n_elsewhere=1) == 1.0
