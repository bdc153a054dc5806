from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core.adara import EPICS_EPOCH_S, StartRequest, epics_time, unix_ns
from livered_core.errors import DataModelError


def test_the_epoch_is_new_year_1990():
    assert datetime(1990, 1, 1, tzinfo=timezone.utc).timestamp() == EPICS_EPOCH_S
    assert unix_ns(0) == 631_152_000_000_000_000
    assert unix_ns(728504567, 761741666) == 1_359_656_567_761_741_666


@given(st.integers(0, 2**32 - 1), st.integers(0, 999_999_999))
def test_there_and_back(seconds, nanoseconds):
    assert epics_time(unix_ns(seconds, nanoseconds)) == (seconds, nanoseconds)


@pytest.mark.parametrize("time_ns", [0, -1, unix_ns(0) - 1, unix_ns(2**32)])
def test_a_time_the_stream_cannot_say_is_an_error(time_ns):
    with pytest.raises(DataModelError, match="cannot be written in an ADARA packet"):
        epics_time(time_ns)


def test_start_requests():
    now, start, later = (
        StartRequest.now(),
        StartRequest.start_of_run(),
        StartRequest.at(unix_ns(700_000_000, 999)),
    )

    assert (now.wire_value, now.is_now, now.is_start_of_run, now.time_ns) == (0, True, False, None)
    assert (start.wire_value, start.is_now, start.is_start_of_run, start.time_ns) == (1, False, True, None)
    assert (later.is_now, later.is_start_of_run, later.time_ns) == (False, False, unix_ns(700_000_000))


def test_a_request_for_the_first_second_of_1990_is_not_taken_for_now():
    assert StartRequest.at(unix_ns(0)).time_ns == unix_ns(2)
