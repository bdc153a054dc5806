"""Other runs that a reduction needs: vanadium, backgrounds, containers.

They are read from recordings, NeXus event files or already reduced files (`read_run`, `read_reduced`), in a thread
beside the reduction (`Background`), and kept on disk by their content (`Shelf`). For plugin authors.
"""

from livered_core.references.background import Background, Failed, Preparing, Ready, State
from livered_core.references.fingerprint import content_key, fingerprint
from livered_core.references.reduced import ReducedCurve, is_reduced, read_reduced
from livered_core.references.runs import ReadRun, read_run
from livered_core.references.shelf import Shelf, Stored, default_cache_folder

__all__ = [
    "Background",
    "Failed",
    "Preparing",
    "ReadRun",
    "Ready",
    "ReducedCurve",
    "Shelf",
    "State",
    "Stored",
    "content_key",
    "default_cache_folder",
    "fingerprint",
    "is_reduced",
    "read_reduced",
    "read_run",
]
