"""Compiling loops, with the machine code kept on disk: a start compiles what no start before it has compiled.

numba keeps it in ``NUMBA_CACHE_DIR`` where that is set, else beside the package where that can be written, else in the
cache folder of who runs livered (``~/.cache/numba``). It is made anew for other source text, another processor or another
numba.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

_log = logging.getLogger(__name__)


def compile_kept(function: Callable[..., Any]) -> Any:
    """Compile a function by numba when it is first called; imports numba.

    Nothing that is wrong with the folder of the machine code keeps the function from running: it is compiled then, and the
    log says so, once.

    Parameters
    ----------
    function
        Only numbers and arrays go in and out. It releases the interpreter lock while it runs.

    Raises
    ------
    ImportError
        Where numba is not installed.
    """
    import numba

    try:
        compiled = numba.njit(function, cache=True, nogil=True)
    except RuntimeError:
        _say("no folder for it can be written")
        return numba.njit(function, nogil=True)
    # numba itself lets a full disk, or a file that was cut off, end the call that wanted to compile.
    compiled._cache = _forgiving_cache()(function)
    return compiled


@cache
def _forgiving_cache() -> Any:
    from numba.core.caching import FunctionCache

    class ForgivingCache(FunctionCache):  # type: ignore[misc]
        def load_overload(self, sig: Any, target_context: Any) -> Any:
            try:
                return super().load_overload(sig, target_context)
            except Exception as error:  # noqa: BLE001  (whatever is in the file: it is compiled anew)
                _log.debug("%s cannot be read: %r", self.cache_path, error)
                return None

        def save_overload(self, sig: Any, data: Any) -> None:
            try:
                try:
                    super().save_overload(sig, data)
                except OSError:
                    raise
                except Exception:  # noqa: BLE001  (the list of what is there: it is begun anew)
                    self.flush()
                    super().save_overload(sig, data)
            except Exception as error:  # noqa: BLE001
                _say(f"{self.cache_path} does not take it ({error})")

    return ForgivingCache


@cache
def _say(why: str) -> None:
    _log.warning(
        "The compiled loops cannot be kept for the next start, because %s: each start compiles them anew, which takes "
        "seconds. Make room, or set NUMBA_CACHE_DIR to a folder that can be written.",
        why,
    )
