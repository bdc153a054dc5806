"""Make the small event file of this package's tests from the real one of run 1466.

::

    python tools/thin_events.py EQSANS_1466_event.nxs tests/silver_behenate.nxs

The first 300 of its 999 pulses with all their events, proton charges and the logs that the plugin reads. Nothing of the
persons, and none of the geometry: that is in the package's instrument definition. The clock of the logs was seven
minutes ahead: here they begin with the run. The real file comes from the system
tests of Mantid (``EQSANS_1466_event.nxs``).
"""

import sys
from pathlib import Path

import h5py
import numpy as np

N_PULSES = 300
LOGS = ("detectorZ", "sampToMod")


def thin(source: Path, target: Path) -> None:
    """Write the small file."""
    with h5py.File(source) as old, h5py.File(target, "w") as new:
        entry = new.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        for name in ("run_number", "title", "start_time"):
            entry[name] = old[f"entry/{name}"][()]
        entry["instrument/name"] = old["entry/instrument/name"][()]
        entry["instrument/beamline"] = old["entry/instrument/beamline"][()]

        time = old["entry/DASlogs/proton_charge/time"]
        charge = old["entry/DASlogs/proton_charge/value"]
        _pack(entry, "DASlogs/proton_charge/time", time[:N_PULSES], dict(time.attrs))
        _pack(entry, "DASlogs/proton_charge/value", charge[:N_PULSES], dict(charge.attrs))
        begin = time.attrs["offset"]
        for name in LOGS:
            for part in ("time", "value"):
                log = old[f"entry/DASlogs/{name}/{part}"]
                _pack(
                    entry,
                    f"DASlogs/{name}/{part}",
                    log[()],
                    {**log.attrs, **({"start": begin} if part == "time" else {})},
                )

        # All banks in one: which bank an event is of follows from its pixel.
        pulses, pixels, tofs = [], [], []
        for number in range(1, 49):
            bank = old[f"entry/bank{number}_events"]
            index = bank["event_index"][()].astype(np.int64)
            if len(index) == 1:
                continue  # the bank is off
            index[index < 0] = len(bank["event_id"])  # pulses without events at the end have -1
            counts = np.diff(np.append(index, len(bank["event_id"])))
            pulses.append(np.repeat(np.arange(len(counts)), counts))
            pixels.append(bank["event_id"][()])
            tofs.append(bank["event_time_offset"][()])
        pulse, pixel, tof = map(np.concatenate, (pulses, pixels, tofs))
        # Within a pulse by time of flight, which packs better.
        order = np.lexsort((tof, pulse))
        order = order[pulse[order] < N_PULSES]
        offsets = np.searchsorted(pulse[order], np.arange(N_PULSES)).astype(np.uint64)
        _pack(entry, "bank1_events/event_id", pixel[order])
        _pack(entry, "bank1_events/event_time_offset", tof[order], {"units": "microsecond"})
        _pack(entry, "bank1_events/event_index", offsets)
        _pack(entry, "bank1_events/event_time_zero", time[:N_PULSES], dict(time.attrs))
        entry["bank1_events/total_counts"] = len(order)
        entry["bank1_events"].attrs["NX_class"] = "NXevent_data"


def _pack(entry: h5py.Group, name: str, values: np.ndarray, attributes: dict | None = None) -> None:
    dataset = entry.create_dataset(name, data=values, compression="gzip", compression_opts=9, shuffle=True)
    dataset.attrs.update(attributes or {})


if __name__ == "__main__":
    thin(Path(sys.argv[1]), Path(sys.argv[2]))
