from __future__ import annotations

import attrs

from livered_core.engine.hanging import Hanging
from livered_core.sources.base import Connection, SourceStatus

SOURCE = SourceStatus(
    "there", Connection.CONNECTED, "", None, False, 0, None, 0, 1, {}, turns=1, patience_s=10.0
)


def test_what_was_asked_to_stop_hangs_when_it_does_not_turn_for_longer_than_it_may():
    hanging = Hanging()
    turned = attrs.evolve(SOURCE, turns=2)
    seen = [
        hanging.waited_s(source, now_s, asked_to_stop=asked)
        for source, now_s, asked in [
            (SOURCE, 0.0, False),
            (SOURCE, 50.0, False),
            (SOURCE, 60.0, True),
            (SOURCE, 61.0, True),
            (turned, 62.0, True),
            (turned, 72.0, True),
            (turned, 72.5, True),
        ]
    ]
    assert seen == [None, None, None, 11.0, None, None, 10.5]


def test_where_nobody_can_say_how_long_it_may_take_nothing_hangs():
    hanging = Hanging()
    source = attrs.evolve(SOURCE, patience_s=None)
    assert [hanging.waited_s(source, now_s, asked_to_stop=True) for now_s in (0.0, 1e6)] == [None, None]
