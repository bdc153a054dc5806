"""Live data: StartLiveData, MonitorLiveData, LoadLiveData, RunPythonScript and the listeners."""
