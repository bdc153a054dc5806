"""Each case of the corpus between good data, through the intake: contained, bounded, counted, said, and over."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hostile_support import (
    HOSTILE_TIME,
    TIMES_AFTER,
    TIMES_BEFORE,
    adds_up,
    hostile_stream,
    pour,
)
from livered_core.errors import GeometryError
from livered_core.geometry.document import parse
from livered_core.testing import Containment, hostile_cases

CASES = {case.name: case for case in hostile_cases()}
MOST_MEGABYTES = 250
MOST_SECONDS = 15
"""For heavy cases; the others take milliseconds. A machine may be slow and busy."""
MOST_SENTENCES = 200

# A byte that is missing makes the next header look like that of an unknown packet: that one packet is lost with it.
MAY_COST = {"a-byte-missing": 1}
# A packet that is followed by more than 4 MiB of damage may have been cut off: it is left out with the damage.
LONG_DAMAGE = {"length-4-gib", "much-noise", "headers-everywhere", "geometry-100-mib"}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
light = [case for case in CASES.values() if not case.heavy]
definitions = [case for case in CASES.values() if case.containment is Containment.DEFINITION]


def test_the_corpus_has_names_and_sentences_of_its_own():
    cases = hostile_cases()
    assert len(cases) >= 150
    assert len(CASES) == len({case.what for case in cases}) == len(cases)
    assert all(case.what.endswith(".") for case in cases)
    assert {case.containment for case in cases} == set(Containment)


@every_case
def test_good_data_flow_behind_what_is_left_out_and_the_cause_is_counted_and_said(case):
    began = time.perf_counter()

    story = pour(hostile_stream(case), tolerant=True)

    assert story.raised is None
    assert [story.pulses[moment] for moment in TIMES_AFTER[MAY_COST.get(case.name, 0) :]] == [1] * (
        len(TIMES_AFTER) - MAY_COST.get(case.name, 0)
    )
    whole = TIMES_BEFORE[:-1] if case.name in LONG_DAMAGE else TIMES_BEFORE
    assert [story.pulses[moment] for moment in whole] == [1] * len(whole)
    counts = story.counts
    assert adds_up(counts)
    assert story.offset == story.bytes_in
    assert len(story.remarks) + len(story.missing) < MOST_SENTENCES
    assert all("\n" not in sentence and len(sentence) < 600 for sentence in story.remarks)
    left_out = counts.unreadable_packets + counts.unknown_packets
    if case.containment is Containment.LEFT_OUT:
        assert left_out > 0
        assert counts.skipped_bytes == 0
        assert story.remarks
    elif case.containment is Containment.CONNECTION:
        assert counts.skipped_bytes > 0
        assert any("bytes of the stream" in sentence for sentence in story.missing)
    else:
        assert left_out == counts.skipped_bytes == 0
    assert time.perf_counter() - began < MOST_SECONDS


@pytest.mark.parametrize("case", light, ids=lambda case: case.name)
def test_a_live_connection_ends_with_a_sentence_or_goes_on(case):
    story = pour(hostile_stream(case), tolerant=False)

    # What comes before damage is taken; the packet that it follows may have been cut off itself.
    assert [story.pulses[moment] for moment in TIMES_BEFORE[:-1]] == [1] * (len(TIMES_BEFORE) - 1)
    assert adds_up(story.counts)
    if case.containment is Containment.CONNECTION:
        assert story.raised is not None
    elif case.containment is not Containment.LEFT_OUT:
        assert story.raised is None
    if story.raised is None:
        assert [story.pulses[moment] for moment in TIMES_AFTER] == [1] * len(TIMES_AFTER)
        if case.containment is Containment.LEFT_OUT:
            assert story.counts.unreadable_packets + story.counts.unknown_packets > 0
            assert story.remarks
    else:
        assert "\n" not in str(story.raised)
        assert len(str(story.raised)) < 600


@pytest.mark.parametrize("case", definitions, ids=lambda case: case.name)
def test_whoever_reads_a_hostile_definition_says_so_in_one_sentence(case):
    (_, definition) = pour(hostile_stream(case), tolerant=False).definitions

    try:
        parse(definition.xml)
    except GeometryError as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 300


def test_the_bytes_are_the_same_each_time_and_of_the_moment_that_is_asked_for():
    for case in CASES.values():
        if not case.heavy:
            assert case.data() == case.data()
    assert CASES["tof-largest"].data(HOSTILE_TIME) != CASES["tof-largest"].data()


MEASURE = """
import json, re, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from hostile_support import BEFORE, PROLOGUE, hostile_stream, pour
from livered_core.testing import hostile_cases

def highest():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024

pour([PROLOGUE, *BEFORE], tolerant=True)
highest_after = {"nothing": highest()}
for case in hostile_cases():
    if case.heavy or "bomb" in case.name or "laughs" in case.name:
        pour(hostile_stream(case), tolerant=True)
        highest_after[case.name] = highest()
print(json.dumps(highest_after))
"""


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="only Linux says how much memory was taken"
)
@pytest.mark.slow
def test_memory_stays_bounded():
    """What a process takes at most that reads all heavy cases one after the other."""
    tests = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, tests], capture_output=True, text=True, timeout=300, check=True
    )
    highest = json.loads(done.stdout)
    assert len(highest) > 20
    assert max(highest.values()) - highest["nothing"] < MOST_MEGABYTES, highest
