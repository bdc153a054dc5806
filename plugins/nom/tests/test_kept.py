"""A run that goes on in another process: its result is the same in every bit, or it is replayed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

from checkpoint_support import FINGERPRINT, checkpoint, same
from livered_core import Chunk, InstrumentDefinition, Result, RunInfo
from livered_core.diffraction import Calibration, calibration_from_geometry, write_calibration
from livered_core.geometry import read_instrument
from livered_core.hooks.plugin_state import restore_states, save_states
from livered_core.hooks.registry import LoadedPlugin
from livered_core.publish.nexus import nexus_bytes
from livered_core.reduction.checkpoint_store import CheckpointStore
from livered_core.testing import make_chunk, make_events, make_log, make_session, make_update
from livered_nom.counts import NomCounts
from livered_nom.kept import NotedLogs
from livered_nom.plugin import NomPlugin
from livered_nom.settings import NomSettings
from livered_nom.settings_references import ReferenceSettings
from livered_nom.settings_total import TotalScatteringSettings

UPDATE = make_update(final=True, proton_charge_pc=3.6e9, last_pulse_ns=1_700_000_060_000_000_000)
SESSION = make_session(instrument="NOM", live=False)


@pytest.fixture(autouse=True)
def cache_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def chunks(definition: InstrumentDefinition) -> list[Chunk]:
    """Two chunks; the composition is in a log of the first one alone."""
    rng = np.random.default_rng(3)
    pixels = read_instrument(definition).pixel_id
    made = []
    for logs in ({"SampleFormula": "Si", "BL1B:Temperature": 300.0}, {}):
        pixel, tick = rng.choice(pixels, 60_000), rng.integers(3000, 166_670, 60_000)
        events = make_events(pixel, tick / 10, proton_charge_pc=3.6e9)
        made.append(make_chunk(events, instrument=definition, logs=logs))
    return made


@pytest.fixture(scope="module")
def references(chunks: list[Chunk], tmp_path_factory: pytest.TempPathFactory) -> ReferenceSettings:
    path = tmp_path_factory.mktemp("references") / "vanadium.nxs"
    plugin = begun(NomSettings(), RunInfo(number=1, instrument="NOM"))
    counts = plugin.process_chunk(chunks[1])
    run = RunInfo(number=1, instrument="NOM")
    path.write_bytes(nexus_bytes(plugin.post_process(counts, run, UPDATE), run, UPDATE, {}, 0))
    return ReferenceSettings(vanadium=path)


def calibration(definition: InstrumentDefinition) -> Calibration:
    plain = calibration_from_geometry(read_instrument(definition))
    use = np.arange(len(plain.detid)) % 7 != 0
    return attrs.evolve(plain, difc=plain.difc * 1.01, use=use, instrument="NOMAD")


@pytest.fixture
def settings(tmp_path: Path, definition: InstrumentDefinition, references: ReferenceSettings) -> NomSettings:
    write_calibration(tmp_path / "calibration.h5", calibration(definition))
    return NomSettings(
        calibration=tmp_path / "calibration.h5",
        references=references,
        total_scattering=TotalScatteringSettings(engine="own"),
    )


def begun(settings: NomSettings, run: RunInfo) -> NomPlugin:
    plugin = NomPlugin(settings)
    plugin.session_started(SESSION)
    plugin.run_started(run)
    return plugin


def added(plugin: NomPlugin, counts: NomCounts | None, chunks: Iterable[Chunk]) -> NomCounts:
    for chunk in chunks:
        more = plugin.process_chunk(chunk)
        counts = more if counts is None else counts + more
    assert counts is not None
    return counts


def loaded(plugin: NomPlugin) -> list[LoadedPlugin]:
    return [LoadedPlugin("nom", "1", "livered-nom", plugin)]


def through_a_checkpoint(plugin: NomPlugin, counts: NomCounts, folder: Path) -> tuple[NomCounts, Any]:
    """Write what is kept of a run, and read it as another process does."""
    store = CheckpointStore(folder)
    store.save(checkpoint(counts, plugins=save_states(loaded(plugin))))
    found = store.load(FINGERPRINT, lambda module: module.startswith(("livered_core.", "livered_nom.")))
    assert found.remarks == ()
    assert found.checkpoint is not None
    assert same(found.checkpoint.state.accumulated, counts)
    return found.checkpoint.state.accumulated, found.checkpoint.plugins


def is_same(one: Result, other: Result) -> bool:
    return same(one, other) and same(dict(one.metadata), dict(other.metadata))


@pytest.mark.parametrize("n_before", [1, 2], ids=["in the middle", "all but the result"])
def test_the_result_is_the_same_in_every_bit(
    chunks: list[Chunk], settings: NomSettings, run: RunInfo, tmp_path: Path, n_before: int
) -> None:
    whole = begun(settings, run)
    undisturbed = whole.post_process(added(whole, None, chunks), run, UPDATE)
    assert "G(r)" in [curve.label for curve in undisturbed.curves]
    assert undisturbed.metadata["vanadium"] == "vanadium.nxs"

    first = begun(settings, run)
    counts, states = through_a_checkpoint(first, added(first, None, chunks[:n_before]), tmp_path)
    second = begun(settings, run)
    assert restore_states(loaded(second), states) == ""
    resumed = second.post_process(added(second, counts, chunks[n_before:]), run, UPDATE)
    assert is_same(resumed, undisturbed)


def test_a_run_without_a_chunk_has_nothing_prepared(
    settings: NomSettings, run: RunInfo, tmp_path: Path
) -> None:
    kept = begun(settings, run).save_state()
    assert kept.prepared is None
    begun(settings, run).restore_state(kept)


def replay_reason(settings: NomSettings, run: RunInfo, states: Any) -> str:
    plugin = NomPlugin(settings)
    plugin.session_started(SESSION)
    plugin.run_started(run)
    return restore_states(loaded(plugin), states)


def test_another_calibration_means_a_replay(
    chunks: list[Chunk], settings: NomSettings, run: RunInfo, tmp_path: Path, definition: InstrumentDefinition
) -> None:
    plugin = begun(settings, run)
    plugin.process_chunk(chunks[0])
    states = save_states(loaded(plugin))
    assert settings.calibration is not None
    other = calibration(definition)
    # Written anew, with the same numbers.
    write_calibration(settings.calibration, other)
    assert replay_reason(settings, run, states) == ""
    changed = other.difc.copy()
    changed[17] = np.nextafter(changed[17], 0)
    write_calibration(settings.calibration, attrs.evolve(other, difc=changed))
    assert replay_reason(settings, run, states) == (
        "Plugin nom 1 failed in restore_state: DataModelError: The calibration is not the one with which the run was "
        "begun."
    )
    # The run in hand keeps the one that it was begun with.
    assert save_states(loaded(plugin))["nom"].calibration == states["nom"].calibration
    resumed = NomPlugin(settings)
    settings.calibration.unlink()
    assert restore_states(loaded(resumed), states).startswith("Plugin nom 1 failed in restore_state: ")


def test_another_vanadium_means_a_replay(
    chunks: list[Chunk], settings: NomSettings, run: RunInfo, tmp_path: Path
) -> None:
    assert settings.references.vanadium is not None
    mine = tmp_path / "vanadium.nxs"
    mine.write_bytes(settings.references.vanadium.read_bytes())
    own = attrs.evolve(settings, references=ReferenceSettings(vanadium=mine))
    plugin = begun(own, run)
    plugin.process_chunk(chunks[0])
    states = save_states(loaded(plugin))
    assert replay_reason(own, run, states) == ""
    mine.write_bytes(mine.read_bytes() + b"x")
    assert "The vanadium is not the one with which the run was begun." in replay_reason(own, run, states)
    mine.unlink()
    assert "The vanadium is not the one with which the run was begun." in replay_reason(own, run, states)


def test_logs_that_do_not_matter_are_not_kept(
    chunks: list[Chunk], settings: NomSettings, run: RunInfo
) -> None:
    plugin = begun(settings, run)
    plugin.process_chunk(chunks[0])
    kept = plugin.save_state()
    assert kept.prepared is not None
    assert dict(kept.prepared.logs) == {}
    assert kept.logged_formula == "Si"


MOVED = """
<component-link name="moderator">
  <parameter name="z"><logfile id="moderator_z" extract-single-value-as="last_value"/></parameter>
</component-link>
</instrument>
"""


def test_a_log_that_moves_something_is_kept(
    chunks: list[Chunk], run: RunInfo, tmp_path: Path, definition: InstrumentDefinition
) -> None:
    moving = InstrumentDefinition("NOM", definition.xml.replace("</instrument>", MOVED))
    logs = {**chunks[0].logs, "moderator_z": make_log(-21.45, name="moderator_z")}
    first, second = (attrs.evolve(chunk, instrument=moving, logs=logs) for chunk in chunks)
    settings = NomSettings()
    whole = begun(settings, run)
    undisturbed = whole.post_process(added(whole, None, [first, second]), run, UPDATE)
    still = begun(settings, run)
    assert not is_same(undisturbed, still.post_process(added(still, None, chunks), run, UPDATE))

    broken_off = begun(settings, run)
    counts, states = through_a_checkpoint(broken_off, added(broken_off, None, [first]), tmp_path)
    assert list(states["nom"].prepared.logs) == ["moderator_z"]
    resumed = begun(settings, run)
    assert restore_states(loaded(resumed), states) == ""
    result = resumed.post_process(added(resumed, counts, [second]), run, UPDATE)
    assert is_same(result, undisturbed)


def test_logs_note_what_is_asked_for() -> None:
    logs = NotedLogs({"a": make_log(1.0, name="a"), "b": make_log(2.0, name="b")})
    assert (len(logs), list(logs), "a" in logs, "c" in logs) == (2, ["a", "b"], True, False)
    assert logs.get("c") is None
    assert logs.asked() == {}
    assert logs["b"].last == 2.0
    assert list(logs.asked()) == ["b"]
