"""The corpus of hostile bytes: what no server should send, and what a client must survive all the same."""

from __future__ import annotations

from livered_core.testing.hostile_bytes import byte_cases
from livered_core.testing.hostile_case import HostileCase
from livered_core.testing.hostile_counts import count_cases
from livered_core.testing.hostile_documents import document_cases
from livered_core.testing.hostile_pulses import pulse_cases
from livered_core.testing.hostile_stories import story_cases


def hostile_cases() -> tuple[HostileCase, ...]:
    """List all cases.

    Returns
    -------
    tuple of HostileCase
        With names of their own; none of the bytes are made before they are asked for.
    """
    return (*byte_cases(), *count_cases(), *pulse_cases(), *document_cases(), *story_cases())
