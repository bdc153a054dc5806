"""What a pixel sees: how long the way of its neutrons is, under which angle they come, and how large it looks."""

import attrs
import numpy as np

from livered_core import Instrument
from livered_core.geometry import wavelength_from_tof

from .settings import SansSettings

WIDTH, HEIGHT = 0.0055, 1.1 / 256  # m: what a pixel covers
X_EDGES, Y_EDGES = np.linspace(-0.55, 0.55, 101), np.linspace(-0.55, 0.55, 65)  # m, of the picture


@attrs.frozen(eq=False)
class Pixels:
    """The pixels of an instrument as it stands, in the order of its ids.

    Attributes
    ----------
    instrument
        Where they are.
    path
        Way from the moderator over the sample to the pixel, m.
    angle
        4 pi sin(theta): momentum transfer times wavelength.
    used
        Which of them are neither behind the beam stop nor in a dead bank.
    cell
        int64[n], which cell of the picture it is in, row by row.
    exposure
        float64[n_slices, n_q], sr: the solid angle that sees each bin of Q in each slice of the wavelength band, over
        the number of slices.
    """

    instrument: Instrument
    path: np.ndarray
    angle: np.ndarray
    used: np.ndarray
    cell: np.ndarray
    exposure: np.ndarray


def look(instrument: Instrument, settings: SansSettings) -> Pixels:
    """Work out what each pixel sees.

    Raises
    ------
    ValueError
        When a dead bank is none of the instrument's, or the wavelength band does not fit between two pulses.
    """
    unknown = sorted(set(settings.dead_banks) - set(instrument.bank_names))
    if unknown:
        first, last = instrument.bank_names[0], instrument.bank_names[-1]
        message = f"dead_banks: {instrument.name} has no {unknown[0]}, but {first} to {last}."
        raise ValueError(message)
    # The beam need not hit the middle of the detector: measure from where it does.
    away = instrument.position - instrument.sample_position - [settings.beam_x, settings.beam_y, 0.0]
    l2, aside = np.linalg.norm(away, axis=1), np.hypot(away[:, 0], away[:, 1])
    path, angle = instrument.l1 + l2, 4 * np.pi * np.sin(np.arctan2(aside, away[:, 2]) / 2)
    longest = settings.wavelength_min + float(wavelength_from_tof(settings.frame_us, path.max()))
    if settings.wavelength_max > longest:
        message = f"wavelength_max: {longest:.3f} Angstrom is the longest that arrives before the next frame begins."
        raise ValueError(message)
    dead = [instrument.bank_names.index(name) for name in settings.dead_banks]
    used = (aside > settings.beam_stop) & ~np.isin(instrument.bank, dead)
    # A tube is as wide from all around it, and shorter from above and below.
    solid_angle = WIDTH * HEIGHT * np.hypot(away[:, 0], away[:, 2]) / l2**3
    middles = (settings.slices[:-1] + settings.slices[1:]) / 2
    n_q, ends = len(settings.q_edges) - 1, (settings.q_min, settings.q_max)
    seen = [np.histogram(angle[used] / middle, n_q, ends, weights=solid_angle[used])[0] for middle in middles]
    column, row = (
        np.searchsorted(edges, instrument.position[:, axis], side="right").clip(1, len(edges) - 1) - 1
        for axis, edges in enumerate((X_EDGES, Y_EDGES))
    )
    cell = row * (len(X_EDGES) - 1) + column
    return Pixels(instrument, path, angle, used, cell, np.array(seen) / len(middles))
