"""What tests of livered, of its plugins and of other clients of ADARA can use. Nothing of it is imported at run time."""

from livered_core.testing.hostile import hostile_cases
from livered_core.testing.hostile_case import HOSTILE_TIME_NS, Containment, HostileCase

__all__ = ["HOSTILE_TIME_NS", "Containment", "HostileCase", "hostile_cases"]
