"""A contract double of Mantid for tests: it behaves as recorded, and is no Mantid. See README.md beside this package.

How to add an algorithm: see the top of ``mantid._algorithms``; ``mantid._powder`` is imported where it exists.
"""

from __future__ import annotations

from mantid import kernel
from mantid.api import AnalysisDataService, mtd
from mantid.kernel import ConfigService, config, logger

__version__ = kernel.version_str()
__gui__ = False


def apiVersion() -> int:
    return 2


__all__ = [
    "AnalysisDataService",
    "ConfigService",
    "__version__",
    "apiVersion",
    "config",
    "kernel",
    "logger",
    "mtd",
]
