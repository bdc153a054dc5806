"""RunPythonScript."""

from __future__ import annotations

import re
from pathlib import Path
from types import TracebackType
from typing import Any

from mantid.api._ads import AnalysisDataService
from mantid.api._algorithm import Algorithm
from mantid.api._data import WorkspaceData
from mantid.api._declared import output, value, workspace
from mantid.api._handles import Workspace, handle
from mantid.api._manager import register

# What boost's \R takes for the end of a line, byte by byte: of UTF-8 the byte 0x85, too.
_END_OF_LINE = re.compile(rb"\r\n|[\n\v\f\r\x85]")
_INDENT = b" " * 8


@register
class RunPythonScript(Algorithm):
    """Execute a snippet of Python, wrapped into an algorithm."""

    declared = (
        workspace("InputWorkspace", "workspace", optional=True),
        value("Code", ""),
        value("Filename", ""),
        output(optional=True),
    )

    def validateInputs(self) -> dict[str, str]:
        if self["Code"] or self["Filename"]:
            return {}
        return {"Code": "Must specify python to execute", "Filename": "Must specify python to execute"}

    def exec(self) -> None:
        code = self._code()
        data = self["InputWorkspace"]
        names: dict[str, Any] = {
            "input": handle(data) if data is not None else None,
            "output": self.getPropertyValue("OutputWorkspace") or None,
        }
        del data
        made = _workspace_of(_run(code, names))
        if made is not None:
            name = self.getPropertyValue("OutputWorkspace")
            self["OutputWorkspace"] = made
            self._setting("OutputWorkspace").ws_name = name

    def _code(self) -> str:
        text = self["Code"].encode()
        if not text:
            path = Path(self["Filename"])
            try:
                text = path.read_bytes()
            except OSError as error:
                message = f"Unable to open file {path}"
                raise RuntimeError(message) from error
        lines = _END_OF_LINE.split(text)
        if lines and not lines[-1]:
            lines.pop()
        wrapped = [
            b"import mantid",
            b"from mantid.simpleapi import *",
            b"class _DUMMY_ALG(mantid.api.PythonAlgorithm):",
            b"    def PyExec(self, input=None,output=None):",
            *(_INDENT + line for line in lines),
            _INDENT + b"return input,output",
            b"input,output = _DUMMY_ALG().PyExec(input,output)",
        ]
        return b"\n".join(wrapped).decode("utf-8", "surrogateescape")


def _run(code: str, names: dict[str, Any]) -> Any:
    """Run with the globals of ``__main__``; any exception, of whatever kind, becomes a RuntimeError."""
    import __main__

    try:
        exec(code, __main__.__dict__, names)
    except BaseException as error:
        text = str(error) + _places(error.__traceback__)
        error.__traceback__ = None
        failure = RuntimeError(text)
    else:
        return names.get("output")
    finally:
        names.pop("_DUMMY_ALG", None)
    raise failure


def _places(traceback: TracebackType | None) -> str:
    text = ""
    word = "at"
    # The first frame is that of this module.
    traceback = traceback.tb_next if traceback is not None else None
    while traceback is not None:
        text += f"\n  {word} line {traceback.tb_lineno} in '{traceback.tb_frame.f_code.co_filename}'"
        word = "caused by"
        traceback = traceback.tb_next
    return text


def _workspace_of(made: Any) -> WorkspaceData | None:
    if made is None:
        return None
    if isinstance(made, Workspace):
        return made._data
    if isinstance(made, str):
        try:
            return AnalysisDataService._retrieve(made)
        except KeyError as error:
            raise RuntimeError(str(error)) from None
    message = "Invalid type assigned to 'output' variable. Must be a string or a Workspace object"
    raise RuntimeError(message)
