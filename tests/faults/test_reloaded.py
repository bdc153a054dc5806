"""Changed files, taken up or not, and a restart after that: a run is never reduced in two ways without a word."""

from __future__ import annotations

from faults.stage import CONFIG, RUN, Stage


def test_a_setting_of_the_source_that_counts_from_the_next_start_has_the_run_replayed_there(
    stage: Stage,
) -> None:
    """It is taken up together with changed code, and the source does not heed it until it starts anew."""
    stage.config = f"{CONFIG}\n[reload]\nevery = 0.1\n"
    engine = stage.start()
    line = stage.beamline
    line.begin(RUN)
    line.play(60)
    line.pause()
    line.play(60)
    line.resume()
    line.play(60)
    stage.until_reduced(120)
    stage.config = stage.config.replace("[source]", "[source]\nkeep_paused = true", 1)
    (stage.folder / "livered.toml").write_text(stage.config)
    stage.plugin(code="two")

    def reloaded() -> bool:
        line.play(5)
        return "Reloaded" in stage.status()["reload"]["sentence"]

    stage.until(reloaded)
    before, least = stage.checkpoints()[-1], stage.events()

    def kept() -> bool:
        line.play(5)
        return stage.checkpoints()[-1] != before and stage.events() > least

    stage.until(kept)
    engine.kill()
    stage.start()
    line.play(30)
    stage.until_recovered()
    line.end()
    stage.until_ended()
    assert "the configuration is not what it was made with" in stage.log()
    stage.until(stage.finals)
    # What came during the pause is in it.
    assert stage.finals()[-1].events == line.ledger.runs[RUN].events
