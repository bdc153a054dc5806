"""The Python that imports plugins to look at them; see `livered_core.engine.plugin_look`, which starts it."""

from __future__ import annotations

import json
import os
import sys
import traceback
from importlib.metadata import EntryPoint
from typing import Any, Final

from livered_core.engine.plugin_rows import class_name, file_of_class
from livered_core.hooks.calls import words_of
from livered_core.hooks.inspection import hook_problems, implemented_hooks
from livered_core.hooks.registry import PLUGINS, data_models, module_of, settings_class

_IMPORTING: Final = ("importlib", "<frozen importlib")


def look(entry_point: str) -> dict[str, Any]:
    """Import one plugin, whatever it does, and say what it is.

    Parameters
    ----------
    entry_point
        ``module:Class``.

    Returns
    -------
    dict
        The attributes of `livered_core.engine.plugin_look.Look`, for JSON.
    """
    try:
        point = EntryPoint("plugin", entry_point, PLUGINS)
        if not module_of(point):
            return _problem(f"{entry_point} is no entry point: it must name a class as module:Class.")
        loaded: Any = point.load()
        if not isinstance(loaded, type):
            return _problem(f"{entry_point} is a {type(loaded).__name__}: the entry point must name a class.")
        problems = hook_problems(loaded)
        if problems:
            return _problem(" ".join(problems))
        settings_class(loaded)
        return {
            "problem": "",
            "class": class_name(loaded),
            "file": file_of_class(loaded),
            "hooks": dict(implemented_hooks(loaded)),
            "data_models": [str(model) for model in data_models(loaded)],
        }
    except BaseException as error:  # noqa: BLE001  (it becomes a row of the list)
        return _problem(f"{words_of(error).rstrip('.')}{_place(error)}.")


def _problem(sentence: str) -> dict[str, Any]:
    return {"problem": sentence, "class": "", "file": "", "hooks": {}, "data_models": []}


def _place(error: BaseException) -> str:
    """Say where it was raised, where that is in a file of somebody else's."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename != __file__ and not any(part in frame.filename for part in _IMPORTING)
    ]
    if not frames or isinstance(error, SyntaxError):
        return ""
    return f" ({frames[-1].filename} line {frames[-1].lineno})"


def main() -> None:
    """Say that it begins, then answer for each plugin of the task, one line each, as soon as it is known.

    The task is the first argument: JSON with ``answers``, the descriptor to answer to, ``path``, folders to import from,
    and ``points``, the entry points.
    """
    task = json.loads(sys.argv[1])
    sys.path.extend(folder for folder in task["path"] if folder not in sys.path)
    answers = task["answers"]
    os.set_inheritable(answers, False)
    os.write(answers, b"ready\n")
    for entry_point in task["points"]:
        os.write(answers, json.dumps(look(entry_point)).encode() + b"\n")
    # Threads that plugins have left behind keep nobody waiting.
    os._exit(0)


if __name__ == "__main__":
    main()
