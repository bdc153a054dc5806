"""The plugin of these tests, which counts exactly, with what may be wrong with it."""

from __future__ import annotations

import textwrap
from pathlib import Path

from faults.ledger import BINS, PIXELS, TICKS_PER_BIN

INSTRUMENT = "TST"

_COUNTS = """
    import hashlib
    import json
    import os
    import time
    from pathlib import Path

    import numpy as np
    from livered_core import Curve, Receipt, Result, hookimpl

    PIXELS, BINS, TICKS = {bins}
    FOLDER = Path(os.environ["TST_FOLDER"])


    def fold(pixel_id, tof):
        place = pixel_id.astype(np.int64) % PIXELS * BINS + np.minimum(tof.astype(np.int64) // TICKS, BINS - 1)
        return np.bincount(place, minlength=PIXELS * BINS).astype(np.int64)


    def is_told(what):
        return (FOLDER / what).exists()


    {before}


    class Instrument:
        @hookimpl
        def process_chunk(self, chunk, run):
    {process}
            return fold(chunk.events.pixel_id, chunk.events.tof)

        @hookimpl
        def post_process(self, accumulated, run, update):
    {post}
            edges = np.arange(PIXELS * BINS + 1, dtype=np.float64)
            counts = Curve("counts", edges, accumulated.astype(np.float64), np.sqrt(accumulated), "dimensionless", "counts")
            return Result(run.number, run.title, [counts], [], {"code": "{code}"})

        @hookimpl
        def post_publish(self, result, run, update):
    {publish}
            if not update.final:
                return None
            digest = hashlib.sha256(result.curves[0].y.astype(np.int64).tobytes()).hexdigest()
            with (FOLDER / "finals.jsonl").open("a") as file:
                file.write(json.dumps([run.number, update.n_events, digest, update.complete]) + "\\n")
            return Receipt("finals.jsonl", update.last_pulse_ns, 1)
    """


def source(process: str = "", post: str = "", publish: str = "", before: str = "", code: str = "one") -> str:
    """Write the plugin; `process`, `post` and `publish` are statements put before what the
    hooks do, `before` one before them."""
    text = textwrap.dedent(_COUNTS)
    for name, statements in (("{process}", process), ("{post}", post), ("{publish}", publish)):
        text = text.replace(name, textwrap.indent(textwrap.dedent(statements).strip(), " " * 8))
    text = text.replace("{before}", before)
    return text.replace("{code}", code).replace("{bins}", f"{PIXELS}, {BINS}, {TICKS_PER_BIN}")


def install(site: Path, text: str, version: str = "1.0") -> None:
    """Put the distribution into a folder for PYTHONPATH, in place of the one that is there."""
    for old in site.glob("livered_tst_faults-*.dist-info"):
        for file in old.iterdir():
            file.unlink()
        old.rmdir()
    info = site / f"livered_tst_faults-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: livered-tst-faults\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[livered.instruments]\n{INSTRUMENT} = tst_faults:Instrument\n")
    (site / "tst_faults.py").write_text(text)
    for cached in (site / "__pycache__").glob("tst_faults*"):
        cached.unlink()
