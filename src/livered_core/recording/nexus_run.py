"""What an SNS event NeXus file says of a run as a whole: its description, and its pulses."""

from __future__ import annotations

import re
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.adara import CHARGE_UNIT_PC, PulseFlag, RunDetails
from livered_core.recording.nexus_events import Bank, find_banks
from livered_core.recording.nexus_file import NexusFile
from livered_core.recording.nexus_pulses import PulseList, unite
from livered_core.recording.nexus_times import has_begin, iso_ns, read_times

I64 = npt.NDArray[np.int64]

_MOST_CHARGE_PC: Final = CHARGE_UNIT_PC * 0xFFFF_FFFF
_FLAGS: Final = (1 << 20) - 1
_FIELD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_LONGEST_FIELD: Final = 10_000
_MOST_PULSES: Final = 50_000_000


@attrs.frozen(eq=False)
class NexusRun:
    """A run as it is in a file.

    Attributes
    ----------
    entry
        Its group.
    details
        Number, title, proposal and sample.
    start_ns, end_ns
        As the file says them; 0 for an end that is not said.
    geometry
        Text of the instrument definition; empty when the file holds none.
    beamline
        Id, short name and long name; texts that are not there are empty.
    banks, monitors
        Ordered by number.
    pulses
        Those of all banks, monitors and charges.
    bank_places, monitor_places
        For each of them, int64[n]: which of its pulses each pulse is; -1 where it has none.
    charge_pc
        int64[n], multiples of 10.
    flags
        int64[n], bits of `PulseFlag`.
    """

    entry: Any
    details: RunDetails
    start_ns: int
    end_ns: int
    geometry: str
    beamline: tuple[str, str, str]
    banks: list[Bank]
    monitors: list[Bank]
    pulses: PulseList
    bank_places: list[I64]
    monitor_places: list[I64]
    charge_pc: I64
    flags: I64


def read_run(file: NexusFile) -> NexusRun:
    """Read all but events and logs.

    Raises
    ------
    ConfigError
        When there is no entry with events, there are several, or something in it is damaged.
    """
    entry = _entry(file)
    start_ns = _moment(file, entry, "start_time")
    charge_times, charges = _charges(file, entry, start_ns or 0)
    found = find_banks(file, entry, start_ns or 0, charge_times)
    banks = [bank for bank in found if not bank.is_monitor]
    monitors = [bank for bank in found if bank.is_monitor]
    flag_times, flags = _flags(file, entry, start_ns or 0)
    clocks = {id(clock): clock for clock in (charge_times, *(bank.clock for bank in found))}
    if sum(map(len, clocks.values())) > _MOST_PULSES:
        raise file.error(f"has lists of more than {_MOST_PULSES} pulses: they do not fit into memory")
    pulses = unite(list(clocks.values()))
    if not len(pulses.time_ns):
        raise file.error("holds no pulses: there is nothing to read")
    place_of = dict(zip(clocks, pulses.places, strict=True))
    charge_at = place_of[id(charge_times)]
    number = _run_number(file, entry)
    return NexusRun(
        entry=entry,
        details=_details(file, entry, number),
        start_ns=int(pulses.time_ns[0]) if start_ns is None else start_ns,
        end_ns=_moment(file, entry, "end_time") or 0,
        geometry=file.text(entry, "instrument/instrument_xml/data"),
        beamline=_beamline(file, entry),
        banks=banks,
        monitors=monitors,
        pulses=pulses,
        bank_places=[place_of[id(bank.clock)] for bank in banks],
        monitor_places=[place_of[id(monitor.clock)] for monitor in monitors],
        charge_pc=np.where(charge_at >= 0, np.append(charges, 0)[charge_at], 0),
        flags=_flags_of(pulses, flag_times, flags)
        | np.where(pulses.repeated, int(PulseFlag.DUPLICATE_PULSE), 0),
    )


def _entry(file: NexusFile) -> Any:
    entries: dict[int, Any] = {}
    for name in file.names(file.root):
        if name.startswith("entry") or name == "raw_data_1":
            group = file.child(file.root, name)
            if file.is_group(group) and any(
                each.endswith("_events") and file.is_group(file.child(group, each))
                for each in file.names(group)
            ):
                entries[file.address(group)] = group
    if not entries:
        raise file.error(
            "has no entry with events of banks (/entry/bank1_events and so on): it is no event file"
        )
    if len(entries) > 1:
        names = ", ".join(group.name for group in list(entries.values())[:8])
        raise file.error(f"holds several runs or states of one run ({names}): give a file of one")
    return next(iter(entries.values()))


def _moment(file: NexusFile, entry: Any, name: str) -> int | None:
    text = file.text(entry, name)
    if not text:
        return None
    try:
        return iso_ns(text)
    except ValueError as error:
        raise file.error(f"has {text[:40]!r} as {name}, which is not a time") from error


def _run_number(file: NexusFile, entry: Any) -> int:
    for name in ("run_number", "entry_identifier"):
        text = file.text(entry, name).strip()
        if text.isascii() and text.isdigit() and 0 < int(text[:20]) < 1 << 32:
            return int(text[:20])
    raise file.error(
        "has no run number above 0 (run_number, entry_identifier), and runs are told apart by it"
    )


def _details(file: NexusFile, entry: Any, number: int) -> RunDetails:
    sample = {}
    group = file.child(entry, "sample")
    for name in file.names(group) if file.is_group(group) else []:
        field = file.child(group, name)
        if _FIELD.fullmatch(name) and not file.is_group(field) and getattr(field, "size", None) == 1:
            text = file.text(group, name)[:_LONGEST_FIELD]
            if text:
                sample[name] = text
    return RunDetails(
        run_number=number,
        proposal_id=file.text(entry, "experiment_identifier")[:_LONGEST_FIELD],
        title=file.text(entry, "title")[:_LONGEST_FIELD],
        proposal_title=file.text(entry, "experiment_title")[:_LONGEST_FIELD],
        instrument=_beamline(file, entry)[1],
        facility=_facility(file, entry),
        sample=sample,
    )


def _facility(file: NexusFile, entry: Any) -> str:
    source = file.child(entry, "instrument/SNS/name")
    return "" if source is None else file.attribute(source, "short_name")[:_LONGEST_FIELD]


def _beamline(file: NexusFile, entry: Any) -> tuple[str, str, str]:
    """Id, short name and long name; cut to what the stream can say of them."""
    name = file.child(entry, "instrument/name")
    long_name = file.text(entry, "instrument/name")
    short_name = (file.attribute(name, "short_name") if name is not None else "") or long_name
    texts = (file.text(entry, "instrument/beamline"), short_name, long_name)
    beamline_id, short, long = (text.encode()[:255].decode(errors="ignore") for text in texts)
    return beamline_id, short, long


def _charges(file: NexusFile, entry: Any, start_ns: int) -> tuple[I64, I64]:
    """Read the charge of each pulse; without charges, pulses that only have a time.

    Returns
    -------
    tuple of ndarray
        int64[p] each: times, and picocoulomb in multiples of 10.
    """
    times = file.dataset(entry, "DASlogs/proton_charge/time")
    if times is None:
        times = file.dataset(entry, "DASlogs/frequency/time")
    if times is None:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    clock = read_times(file, times, start_ns)
    values = file.dataset(entry, "DASlogs/proton_charge/value")
    if values is None:
        return clock, np.zeros(len(clock), np.int64)
    charges = file.numbers(values).reshape(-1).astype(np.float64)
    unit = file.attribute(values, "units").strip().lower()
    if len(charges) != len(clock):
        raise file.error(f"has {len(charges)} proton charges and {len(clock)} times of them: it is damaged")
    if not (unit in ("", "pc") or unit.startswith("pico")):
        raise file.error(f"has proton charges in {unit!r}, and not in picocoulomb")
    if not ((charges >= 0) & (charges <= _MOST_CHARGE_PC)).all():
        raise file.error("has a proton charge that is negative, no number, or above 0.04 C")
    return clock, _in_units(charges)


def _in_units(charges: npt.NDArray[np.float64]) -> I64:
    """Round to the unit of the stream; what is left over is carried on, so that sums stay right."""
    units = charges / CHARGE_UNIT_PC
    whole = np.rint(units)
    if not np.array_equal(whole, units):
        whole = np.diff(np.rint(np.cumsum(units)), prepend=0.0)
    return whole.astype(np.int64) * CHARGE_UNIT_PC


def _flags(file: NexusFile, entry: Any, start_ns: int) -> tuple[I64, I64]:
    """Read which pulses are flagged: times and bits."""
    times, bits = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    flag_times = file.dataset(entry, "DASlogs/pulse_flags/time")
    flag_values = file.dataset(entry, "DASlogs/pulse_flags/value", "iu")
    if flag_times is not None and flag_values is not None:
        if flag_times.size != flag_values.size:
            raise file.error(
                f"has {flag_values.size} pulse_flags and {flag_times.size} times of them: it is damaged"
            )
        times.append(read_times(file, flag_times, start_ns))
        bits.append(file.numbers(flag_values).reshape(-1).astype(np.int64) & _FLAGS)
    vetoed = file.dataset(entry, "DASlogs/Veto_pulse/veto_pulse_time")
    # Before ADARA, a single 0 that counts from nothing stood for no veto at all.
    if vetoed is not None and (vetoed.size > 1 or has_begin(file, vetoed)):
        times.append(read_times(file, vetoed, start_ns))
        bits.append(np.full(len(times[-1]), int(PulseFlag.PULSE_VETO), np.int64))
    return np.concatenate(times), np.concatenate(bits)


def _flags_of(pulses: PulseList, times: I64, bits: I64) -> I64:
    """Give flags to the pulses of their times; of pulses of the same time all get them."""
    flags = np.zeros(len(pulses.time_ns), np.int64)
    if len(times):
        distinct, which = np.unique(pulses.time_ns, return_inverse=True)
        near = np.searchsorted(distinct, times).clip(0, len(distinct) - 1)
        before = (near - 1).clip(0)
        near = np.where(np.abs(distinct[before] - times) < np.abs(distinct[near] - times), before, near)
        of_time = np.zeros(len(distinct), np.int64)
        np.bitwise_or.at(of_time, near, bits)
        flags = of_time[which]
    return flags
