from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core.config.validators import parse_address


@pytest.mark.parametrize("host", ["foo..bar", "a" * 64, f"ok.{'a' * 64}.org", "x.."])
def test_names_that_no_resolver_takes_are_refused(host):
    with pytest.raises(ValueError, match="parts between the dots have 1 to 63 characters"):
        parse_address(f"{host}:1")


@pytest.mark.parametrize("host", ["localhost", "a" * 63, "sms.sns.gov", "x.", "127.0.0.1"])
def test_names_of_hosts(host):
    assert parse_address(f"{host}:31415") == (host, 31415)


@given(st.text("aZ9.-_", max_size=80) | st.lists(st.text("a9-", max_size=70), max_size=5).map(".".join))
def test_what_is_accepted_can_be_asked_for(host):
    try:
        accepted, _ = parse_address(f"{host}:1")
    except ValueError:
        return
    accepted.encode("idna")
