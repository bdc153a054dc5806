from __future__ import annotations

import itertools
from pathlib import Path

import attrs
import numpy as np
import pytest

from livered_core.adara import (
    BankedEvents,
    BeamlineInfo,
    BeamMonitorEvents,
    DeviceDescriptor,
    Geometry,
    Heartbeat,
    PulseFlag,
    Rtdl,
    RunInfoPacket,
    RunStatus,
    RunStatusCode,
    Sync,
    Variable,
    VariableDouble,
    read_device,
    read_run_info,
)
from livered_core.config.simulate import SimulateConfig
from livered_core.errors import ConfigError
from livered_core.simulator.beamline import Beamline, build_beamline
from livered_core.simulator.drawing import NO_BEAM_EVERY, ORDINARY_CHARGE_PC
from livered_core.simulator.emission import Emission
from livered_core.simulator.schedule import length_ns, pulse_offset_ns
from livered_core.simulator.stream import emissions
from simulator_support import packets_of

START = 1_800_000_000 * 10**9


@pytest.fixture(scope="module")
def beamline(config: SimulateConfig) -> Beamline:
    return build_beamline(config, "TNY")


def until_idle(beamline: Beamline, start_ns: int = START, idle: int = 0) -> list[Emission]:
    """Everything up to the idle time, and some of that."""
    stream = emissions(beamline, start_ns)
    played = list(itertools.takewhile(lambda emission: not emission.idle, stream))
    return played + list(itertools.islice(stream, idle))


def packets(played: list[Emission]) -> list:
    return packets_of(b"".join(emission.data for emission in played))


def of(kind: type, found: list) -> list:
    return [packet for packet in found if isinstance(packet, kind)]


def test_runs_begin_and_end_in_order(beamline: Beamline):
    status = of(RunStatus, packets(until_idle(beamline)))
    assert [(packet.status, packet.run_number) for packet in status] == [
        (RunStatusCode.NEW_RUN, 41),
        (RunStatusCode.END_RUN, 41),
        (RunStatusCode.NO_RUN, 0),
        (RunStatusCode.NO_RUN, 0),
        (RunStatusCode.NEW_RUN, 42),
        (RunStatusCode.END_RUN, 42),
        (RunStatusCode.NO_RUN, 0),
    ]
    times = [packet.time_ns for packet in status]
    assert times == sorted(times)
    assert {packet.run_start_ns for packet in status if packet.run_number == 41} == {START}
    assert {packet.run_start_ns for packet in status if packet.run_number == 42} == {START + 2 * 10**9}


def test_without_a_gap_one_run_follows_the_other_at_once(beamline: Beamline):
    no_gap = attrs.evolve(beamline, config=attrs.evolve(beamline.config, gap=0.0))
    status = of(RunStatus, packets(until_idle(no_gap)))
    assert [packet.status for packet in status] == [
        RunStatusCode.NEW_RUN,
        RunStatusCode.END_RUN,
        RunStatusCode.NEW_RUN,
        RunStatusCode.END_RUN,
        RunStatusCode.NO_RUN,
    ]


def test_runs_without_end_go_on(beamline: Beamline):
    endless = attrs.evolve(
        beamline, config=attrs.evolve(beamline.config, n_runs=0, run_length=0.1, gap=0.0, speed=1.0)
    )
    some = list(itertools.islice(emissions(endless, START), 100))
    numbers = {packet.run_number for packet in of(RunStatus, packets(some))}
    assert len(numbers) > 5
    assert length_ns(endless.config) is None


def test_pulses_come_at_sixty_hertz_without_a_slip(beamline: Beamline):
    found = packets(until_idle(beamline))
    times = [packet.time_ns for packet in of(BankedEvents, found)]
    assert len(times) == 120 + 30 + 120
    assert times == [START + k * 10**9 // 60 for k in range(270)]
    assert [packet.time_ns for packet in of(Rtdl, found)] == times
    assert [packet.time_ns for packet in of(BeamMonitorEvents, found)] == times
    assert pulse_offset_ns(60 * 86_400 * 365) == 86_400 * 365 * 10**9
    assert length_ns(beamline.config) == pulse_offset_ns(270)


def test_each_pulse_has_the_rate_and_charge_that_are_asked_for(beamline: Beamline):
    banked = of(BankedEvents, packets(until_idle(beamline)))
    events = np.array([packet.n_events for packet in banked])
    charge = np.array([packet.proton_charge_pc for packet in banked])
    assert events.mean() == pytest.approx(50.0, rel=0.05)
    assert charge.mean() == pytest.approx(ORDINARY_CHARGE_PC, rel=0.01)
    assert charge.std() > 0
    assert np.all(charge % 10 == 0)


def test_one_pulse_in_six_hundred_has_no_beam(beamline: Beamline):
    long = attrs.evolve(beamline, config=attrs.evolve(beamline.config, run_length=21.0, n_runs=1, rate=600.0))
    found = packets(until_idle(long))
    banked = of(BankedEvents, found)
    without = [k for k, packet in enumerate(banked) if packet.proton_charge_pc == 0]
    assert without == [NO_BEAM_EVERY - 1, 2 * NO_BEAM_EVERY - 1]
    assert [banked[k].n_events for k in without] == [0, 0]
    assert not any(banked[k].flags & PulseFlag.GOT_NEUTRONS for k in without)
    assert banked[0].flags & PulseFlag.GOT_NEUTRONS
    # RTDL says the charge of the pulse before.
    said = [packet.proton_charge_pc for packet in of(Rtdl, found)]
    assert said[1:] == [packet.proton_charge_pc for packet in banked[:-1]]


def test_events_lie_in_the_banks_of_their_pixels(beamline: Beamline):
    for packet in of(BankedEvents, packets(until_idle(beamline))):
        bank = np.repeat(packet.bank_id, np.diff(packet.bank_offset))
        assert np.array_equal(bank, packet.pixel_id // 4 + 1)
        assert packet.tof.min() >= 3000
        assert packet.tof.max() < 166_670
        assert packet.tof_corrected.all()


def test_every_era_begins_with_a_complete_prologue(beamline: Beamline):
    played = until_idle(beamline, idle=2)
    begins = [emission for emission in played if emission.begins_era]
    assert len(begins) == 4
    assert played[0] is begins[0]
    for emission in begins:
        found = packets_of(emission.data)
        assert isinstance(found[0], Sync)
        assert isinstance(found[1], RunStatus)
        assert [packet.xml for packet in of(Geometry, found)] == [beamline.definition.xml]
        (info,) = of(BeamlineInfo, found)
        assert (info.short_name, info.long_name, info.beamline_id) == ("TNY", "TINY", "BL-0")
        known: set[int] = set()
        for packet in found:
            if isinstance(packet, DeviceDescriptor):
                known.add(packet.device_id)
            elif isinstance(packet, Variable):
                assert packet.device_id in known, "a value before its descriptor"
        assert len(of(RunInfoPacket, found)) == (1 if found[1].run_number else 0)


def test_run_info_says_what_was_configured_even_if_it_looks_like_xml(beamline: Beamline):
    (first, second) = of(RunInfoPacket, packets(until_idle(beamline)))
    details = read_run_info(first.xml)
    assert (details.run_number, details.proposal_id) == (41, "IPTS-7")
    assert (details.title, details.instrument) == ("Tiny <&> powder", "TNY")
    assert read_run_info(second.xml).run_number == 42


def test_slow_values_drift_and_some_are_old(beamline: Beamline):
    found = packets(until_idle(beamline))
    devices = {packet.device_id: read_device(packet.xml) for packet in of(DeviceDescriptor, found)}
    names = {
        (device_id, variable_id): variable
        for device_id, device in devices.items()
        for variable_id, variable in device.variables.items()
    }
    values: dict[str, list] = {}
    for packet in found:
        if isinstance(packet, Variable):
            values.setdefault(names[packet.device_id, packet.variable_id].name, []).append(packet)
    assert {variable.name for variable in names.values()} == set(values)
    kelvin = {packet.time_ns: packet.value for packet in values["SampleTemp"]}
    assert sorted(kelvin) == [START + second * 10**9 for second in range(5)]
    assert len(set(kelvin.values())) == 5
    assert values["SampleName"][0].value == "diamond"
    assert all(packet.time_ns < START - 10**15 for packet in values["SlitWidth"])
    assert devices[1].enumerations["enum_heater"][values["Heater"][0].value] == "Off"


def test_after_the_last_run_only_heartbeats_come(beamline: Beamline):
    played = until_idle(beamline, idle=3)
    idle = [emission for emission in played if emission.idle]
    # takewhile consumed the first.
    assert [type(packet) for packet in packets(idle)] == [Heartbeat] * 3
    end = START + pulse_offset_ns(270)
    assert [emission.time_ns - end for emission in idle] == [2 * 10**9, 3 * 10**9, 4 * 10**9]


def test_the_same_seed_and_start_give_the_same_bytes(beamline: Beamline, config: SimulateConfig):
    one = until_idle(beamline)
    again = until_idle(build_beamline(config, "TNY"))
    assert [emission.data for emission in one] == [emission.data for emission in again]
    other = until_idle(attrs.evolve(beamline, config=attrs.evolve(config, seed=6)))
    assert b"".join(emission.data for emission in one) != b"".join(emission.data for emission in other)


def test_runs_differ_in_their_events(beamline: Beamline):
    banked = of(BankedEvents, packets(until_idle(beamline)))
    assert banked[0].tof.tolist() != banked[150].tof.tolist()


def test_state_is_what_a_late_client_needs(beamline: Beamline):
    state: dict[str, bytes] = {}
    for emission in until_idle(beamline)[:100]:
        if emission.begins_era:
            state.clear()
        state.update(emission.state)
    found = packets_of(b"".join(state.values()))
    assert isinstance(found[0], Sync)
    assert isinstance(found[1], RunStatus)
    assert (found[1].status, found[1].run_number) == (RunStatusCode.STATE, 41)
    assert {Geometry, BeamlineInfo, RunInfoPacket, DeviceDescriptor} <= {type(packet) for packet in found}
    newest = [packet for packet in of(VariableDouble, found) if packet.device_id == 1]
    assert [packet.time_ns for packet in newest] == [START + 10**9]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read"),
        (b"", "simulate.idf"),
        (b"garbage", "simulate.idf"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"<instrument name='X'/>", "simulate.idf"),
    ],
)
def test_a_bad_instrument_definition_is_a_sentence(tmp_path: Path, content: bytes | None, says: str):
    path = tmp_path / "bad.xml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=says) as caught:
        build_beamline(SimulateConfig(idf=path), "TNY")
    assert "bad.xml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_instrument_definition_is_a_sentence():
    with pytest.raises(ConfigError, match=r"simulate\.idf.*--idf"):
        build_beamline(SimulateConfig(), "TNY")


def test_a_bad_calibration_is_a_sentence(config: SimulateConfig, tmp_path: Path):
    missing = attrs.evolve(config, calibration=tmp_path / "missing.h5")
    with pytest.raises(ConfigError, match=r"simulate\.calibration.*missing\.h5"):
        build_beamline(missing, "TNY")
