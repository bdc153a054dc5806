"""Numbers as people read them."""

from __future__ import annotations

from livered_core.model.charge import UAH_PER_PC


def in_si(number: float) -> str:
    """Write a number with three digits and the letter of its thousands: ``20.1 M``."""
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= factor:
            return f"{number / factor:.3g} {letter}"
    return f"{number:.0f}"


def left_out_words(skipped_chunks: int, skipped_events: int) -> str:
    """Say what plugins left out of a run on purpose, to stand behind the other counts; empty for nothing."""
    if not skipped_chunks:
        return ""
    return f", {skipped_events:,} event{'' if skipped_events == 1 else 's'} left out on purpose"


def in_uah(proton_charge_pc: float) -> str:
    """Write a proton charge, given in picocoulomb, in microampere hours."""
    return f"{proton_charge_pc * UAH_PER_PC:.3f} uAh"
