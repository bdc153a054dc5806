"""Times and lengths of time in the words of a sentence."""

from __future__ import annotations

from livered_core.model.utc import format_utc


def span(seconds: float) -> str:
    """Write a length of time for people: ``0.8 s``, ``3 min``, ``2 h 10 min``, ``3 days``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1440} days"


def clock_time(time_ns: int, now_ns: int) -> str:
    """Write a time for people: without the date where it is that of `now_ns`."""
    if not time_ns:
        return "an unknown time"
    date, _, clock = format_utc(time_ns).removesuffix("Z").partition("T")
    today = format_utc(now_ns).partition("T")[0]
    return f"{clock} UTC" if date == today else f"{date} {clock} UTC"
