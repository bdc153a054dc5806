"""SNS event NeXus files as recordings: the stream that a server would have sent of the run.

What is not in the file is not in the stream: the pixel map, the energy of the protons, the accelerator's cycle and
its reasons for vetoes, the sources of banks. What maps to what is said in
``docs/decisions/2026-11-25-nexus-files-as-recordings.md``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs

from livered_core.adara import (
    BeamlineInfo,
    Geometry,
    RunInfoPacket,
    RunStatus,
    RunStatusCode,
    Sync,
    encode,
    run_info_xml,
)
from livered_core.errors import DataModelError
from livered_core.recording.base import BLOCK_SIZE, Block
from livered_core.recording.nexus_events import windows
from livered_core.recording.nexus_file import NexusFile, open_nexus
from livered_core.recording.nexus_logs import Timeline, read_annotations, read_logs
from livered_core.recording.nexus_packets import MOST_MONITORS, PulseWriter, each_pulse
from livered_core.recording.nexus_run import NexusRun, read_run


@attrs.frozen
class NexusRecording:
    """A recording that is an SNS event NeXus file, of one run.

    Attributes
    ----------
    name
        For people.
    path
        The file.
    size
        Its pulses.
    """

    name: str
    path: Path
    size: int

    def blocks(self, block_size: int = BLOCK_SIZE) -> Iterator[Block]:
        """Make the stream of it, in the order of time; holds some millions of events in memory.

        Parameters
        ----------
        block_size
            Most bytes of a block.

        Yields
        ------
        Block
            The first one opens a connection; positions are pulses.

        Raises
        ------
        ConfigError
            When the file cannot be read any more, or something in it cannot be said in a stream.
        BackendUnavailable
            Where h5py is not installed.
        """
        with open_nexus(self.path) as file:
            run = read_run(file)
            if len(run.pulses.time_ns) != self.size:
                raise file.error("has changed since it was opened: begin again")
            pending, size, position, opens = list[bytes](), 0, 0, True
            for data, position in _packets(file, run):
                pending.append(data)
                size += len(data)
                if size >= block_size:
                    yield from _cut(b"".join(pending), block_size, position, opens)
                    pending, size, opens = [], 0, False
            yield from _cut(b"".join(pending), block_size, position, opens)


def open_recorded_nexus(path: Path) -> NexusRecording:
    """Open an SNS event NeXus file, and look through the indices of its events.

    Raises
    ------
    ConfigError
        When it is not such a file, or is damaged; where the values of its events are, that shows when they are read.
    BackendUnavailable
        Where h5py is not installed.
    """
    with open_nexus(path) as file:
        run = read_run(file)
        for bank in (*run.banks, *run.monitors):
            bank.check(file)
        for monitor in run.monitors:
            if monitor.number >= MOST_MONITORS:
                raise file.error(
                    f"has a monitor of number {monitor.number}: in a stream it is below {MOST_MONITORS}"
                )
        return NexusRecording(str(path), path, len(run.pulses.time_ns))


def _cut(data: bytes, block_size: int, position: int, opens: bool) -> Iterator[Block]:
    view = memoryview(data)
    for begin in range(0, len(view), block_size):
        yield Block(view[begin : begin + block_size], position, opens and begin == 0)


def _packets(file: NexusFile, run: NexusRun) -> Iterator[tuple[bytes, int]]:
    """Yield bytes of whole packets, with the number of pulses up to them."""
    timeline = Timeline(
        read_logs(file, run.entry, run.start_ns), read_annotations(file, run.entry, run.start_ns)
    )
    times = run.pulses.time_ns
    done = 0
    try:
        for packet in _prologue(run, timeline):
            yield packet, done
        monitors = each_pulse(windows(file, run.monitors, run.monitor_places, len(times)))
        writer = PulseWriter(run)
        for pulse, window in each_pulse(windows(file, run.banks, run.bank_places, len(times))):
            _, monitor_window = next(monitors)
            for packet in timeline.until(int(times[pulse])):
                yield packet, done
            done = pulse + 1
            yield writer.write(pulse, window, monitor_window), done
        for packet in timeline.until(None):
            yield packet, done
        yield _status(run, RunStatusCode.END_RUN, max(run.end_ns, int(times[-1]))), done
    except DataModelError as error:
        raise file.error(f"holds what a stream cannot say: {str(error).rstrip('.')}") from error


def _prologue(run: NexusRun, timeline: Timeline) -> Iterator[bytes]:
    start_ns = run.start_ns
    yield encode(Sync(time_ns=start_ns, file_offset=0, comment="Made of a NeXus file by livered."))
    yield _status(run, RunStatusCode.NEW_RUN, start_ns)
    yield encode(RunInfoPacket(time_ns=start_ns, xml=run_info_xml(run.details)))
    if run.geometry:
        yield encode(Geometry(time_ns=start_ns, xml=run.geometry))
    beamline_id, short_name, long_name = run.beamline
    yield encode(
        BeamlineInfo(time_ns=start_ns, beamline_id=beamline_id, short_name=short_name, long_name=long_name)
    )
    yield from timeline.descriptors(start_ns)
    yield from timeline.until(int(run.pulses.time_ns[0]))


def _status(run: NexusRun, status: RunStatusCode, time_ns: int) -> bytes:
    return encode(
        RunStatus(
            time_ns=time_ns,
            run_number=run.details.run_number,
            run_start_ns=run.start_ns,
            status=status,
            file_number=1,
        )
    )
