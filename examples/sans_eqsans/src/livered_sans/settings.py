"""What can be configured: the table ``[plugins.eqsans]``."""

import attrs
import numpy as np
from attrs.validators import ge, gt


@attrs.frozen
class SansSettings:
    """The table ``[plugins.eqsans]``."""

    detector_z: float = attrs.field(
        default=5000.0,
        validator=gt(0),
        metadata={"help": "sample to detector, until the log detectorZ comes", "unit": "mm"},
    )
    sample_to_moderator: float = attrs.field(
        default=14122.0,
        validator=gt(0),
        metadata={"help": "moderator to sample, until the log sampToMod comes", "unit": "mm"},
    )
    wavelength_min: float = attrs.field(
        default=1.9,
        validator=gt(0),
        metadata={"help": "wavelength with which the frame begins", "unit": "Angstrom"},
    )
    wavelength_max: float = attrs.field(
        default=5.3,
        metadata={"help": "wavelength with which it ends; what is beyond is left out", "unit": "Angstrom"},
    )
    frequency: float = attrs.field(
        default=60.0,
        validator=gt(0),
        metadata={"help": "pulses a second that the choppers let through", "unit": "Hz"},
    )
    bands: int = attrs.field(
        default=3,
        validator=ge(1),
        metadata={"help": "parts of the band that get curves of their own", "unit": ""},
    )
    beam_x: float = attrs.field(
        default=0.0, metadata={"help": "where the beam meets the detector, from its middle", "unit": "m"}
    )
    beam_y: float = attrs.field(
        default=0.0, metadata={"help": "where the beam meets the detector, from its middle", "unit": "m"}
    )
    beam_stop: float = attrs.field(
        default=0.035,
        validator=ge(0),
        metadata={"help": "radius around the beam that is left out", "unit": "m"},
    )
    dead_banks: tuple[str, ...] = attrs.field(
        default=(), metadata={"help": "banks that do not count, such as bank15: they are left out"}
    )
    q_min: float = attrs.field(
        default=0.01, validator=gt(0), metadata={"help": "smallest momentum transfer", "unit": "1/Angstrom"}
    )
    q_max: float = attrs.field(
        default=0.4, metadata={"help": "largest momentum transfer", "unit": "1/Angstrom"}
    )
    q_step: float = attrs.field(
        default=0.002, validator=gt(0), metadata={"help": "width of the bins", "unit": "1/Angstrom"}
    )

    def __attrs_post_init__(self) -> None:
        for name in ("wavelength", "q"):
            low, high = getattr(self, f"{name}_min"), getattr(self, f"{name}_max")
            if high <= low:
                message = f"{name}_max must be above {name}_min ({low:g}) and is {high:g}"
                raise ValueError(message)

    @property
    def logs(self) -> dict[str, float]:
        """What stands for the logs by which the instrument definition moves, where there are none."""
        return {"detectorZ": self.detector_z, "sampToMod": self.sample_to_moderator}

    @property
    def q_edges(self) -> np.ndarray:
        """Edges of the bins in momentum transfer, 1/Angstrom."""
        return np.linspace(self.q_min, self.q_max, 1 + max(1, round((self.q_max - self.q_min) / self.q_step)))

    @property
    def slices(self) -> np.ndarray:
        """Edges of the slices of the wavelength band, Angstrom: as many in each of the bands."""
        return np.linspace(
            self.wavelength_min, self.wavelength_max, 1 + self.bands * max(1, 48 // self.bands)
        )

    @property
    def frame_us(self) -> float:
        """Time between two pulses, microseconds."""
        return 1e6 / self.frequency
