"""What the table ``[plugins.nom.references]`` may hold: the other runs that a reduction needs."""

from __future__ import annotations

from pathlib import Path

import attrs

from livered_nom.checks import about, is_above_zero, is_not_negative

RUN_FIELD = "{run}"


def _is_run_file(_settings: object, _attribute: object, value: Path | None) -> None:
    if value is not None and RUN_FIELD not in str(value):
        message = f"must hold {RUN_FIELD}, where the number of the run goes, not {str(value)!r}"
        raise ValueError(message)


@attrs.frozen
class ReferenceSettings:
    """Vanadium, its background and the container.

    Attributes
    ----------
    vanadium, vanadium_background, container
        Files of these runs: NeXus event files, recordings by livered, or already reduced files. None where the
        characterisation says which, or where there is none.
    characterization
        The facility's text file that says which runs belong to which chopper settings; None for none.
    run_files
        Pattern of the files of runs that the characterisation names, with ``{run}`` for the number and shell
        wildcards; None for none.
    container_scale
        The container's intensity is multiplied by this before it is subtracted.
    strip_vanadium_peaks
        Whether the Bragg peaks of vanadium are taken out.
    smoothing_cutoff, smoothing_order
        Of the Butterworth filter that smooths the vanadium, as Mantid's FFTSmooth counts them.
    correct_rod
        Whether the vanadium is corrected for the rod's absorption and multiple scattering.
    rod_radius_cm
        Radius of the vanadium rod, centimetres.
    cache
        Whether what was made of a reference is kept on disk.
    wait_at_end
        How long the last update of a live run waits for references that are still being prepared, seconds.
    """

    vanadium: Path | None = attrs.field(
        default=None,
        metadata=about("file of the vanadium run: NeXus events, a recording, or already reduced"),
    )
    vanadium_background: Path | None = attrs.field(
        default=None, metadata=about("file of the run that is subtracted from the vanadium")
    )
    container: Path | None = attrs.field(
        default=None, metadata=about("file of the empty container's run, subtracted from the sample")
    )
    characterization: Path | None = attrs.field(
        default=None,
        metadata=about("characterisation file that names vanadium, its background and the container"),
    )
    run_files: Path | None = attrs.field(
        default=None,
        validator=_is_run_file,
        metadata=about("where the files of runs are, with {run} for the number; wildcards are understood"),
    )
    container_scale: float = attrs.field(
        default=1.0,
        validator=is_not_negative,
        metadata=about("factor of the container before it is subtracted"),
    )
    strip_vanadium_peaks: bool = attrs.field(
        default=True, metadata=about("take the Bragg peaks of vanadium out of the vanadium")
    )
    smoothing_cutoff: int = attrs.field(
        default=20,
        validator=is_above_zero,
        metadata=about("cut-off of the Butterworth filter that smooths the vanadium"),
    )
    smoothing_order: int = attrs.field(
        default=2, validator=is_above_zero, metadata=about("order of that filter")
    )
    correct_rod: bool = attrs.field(
        default=False,
        metadata=about("correct the vanadium for absorption and multiple scattering of its rod"),
    )
    rod_radius_cm: float = attrs.field(
        default=0.2925, validator=is_above_zero, metadata=about("radius of the vanadium rod", "cm")
    )
    cache: bool = attrs.field(
        default=True, metadata=about("keep what was made of these runs on disk, by their content")
    )
    wait_at_end: float = attrs.field(
        default=20.0,
        validator=is_not_negative,
        metadata=about("how long the last update of a live run waits for what is still being prepared", "s"),
    )
