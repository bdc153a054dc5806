"""A recorded run of the small instrument, for tests that try plugins."""

from __future__ import annotations

from pathlib import Path

from livered_core.testing.named import find_plugin
from livered_core.testing.real_chunks import SimulatedRecording
from livered_core.testing.trial_configuration import private_places, trial_configuration

SETTINGS = ("simulate.run_length=2", "simulate.rate=20000", 'simulate.title="A recorded run"')


def write_recording(folder: Path, *settings: str) -> Path:
    """Write what the simulated beamline sends as one .adara file."""
    with private_places(folder / "private"):
        loaded = trial_configuration(
            find_plugin("trial_plugins:Counts"), folder, settings=(*SETTINGS, *settings)
        ).loaded
        path = folder / "recorded.adara"
        path.write_bytes(b"".join(bytes(block.data) for block in SimulatedRecording(loaded).blocks()))
    return path
