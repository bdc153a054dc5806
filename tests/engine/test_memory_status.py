import json

from livered_core.engine.disk_watch import DiskStatus
from livered_core.engine.limits_status import LimitsStatus, limits_as_dict
from livered_core.engine.memory_guard import MemoryStatus


def test_the_limits_are_told_in_plain_numbers_with_a_sentence_for_each_that_is_short():
    assert limits_as_dict(LimitsStatus())["problems"] == []
    memory = MemoryStatus(1000_000_000, 900_000_000, "shedding", 3.0, 0.5, "The session before ended.")
    told = limits_as_dict(LimitsStatus(memory, DiskStatus(1, 2, None, ("A disk.",))))
    assert json.loads(json.dumps(told)) == {
        "memory": {
            "limit": 1000_000_000,
            "used": 900_000_000,
            "level": "shedding",
            "since_s": 3.0,
            "share": 0.5,
            "begun_with": "The session before ended.",
        },
        "disk": {"least_free": 1, "output_free": 2, "state_free": None},
        "problems": [
            "Memory is short (900.0 MB of 1.0 GB): caches are dropped, and chunks and queue are smaller.",
            "The session before ended.",
            "A disk.",
        ],
    }
