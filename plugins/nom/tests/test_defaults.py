from __future__ import annotations

import sys
from importlib.resources import files

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def test_the_packaged_defaults_say_address_and_simulation() -> None:
    defaults = tomllib.loads(files("livered_nom").joinpath("defaults.toml").read_text(encoding="utf-8"))
    assert defaults.pop("address") == "bl1b-daq1.sns.gov:31415"
    assert defaults.pop("simulate") == {
        "idf": "simulated_instrument.xml",
        "sample": "diamond",
        "title": "Diamond powder (simulated)",
        "proposal": "IPTS-0",
        "run_number": 1,
        "rate": 200000.0,
        "run_length": 60.0,
        "tof_min_us": 300.0,
        "tof_max_us": 16667.0,
    }
    assert defaults == {}
    assert files("livered_nom").joinpath("simulated_instrument.xml").is_file()
