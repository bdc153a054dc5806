"""A simulated beamline: what is read and worked out before the first packet."""

from __future__ import annotations

import attrs

from livered_core.config.simulate import SimulateConfig
from livered_core.diffraction.calibration import fit_calibration, read_calibration
from livered_core.errors import ConfigError, DataModelError, GeometryError
from livered_core.geometry import difc, read_instrument, wanted_logs
from livered_core.model import InstrumentDefinition
from livered_core.simulator.distribution import Scattering
from livered_core.simulator.environment import SampleEnvironment
from livered_core.simulator.monitors import MonitorTables, make_monitor_tables
from livered_core.simulator.sample import load_powder
from livered_core.simulator.structure_file import read_total_structure
from livered_core.simulator.tables import EventTables, Frame, make_tables
from livered_core.simulator.total_structure import TotalStructure, total_structure_factor
from livered_core.simulator.truth import truth_of


@attrs.frozen(eq=False)
class Beamline:
    """Everything that is worked out before the first packet.

    Attributes
    ----------
    config
        What to play.
    instrument
        Short name in the stream.
    definition
        Instrument definition, as it goes into the stream.
    tables, monitors
        From what events are drawn.
    environment
        Slow variables.
    total
        The truth about a sample that scatters by its total S(Q); None for Bragg peaks on a background.
    """

    config: SimulateConfig
    instrument: str
    definition: InstrumentDefinition
    tables: EventTables
    monitors: MonitorTables
    environment: SampleEnvironment
    total: TotalStructure | None = None


def build_beamline(config: SimulateConfig, instrument: str) -> Beamline:
    """Read what the configuration names and work out the tables.

    Parameters
    ----------
    config
        What to play.
    instrument
        Short name in the stream, as in ``--instrument``.

    Raises
    ------
    ConfigError
        When the instrument definition, the calibration or the sample cannot be used.
    BackendUnavailable
        When NCrystal for the sample, or h5py for a calibration, is not installed.
    """
    if config.idf is None:
        message = (
            "simulate.idf: the simulated beamline needs an instrument definition; set it, or give --idf FILE."
        )
        raise ConfigError(message)
    try:
        definition = InstrumentDefinition(instrument, config.idf.read_text(encoding="utf-8-sig"))
        geometry = read_instrument(definition)
    except OSError as error:
        message = f"simulate.idf: {config.idf} cannot be read ({error.strerror}); correct the path."
        raise ConfigError(message) from error
    except UnicodeDecodeError as error:
        message = f"simulate.idf: {config.idf} is not UTF-8 text; give an instrument definition (XML)."
        raise ConfigError(message) from error
    except GeometryError as error:
        message = f"simulate.idf: {config.idf}: {error}"
        raise ConfigError(message) from error

    calibration = None
    if config.calibration is not None:
        try:
            calibration = read_calibration(config.calibration)
        except DataModelError as error:
            message = f"simulate.calibration: {error}"
            raise ConfigError(message) from error
        if problem := fit_calibration(calibration, geometry).problem:
            message = f"simulate.calibration: {problem}"
            raise ConfigError(message)

    truth = truth_of(geometry.pixel_id, difc(geometry), calibration)
    total = _total_structure(config)
    scattering = Scattering(load_powder(config.sample) if total is None else total)
    frame = Frame(config.tof_min_us, config.tof_max_us)
    return Beamline(
        config=config,
        instrument=instrument,
        definition=attrs.evolve(definition, name=geometry.name),
        tables=make_tables(geometry, truth, scattering, frame),
        monitors=make_monitor_tables(geometry, scattering.spectrum, frame),
        environment=SampleEnvironment(
            sample=config.sample_name, ramp=config.ramp, wanted=wanted_logs(definition)
        ),
        total=total,
    )


def _total_structure(config: SimulateConfig) -> TotalStructure | None:
    if config.s_of_q is not None:
        return read_total_structure(config.s_of_q, config.composition)
    return total_structure_factor(config.sample) if config.total_scattering else None
