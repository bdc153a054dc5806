from livered_core.chunking.repetition import Repetitions


def test_what_comes_again_is_said_each_time_at_first_and_then_ever_more_seldom():
    said = Repetitions()
    worded = {number: said.worded("lengths", "Wrong.") for number in range(1, 20_001)}
    times = [number for number, sentence in worded.items() if sentence]
    assert times == [*range(1, 21), 100, 1000, 10_000]
    assert worded[19] == "Wrong."
    assert worded[20] == "Wrong. This is number 20 of its kind: of those that follow, few are said."
    assert worded[1000] == "Wrong. This is number 1000 of its kind."


def test_kinds_are_counted_apart():
    said = Repetitions()
    for _ in range(50):
        said.worded("lengths", "Wrong.")
    assert said.worded("versions", "New.") == "New."
