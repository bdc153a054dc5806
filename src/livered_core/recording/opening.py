"""What somebody points at, opened as a recording."""

from __future__ import annotations

from pathlib import Path

from livered_core.recording.base import Recording
from livered_core.recording.files import find_files
from livered_core.recording.nexus import open_recorded_nexus
from livered_core.recording.nexus_file import is_hdf5


def open_recording(path: Path) -> Recording:
    """Open a recording of whatever kind.

    Parameters
    ----------
    path
        An ``.adara`` file, with those in which it was continued, a folder of the server's files, or an SNS event
        NeXus file of any name.

    Raises
    ------
    ConfigError
        When there is nothing that can be read.
    BackendUnavailable
        For a NeXus file where h5py is not installed.
    """
    # By what is in it: files of both kinds are given other names.
    if is_hdf5(path):
        return open_recorded_nexus(path)
    return find_files(path)
