"""The double's algorithms, with the property names of the real ones.

How to add one, for example in ``mantid/_powder.py`` (imported from here where it exists)::

    from mantid._algorithms import Algorithm, output, register, value, workspace

    @register
    class Rebin(Algorithm):                       # the class's name is the algorithm's
        '''Say in a line what it does.'''

        declared = (                              # in the order of positional arguments
            workspace("InputWorkspace"),          # kinds: matrix (default), event, group, table, workspace
            output(),                             # OutputWorkspace; optional=True where it may be missing
            value("Params", kind="floats"),       # no default: mandatory. Kinds: bool int float str floats ints strs
            value("PreserveEvents", True),
        )

        def exec(self):
            data = self["InputWorkspace"]         # data, not a handle: EventData, HistogramData, GroupData, TableData
            self["OutputWorkspace"] = ...         # new data, or the same object for a change in place

Data (`mantid.api._data`, `mantid.api._events`):

* ``EventData(n, Events(spectrum, x, pulse_ns, weight, error2))``: ``.events`` (columns; x is TOF or what it was
  converted to), ``.edges`` (float64[m+1] for all spectra, or a list), ``.n_events``, ``.histogram()`` -> HistogramData,
  ``.events_of(i)``, ``.select(indices)``, ``.clone()``, ``.empty_like()``.
* ``HistogramData(x, y, e)``: float64[n, m+1], [n, m], [n, m], or lists of rows when ragged; ``.all_x()`` and so on.
* Both: ``.n``, ``.spectrum_numbers``, ``.detectors`` (int[n], or list of arrays of ids), ``.detectors_of(i)``,
  ``.x_unit`` ("TOF", "dSpacing", "MomentumTransfer", ...), ``.y_unit``, ``.distribution``, ``.run`` (RunData:
  ``.properties``, ``.set(name, value, units)``), ``.instrument`` (InstrumentData: ``.name``, ``.xml``, ``.geometry``, which
  is a livered_core.model.Instrument), ``.masked`` (set of places), ``.parameters`` (anything), ``.monitors``, ``.title``.
  ``new.described_as(old)`` takes over title, run, instrument and units; ``new.same_spectra(old)`` the spectra.
* A group given where single workspaces are declared is processed member by member, by itself.
* ``child("Name", InputWorkspace=data, ...)["OutputWorkspace"]`` runs another algorithm and gives its data.
* Raise RuntimeError or ValueError with Mantid's sentence on failure.
"""

from __future__ import annotations

import importlib.util

from mantid.api._algorithm import Algorithm, child
from mantid.api._declared import Declared, inout, output, value, workspace
from mantid.api._manager import register

__all__ = ["Algorithm", "Declared", "child", "inout", "output", "register", "value", "workspace"]

from mantid._algorithms import _arithmetic, _binning, _logs, _making, _nexus_processed, _tidying  # noqa: F401
from mantid._live import _load, _monitor, _script, _start  # noqa: F401

if importlib.util.find_spec("mantid._powder") is not None:
    import mantid._powder  # noqa: F401
