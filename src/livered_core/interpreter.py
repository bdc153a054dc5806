"""How a program of livered is started with a Python: never with modules of the folder in which somebody stands.

``python -m`` looks for modules in the working directory before all others, and so does ``python -c``. Where others may
write to that folder, as to one that an experiment shares, a file ``json.py`` of theirs would run with the rights of
who starts livered there.
"""

from __future__ import annotations

import sys
from typing import Final

_SAFE_PATH_SINCE: Final = (3, 11)
WITHOUT_FOLDER: Final = "import sys; sys.path[:] = [folder for folder in sys.path if folder]; "
"""Begins a text for ``python -c``: what it imports afterwards is none of the working directory's."""


def module_arguments(module: str, version: tuple[int, ...] = sys.version_info[:2]) -> tuple[str, ...]:
    """Give the arguments with which a Python runs a module that is installed, and none of the working directory.

    Parameters
    ----------
    module
        Its name: ``livered_core``.
    version
        Of that Python: major and minor number, and whatever follows; by default of the one that runs here.

    Returns
    -------
    tuple of str
        What follows the interpreter and stands before the module's own arguments.
    """
    if version >= _SAFE_PATH_SINCE:
        return ("-P", "-m", module)
    run = f"import runpy; runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    return ("-c", WITHOUT_FOLDER + run)
