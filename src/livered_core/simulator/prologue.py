"""What a simulated server says before data: everything that somebody who has just come must know."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import numpy as np

from livered_core.adara import (
    BankSet,
    BeamlineInfo,
    BeamMonitorConfig,
    DetectorBankSets,
    Geometry,
    MonitorConfig,
    Packet,
    PixelMappingAlt,
    RunDetails,
    RunInfoPacket,
    RunStatus,
    RunStatusCode,
    StorageFormat,
    Sync,
    encode,
    redated,
    run_info_xml,
)
from livered_core.simulator.beamline import Beamline
from livered_core.simulator.schedule import Era

_FACILITY = "SNS"
_MODE_SHIFT = 12
_NUMBER_MASK = (1 << _MODE_SHIFT) - 1
_MONITOR_BIN_US = 1
_MOST_BANKS_OF_A_SET = 1000


@attrs.frozen
class FileNumber:
    """Which file of a run the server writes; it begins a new one when a run is paused or goes on.

    Source: ``newFile``, ``pause`` and ``resume`` in ``sms/StorageContainer.cc`` of the ADARA repository.

    Attributes
    ----------
    mode
        Counted up with each pause and each end of one, from 1.
    number
        Within the mode, from 1; stays while the run is paused.
    pause
        Counts the files of a pause, from 1; 0 outside.
    """

    mode: int = 1
    number: int = 1
    pause: int = 0

    @property
    def paused(self) -> bool:
        """Whether it is a file of a pause."""
        return self.pause > 0

    def next(self) -> FileNumber:
        """Return the file that follows when this one is full."""
        if self.paused:
            return attrs.evolve(self, pause=self.pause + 1)
        return attrs.evolve(self, number=self.number + 1)

    def next_mode(self) -> FileNumber:
        """Return the file that follows when the run is paused, or goes on."""
        return FileNumber(self.mode + 1, 1, 0 if self.paused else 1)


def run_status(era: Era, code: RunStatusCode, time_ns: int, file: FileNumber | None) -> RunStatus:
    """Say how a run stands.

    Parameters
    ----------
    era
        The run, or none.
    code
        What is said.
    time_ns
        When.
    file
        The file of the run; None for a snapshot, which is in no file.
    """
    return RunStatus(
        time_ns=time_ns,
        run_number=era.run_number,
        run_start_ns=era.start_ns if era.run_number else 0,
        status=code,
        file_number=file.mode << _MODE_SHIFT | file.number & _NUMBER_MASK if file else 0,
        paused=file is not None and file.paused,
        pause_file_number=file.pause if file else 0,
    )


def edge(status: RunStatus) -> bytes:
    """Encode how a file begins: synchronisation, and what begins with it."""
    return encode(Sync(time_ns=status.time_ns, file_offset=0)) + encode(status)


class Prologue:
    """Describes a beamline.

    Parameters
    ----------
    beamline
        From `build_beamline`.
    start_ns
        Start of the stream, nanoseconds UTC since the Unix epoch.
    """

    def __init__(self, beamline: Beamline, start_ns: int) -> None:
        self._beamline = beamline
        self._start_ns = start_ns
        # Encoding it takes long, and it comes with every file.
        self._pixel_map = encode(_pixel_map(beamline, start_ns))

    def descriptions(
        self, era: Era, now_ns: int, scan: int, markers: Mapping[str, Packet]
    ) -> dict[str, bytes]:
        """Encode the state, by name, without the run status, in the order in which the facility's server has it.

        Parameters
        ----------
        era
            The run, or gap.
        now_ns
            Nanoseconds UTC since the Unix epoch.
        scan
            Number of the scan that goes on; 0 for none.
        markers
            Annotations on what goes on, by name.
        """
        packets: dict[str, Packet] = dict(self._beamline.environment.state(now_ns, self._start_ns, scan))
        packets.update(markers)
        packets.update(_beamline_and_run(self._beamline, era, now_ns))
        state = {name: encode(packet) for name, packet in packets.items()}
        state["pixel map"] = redated(self._pixel_map, now_ns)
        state["monitors"] = encode(_monitors(self._beamline, now_ns))
        state["bank sets"] = encode(_bank_sets(self._beamline, now_ns))
        return state


def _beamline_and_run(beamline: Beamline, era: Era, now_ns: int) -> dict[str, Packet]:
    config = beamline.config
    packets: dict[str, Packet] = {
        "beamline info": BeamlineInfo(
            time_ns=now_ns,
            beamline_id=config.beamline,
            short_name=beamline.instrument,
            long_name=beamline.definition.name,
        )
    }
    if era.run_number:
        details = RunDetails(
            run_number=era.run_number,
            proposal_id=config.proposal,
            title=config.title,
            instrument=beamline.instrument,
            facility=_FACILITY,
            sample=_sample(beamline),
        )
        packets["run info"] = RunInfoPacket(time_ns=now_ns, xml=run_info_xml(details))
    packets["geometry"] = Geometry(time_ns=now_ns, xml=beamline.definition.xml)
    return packets


def _sample(beamline: Beamline) -> dict[str, str]:
    fields = {"name": beamline.config.sample_name}
    if beamline.total is not None and beamline.total.formula:
        # Without it nobody can tell S(Q) from what was counted.
        fields["chemical_formula"] = beamline.total.formula
    return fields


def _pixel_map(beamline: Beamline, now_ns: int) -> PixelMappingAlt:
    """Map each pixel to itself: the simulated electronics count as the instrument does."""
    tables = beamline.tables
    sizes = np.diff(tables.bank_start)
    bank_id = np.repeat(np.arange(1, len(sizes) + 1, dtype=np.uint32), sizes)
    return PixelMappingAlt(
        time_ns=now_ns,
        physical_id=tables.pixel_id,
        logical_id=tables.pixel_id,
        bank_id=bank_id,
        n_banks=len(sizes),
    )


def _monitors(beamline: Beamline, now_ns: int) -> BeamMonitorConfig:
    return BeamMonitorConfig(
        time_ns=now_ns,
        monitors=tuple(
            MonitorConfig(
                monitor_id=int(number),
                tof_offset_us=0,
                tof_max_us=int(np.ceil(beamline.config.tof_max_us)),
                tof_bin_us=_MONITOR_BIN_US,
                distance=0.0,
                format=int(StorageFormat.EVENTS),
            )
            for number in beamline.monitors.monitor_id
        ),
    )


def _bank_sets(beamline: Beamline, now_ns: int) -> DetectorBankSets:
    n_banks = min(len(beamline.tables.bank_start) - 1, _MOST_BANKS_OF_A_SET)
    all_banks = BankSet(
        name="all",
        flags=int(StorageFormat.EVENTS),
        bank_ids=tuple(range(1, n_banks + 1)),
        tof_offset_us=0,
        tof_max_us=int(np.ceil(beamline.config.tof_max_us)),
        tof_bin_us=_MONITOR_BIN_US,
    )
    return DetectorBankSets(time_ns=now_ns, sets=(all_banks,))
