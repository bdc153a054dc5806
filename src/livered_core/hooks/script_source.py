"""Files of Python that Mantid runs as live data scripts: how they are read and compiled.

Mantid's RunPythonScript writes the text of a script, indented, into the method ``PyExec`` of a class. Here the file
is parsed, and its statements become the body of a function ``PyExec(self, input=None, output=None)`` that ends with
``return input, output``: the script has the same variables, and its locals live as long. What differs, on purpose:

- tracebacks name the script's own file and lines;
- texts in triple quotes keep their lines as they stand (Mantid adds eight spaces to each);
- text of any encoding works (Mantid takes the byte 0x85, of ``Å`` for example, for the end of a line), as the file's
  ``coding`` comment says, UTF-8 without one;
- ``from module import *`` works outside functions (in Mantid a SyntaxError): its names become global ones of the scripts;
- ``from __future__ import ...`` works;
- names that begin with two underscores are not changed, as they are within a class.
"""

from __future__ import annotations

import ast
import hashlib
import io
import linecache
import tokenize
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType
from typing import Any, Final

import attrs

from livered_core.errors import PluginError

METHOD: Final = "PyExec"
"""Name of the function: Mantid's simpleapi looks for it on the stack."""
_LARGEST: Final = 10_000_000
"""Bytes; what is larger is no script."""


class ScriptError(PluginError):
    """A script cannot be read or compiled, or failed; the sentence names it and, where there is one, the line."""


@attrs.frozen(eq=False)
class Script:
    """A script that compiled.

    Attributes
    ----------
    path
        Its file.
    sha256
        Of the file's bytes, hexadecimal.
    code
        Defines `METHOD` when it is executed.
    bare_returns
        Lines with a ``return`` without values, which must not be reached.
    """

    path: Path
    sha256: str
    code: CodeType = attrs.field(repr=False)
    bare_returns: tuple[int, ...] = ()

    @property
    def short_sha256(self) -> str:
        """The first twelve digits, for people."""
        return self.sha256[:12]

    def function(self, namespace: dict[str, Any]) -> Callable[..., Any]:
        """Make the function ``PyExec(self, input=None, output=None)``.

        Parameters
        ----------
        namespace
            The script's global variables. The function is not left among them.
        """
        made: dict[str, Any] = {}
        exec(self.code, namespace, made)  # noqa: S102  (running the person's script is what this is for)
        function: Callable[..., Any] = made[METHOD]
        return function

    def line_of(self, error: BaseException) -> int:
        """Return the line of this script at which an error came up; 0 when it did not come through it."""
        line, trace = 0, error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == str(self.path):
                line = trace.tb_lineno
            trace = trace.tb_next
        return line


def read_content(path: Path) -> bytes:
    """Read a script's file.

    Raises
    ------
    ScriptError
        When it cannot be read, or is no script by its size.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        message = f"The script {path} cannot be read ({error.strerror or error}): check the path and its permissions."
        raise ScriptError(message) from error
    if len(content) > _LARGEST:
        message = f"The script {path} is larger than {_LARGEST // 1_000_000} MB: name another file."
        raise ScriptError(message)
    return content


def digest(content: bytes) -> str:
    """Return the SHA-256 of a script's bytes, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def compile_script(path: Path, content: bytes) -> Script:
    """Compile the bytes of a script.

    Parameters
    ----------
    path
        Its file, which tracebacks name.
    content
        What is in it.

    Raises
    ------
    ScriptError
        When it is empty or not valid Python; the sentence names file and line.
    """
    try:
        text = _decoded(content)
        body = ast.parse(text, str(path)).body
        if not body:
            message = f"The script {path} holds no statement: write one, or take it out of the configuration."
            raise ScriptError(message)
        bare_returns = _checked_outside_functions(path, body)
        code = compile(_module(body), str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        where = f" line {error.lineno}" if error.lineno else ""
        message = f"{path}{where} is not valid Python: {error.msg}."
        raise ScriptError(message) from error
    except (ValueError, RecursionError, MemoryError) as error:
        message = f"{path} is not valid Python: {str(error) or type(error).__name__}."
        raise ScriptError(message) from error
    # Tracebacks show these lines also when the file has others by then; without a time they are not read again.
    lines = io.StringIO(text).readlines()
    linecache.cache[str(path)] = (len(text), None, lines, str(path))
    return Script(path, digest(content), code, bare_returns)


def _decoded(content: bytes) -> str:
    """Return the text, with line feeds alone, in the encoding that a comment or a mark at its beginning says (PEP 263)."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    return io.TextIOWrapper(io.BytesIO(content), encoding, newline=None).read()


def _module(body: list[ast.stmt]) -> ast.Module:
    """Put the statements into a function; imports from ``__future__`` must stand in front of it."""
    future = [each for each in body if isinstance(each, ast.ImportFrom) and each.module == "__future__"]
    rest = [_GlobalStars().visit(each) for each in body if each not in future]
    module = ast.parse(f"def {METHOD}(self, input=None, output=None):\n    return input, output\n")
    function = module.body[0]
    assert isinstance(function, ast.FunctionDef)
    for node in ast.walk(function):
        # A failure of these two lines is none of the script's; they are its last ones.
        if hasattr(node, "lineno"):
            ast.copy_location(node, body[-1])
    function.body = [*rest, *function.body]
    module.body = [*future, function]
    return ast.fix_missing_locations(module)


class _GlobalStars(ast.NodeTransformer):
    """``from module import *`` as a statement that may stand in a function; within functions it stays an error."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        """Replace it."""
        if [alias.name for alias in node.names] != ["*"]:
            return node
        statement = ast.parse(f"exec({ast.unparse(node)!r}, globals())").body[0]
        for each in ast.walk(statement):
            ast.copy_location(each, node)
        return statement

    def _stay_out(self, node: ast.AST) -> ast.AST:
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = visit_Lambda = _stay_out  # noqa: N815


def _checked_outside_functions(path: Path, body: list[ast.stmt]) -> tuple[int, ...]:
    """Refuse what would make the script something else than a sequence of statements; return lines of bare returns."""
    returns = []
    for node in _outside_functions(body):
        if isinstance(node, ast.Yield | ast.YieldFrom):
            message = f"{path} line {node.lineno} is not valid Python: 'yield' outside function."
            raise ScriptError(message)
        if isinstance(node, ast.Return) and node.value is None:
            returns.append(node.lineno)
    return tuple(returns)


def _outside_functions(body: list[ast.stmt]) -> Iterator[ast.AST]:
    pending: list[ast.AST] = list(body)
    while pending:
        node = pending.pop(0)
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            pending.extend(ast.iter_child_nodes(node))
