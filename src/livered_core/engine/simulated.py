"""The simulated beamline of a session."""

from __future__ import annotations

import threading
from pathlib import Path

import attrs

from livered_core.config import Config, SimulateConfig
from livered_core.engine.setup import LoadedConfiguration
from livered_core.simulator.process import SimulatorProcess, start_simulator


def simulated_beamline(
    loaded: LoadedConfiguration, config: Config, cancel: threading.Event
) -> SimulatorProcess:
    """Start a beamline that waits for us, and whose truth is the calibration that the instrument's plugin uses.

    Parameters
    ----------
    loaded
        For the settings of the instrument's plugin.
    config
        What the session runs with.
    cancel
        Gives up the start when it is set.

    Raises
    ------
    StartCancelled
        When `cancel` was set.
    ConfigError
        When it cannot do what is configured.
    LiveredError
        When it cannot be started.
    """
    simulate = attrs.evolve(played(loaded, config), hold_for_client=True)
    return start_simulator(simulate, config.instrument, cancel=cancel)


def played(loaded: LoadedConfiguration, config: Config) -> SimulateConfig:
    """Say what is played: the truth is the calibration that the instrument's plugin uses, unless another is named.

    Parameters
    ----------
    loaded, config
        As of `simulated_beamline`.
    """
    simulate = config.simulate
    calibration = getattr(loaded.instrument_settings, "calibration", None)
    if simulate.calibration is None and isinstance(calibration, Path):
        simulate = attrs.evolve(simulate, calibration=calibration)
    return simulate
