r"""How livered and Mantid meet: one call of StartLiveData.

::

    livered-reduction        livered-startlivedata            Mantid's monitor thread
    (`MantidSource`)         (`LiveData._call`)               (MonitorLiveData)
          │ begin()  ───────▶ StartLiveData.execute()
          │                     connects, waits for the
          │                     geometry, first chunk ─▶ script ─▶ Door.enter
          │                     returns ────────────────▶ every update_every:
          │ Door.take ◀──────────────────────────────────  chunk ─▶ script ─▶ Door.enter
          │   hooks
          │ trouble?  ◀── returned, monitor
          │ end()    ───────▶ cancel() ─────────────────▶ isRunning() false

StartLiveData is a source of chunks and nothing more. It is told ``AccumulationMethod="Replace"`` and given a
processing script of two ASCII lines, `SCRIPT`, which hands the chunk to `chunk_from_mantid`. That takes the chunk's name
away, finds the `Door` of the call by its token, leaves the chunk there for the reduction thread, and hands an almost
empty workspace back, so that Mantid keeps nothing. `LiveData.trouble` and `MantidSource` say when to begin again.

What was seen of Mantid, and what is done about it:

- What comes between the extraction of a chunk and the end of its script is lost when a run ends in between: the SNS
  listener then begins a new buffer. So the script returns at once, whatever the reduction takes, but where the door is
  full, and a run whose end was lost all the same is replayed (`livered_core.sources.mantid_runs`).
- After the script Mantid removes the chunk from the data service, and with that clears its name, on its own thread: so
  the script removes it first, and the reduction thread gives it a name of livered's own.
- A script that raises ends MonitorLiveData for good, silently: nothing is raised into Mantid, and `LiveData.trouble`
  looks at the monitor.
- StartLiveData blocks until the server has sent the geometry, for ever if need be: it has a thread of its own.
- FromNow is on by default, and exactly one of three start properties may be: all three are set.
- ``isRunning()`` of the monitor is false for some milliseconds after StartLiveData has returned: a monitor is dead only
  when it was seen to run, or did not begin to within `_MONITOR_BEGINS_S`.
- Another StartLiveData with the same output fails while an old monitor runs, and the interpreter crashes when one runs
  at its end: `LiveData.end` cancels and waits until nothing runs. A silent server makes that 30 s.
- Mantid's Python functions run as children, without locks and logs, when they are called from an algorithm:
  `inside_an_algorithm` makes it so for all hooks, as it is for the scripts of today.
- A handle from the analysis data service dies with its workspace (`livered_core.workspaces.held`); that of a script's
  ``input`` does not.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import attrs

from livered_core.clocks import Clock
from livered_core.model import format_utc
from livered_core.model.text import one_line
from livered_core.sources.door import Door, find_door
from livered_core.workspaces import remove_named, run_algorithm

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

SCRIPT: Final = """\
from livered_core.sources.startlivedata import chunk_from_mantid
output = chunk_from_mantid("{token}", input, output)
"""
"""The processing script. RunPythonScript indents it into a function and knows ``input`` and ``output``."""

_MONITOR_BEGINS_S: Final = 5.0
_POLL_S: Final = 0.05
_SETTLED_POLLS: Final = 10
"""A monitor that was just launched shows as not running: it has ended when it was not running so often in a row."""


def chunk_from_mantid(token: str, workspace: Any, output: Any) -> Any:
    """Take a chunk from Mantid's processing script; never raises.

    Parameters
    ----------
    token
        Of the door.
    workspace
        The chunk, the script's ``input``.
    output
        The script's ``output``, a name.

    Returns
    -------
    Any
        The script's new ``output``: an almost empty workspace that Mantid can keep, or the chunk where none can be
        made.
    """
    try:
        door = find_door(token)
        if door is not None:
            remove_named(str(workspace.name()))
            door.enter(workspace)
        return run_algorithm("CreateSingleValuedWorkspace", DataValue=0.0)
    except BaseException as error:  # noqa: BLE001  (whatever is raised here ends Mantid's monitor)
        _log.exception(
            "A chunk of Mantid's could not be taken, or Mantid keeps it: %s: %s", type(error).__name__, error
        )
        return output if workspace is None else workspace


def inside_an_algorithm(call: Callable[[], _T]) -> _T:
    """Call something so that Mantid's Python functions in it run as children of an algorithm.

    They look for a function of this name with an algorithm as ``self`` among their callers, as in RunPythonScript. An
    algorithm remembers its children, so that each call has a new one.
    """
    from mantid.api import PythonAlgorithm

    class Livered(PythonAlgorithm):  # type: ignore[misc]
        def PyExec(self) -> _T:  # noqa: N802
            return call()

    return Livered().PyExec()


@attrs.frozen
class LiveRequest:
    """What StartLiveData is asked for.

    Attributes
    ----------
    instrument
        Mantid's name; see `livered_core.sources.mantid_facilities`.
    listener, connection, address
        Empty for those of Facilities.xml.
    listener_properties
        Of the listener.
    update_every
        Seconds.
    start_ns
        Where to begin, nanoseconds UTC since the Unix epoch; None for the start of the run, 0 for now.
    """

    instrument: str
    listener: str = ""
    connection: str = ""
    address: str = ""
    listener_properties: Mapping[str, Any] = attrs.field(factory=dict)
    update_every: float = 30.0
    start_ns: int | None = None

    @property
    def output(self) -> str:
        """Name of the output workspace; hidden, and livered's own."""
        return f"__livered_{self.instrument}"

    def properties(self, token: str) -> dict[str, Any]:
        """Return the properties of StartLiveData in the order in which they must be set.

        Instrument, Listener and Connection make the listener, which adds its own properties.
        """
        named = {
            "Instrument": self.instrument,
            "Listener": self.listener,
            "Connection": self.connection,
            "Address": self.address,
        }
        properties: dict[str, Any] = {name: value for name, value in named.items() if value}
        properties |= self.listener_properties
        properties |= {
            "FromNow": self.start_ns == 0,
            "FromStartOfRun": self.start_ns is None,
            "FromTime": bool(self.start_ns),
            "UpdateEvery": float(self.update_every),
            "PreserveEvents": True,
            "AccumulationMethod": "Replace",
            "RunTransitionBehavior": "Restart",
            "ProcessingScript": SCRIPT.format(token=token),
            "OutputWorkspace": self.output,
        }
        if self.start_ns:
            properties["StartTime"] = format_utc(self.start_ns).removesuffix("Z")
        return properties


class LiveData:
    """One call of StartLiveData, and the monitor that it leaves behind. For one thread, but for what Mantid calls.

    Parameters
    ----------
    request
        What is asked for.
    door
        Where the chunks go.
    clock
        For waiting.
    """

    def __init__(self, request: LiveRequest, door: Door, clock: Clock) -> None:
        self._request = request
        self._door = door
        self._clock = clock
        self._returned = threading.Event()
        self._returned_s = 0.0
        self._begun_s = 0.0
        self._failure: BaseException | None = None
        self._algorithm: Any = None
        self._monitor: Any = None
        self._was_running = False
        self._thread = threading.Thread(target=self._call, name="livered-startlivedata", daemon=True)

    @property
    def has_returned(self) -> bool:
        """Whether StartLiveData has returned: the server is connected and has said what the instrument is."""
        return self._returned.is_set() and self._failure is None

    def begin(self) -> None:
        """Call StartLiveData on a thread of its own; returns at once."""
        self._begun_s = self._clock.monotonic()
        self._thread.start()

    def waits_s(self) -> float:
        """Return for how long StartLiveData has not returned, seconds; 0 when it has."""
        return 0.0 if self._returned.is_set() else self._clock.monotonic() - self._begun_s

    def trouble(self) -> str:
        """Say in one sentence why no more chunks will come; empty while they may."""
        if not self._returned.is_set():
            return ""
        if self._failure is not None:
            # Mantid's message has the script's lines below it.
            reason = (str(self._failure).strip() or type(self._failure).__name__).splitlines()[0]
            return one_line(f"StartLiveData failed: {reason.rstrip('.')}.")
        if self._monitor_runs():
            return ""
        if self._was_running or self._clock.monotonic() - self._returned_s > _MONITOR_BEGINS_S:
            return "Mantid's MonitorLiveData has ended by itself; Mantid's own messages say why."
        return ""

    def end(self, timeout: float) -> bool:
        """Cancel what runs and wait until nothing does.

        Parameters
        ----------
        timeout
            Seconds that it may take, a silent server's 30 s among them.

        Returns
        -------
        bool
            False when something still runs: the interpreter must not go on to its end then.
        """
        until = self._clock.monotonic() + timeout
        never = threading.Event()
        self._door.close()
        while not self._returned.is_set() and self._clock.monotonic() < until:
            if self._algorithm is not None:
                self._algorithm.cancel()
            self._clock.wait(self._returned, _POLL_S)
        settled, wanted = 0, self._polls_to_settle()
        while settled < wanted and self._clock.monotonic() < until:
            if self._monitor is not None:
                self._monitor.cancel()
            settled = 0 if self._monitor_runs() else settled + 1
            self._clock.wait(never, _POLL_S)
        if not self._returned.is_set() or settled < wanted:
            return False
        self._thread.join()
        _tidy(self._request.output)
        return True

    def _call(self) -> None:
        from mantid.api import AlgorithmManager

        try:
            # Managed, as Mantid's own interface would: the monitor is found from it.
            algorithm = AlgorithmManager.create("StartLiveData")
            algorithm.setRethrows(True)
            self._algorithm = algorithm
            for name, value in self._request.properties(self._door.token).items():
                algorithm.setProperty(name, value)
            algorithm.execute()
            if not algorithm.isExecuted():
                message = "Mantid's log says why."
                raise RuntimeError(message)
            self._monitor = algorithm.getProperty("MonitorLiveData").value
        except BaseException as error:  # noqa: BLE001  (said by `trouble`)
            self._failure = error
        finally:
            self._returned_s = self._clock.monotonic()
            self._returned.set()

    def _monitor_runs(self) -> bool:
        runs = self._monitor is not None and bool(self._monitor.isRunning())
        self._was_running = self._was_running or runs
        return runs

    def _polls_to_settle(self) -> int:
        """Return how often a monitor must not run to have ended: one that was never seen to run may still begin to."""
        if self._monitor is None or self._monitor_runs() or self._was_running or self._monitor.isExecuted():
            return _SETTLED_POLLS
        return round(_MONITOR_BEGINS_S / _POLL_S)


def _tidy(output: str) -> None:
    """Remove from the analysis data service what the call left there."""
    remove_named(output)
    remove_named(f"__anonymous_livedata_input_{output}")
