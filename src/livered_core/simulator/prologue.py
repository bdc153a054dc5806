"""What a simulated server says before data: everything that somebody who has just come must know."""

from __future__ import annotations

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

_MONITOR_BIN_US = 1
_MOST_BANKS_OF_A_SET = 1000


def run_status(
    era: Era, code: RunStatusCode, time_ns: int, file_number: int = 1, *, paused: bool = False
) -> RunStatus:
    """Say how a run stands.

    Parameters
    ----------
    era
        The run, or none.
    code
        What is said.
    time_ns
        When.
    file_number
        Of the run, from 1.
    paused
        Whether the run is paused.
    """
    return RunStatus(
        time_ns=time_ns,
        run_number=era.run_number,
        run_start_ns=era.start_ns if era.run_number else 0,
        status=code,
        file_number=file_number if era.run_number else 0,
        paused=paused,
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

    def descriptions(self, era: Era, now_ns: int, scan: int) -> dict[str, bytes]:
        """Encode the state, by name, without the run status: descriptors before values, all before events.

        Parameters
        ----------
        era
            The run, or gap.
        now_ns
            Nanoseconds UTC since the Unix epoch.
        scan
            Number of the scan that goes on; 0 for none.
        """
        packets = _packets(self._beamline, era, now_ns)
        packets.update(self._beamline.environment.state(now_ns, self._start_ns, scan))
        encoded = {name: encode(packet) for name, packet in packets.items()}
        return {"pixel map": redated(self._pixel_map, now_ns), **encoded}


def _packets(beamline: Beamline, era: Era, now_ns: int) -> dict[str, Packet]:
    config = beamline.config
    packets: dict[str, Packet] = {}
    if era.run_number:
        details = RunDetails(
            run_number=era.run_number,
            proposal_id=config.proposal,
            title=config.title,
            instrument=beamline.instrument,
            sample={"name": config.sample},
        )
        packets["run info"] = RunInfoPacket(time_ns=now_ns, xml=run_info_xml(details))
    packets["geometry"] = Geometry(time_ns=now_ns, xml=beamline.definition.xml)
    packets["beamline info"] = BeamlineInfo(
        time_ns=now_ns,
        beamline_id=config.beamline,
        short_name=beamline.instrument,
        long_name=beamline.definition.name,
    )
    packets["monitors"] = _monitors(beamline, now_ns)
    packets["bank sets"] = _bank_sets(beamline, now_ns)
    return packets


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
