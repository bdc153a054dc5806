"""What StartLiveData is asked for, as StartLiveData takes it."""

from __future__ import annotations

from livered_core.sources.startlivedata import LiveRequest


def test_properties_of_the_listener_are_set():
    from mantid.api import AlgorithmManager
    from mantid.kernel import ConfigService

    ConfigService.setFacility("TEST_LIVE")
    request = LiveRequest("ISIS_Histogram", listener_properties={"PeriodList": [1, 3], "SpectraList": [2]})
    algorithm = AlgorithmManager.createUnmanaged("StartLiveData")
    algorithm.initialize()
    for name, value in request.properties("token").items():
        algorithm.setProperty(name, value)
    assert list(algorithm.getProperty("PeriodList").value) == [1, 3]
    assert list(algorithm.getProperty("SpectraList").value) == [2]
    assert algorithm.getProperty("AccumulationMethod").value == "Replace"
