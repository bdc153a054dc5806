"""Make the pages of public names (``docs/api.md``, ``docs/api-testing.md`` and others) of the docstrings.

``python docs/tools/make_api_reference.py``; a test says when the pages are not what this makes.
"""

from __future__ import annotations

import ast
import enum
import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(Path(__file__).parent))

from numpydoc_markdown import markdown  # noqa: E402  (it lies beside this file)

PAGES = {
    "api.md": ("livered_core", "What every plugin needs"),
    "api-diffraction.md": ("livered_core.diffraction", "From events to patterns, S(Q) and G(r)"),
    "api-geometry.md": ("livered_core.geometry", "Where pixels are, and what a time of flight means"),
    "api-references.md": ("livered_core.references", "Vanadium and other runs that a reduction needs"),
    "api-testing.md": ("livered_core.testing", "The test kit"),
}
"""The pages, the package that each is about, and what that is for."""

NOTE = "<!-- Made of the docstrings by docs/tools/make_api_reference.py: edit those, and run it. -->"

HEAD = """\
These packages are public: [what you may rely on](deprecations.md) says what that means. Everything else in livered may
change with any version. All are typed. Times are integer nanoseconds UTC since 1970 (`_ns`), proton charges picocoulomb
(`_pc`), and arrays that livered hands out are read-only or lent: each name says which.

| package | for |
|---|---|
{rows}
"""

SIMPLE = (bool, int, float, str, type(None))
WIDEST = 100
STARS: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}


def page(name: str) -> str:
    """Write one page.

    Raises
    ------
    ValueError
        When a public name has no docstring.
    """
    package, purpose = PAGES[name]
    module = importlib.import_module(package)
    parts = [f"# `{package}`: {purpose[0].lower()}{purpose[1:]}", NOTE]
    if name == "api.md":
        rows = "\n".join(f"| [`{other}`]({file}) | {what} |" for file, (other, what) in PAGES.items())
        parts.append(HEAD.format(rows=rows).rstrip())
    parts.append(markdown(inspect.getdoc(module) or ""))
    names = sorted(module.__all__, key=lambda name: (name.lower(), name))
    for public in names:
        parts.append("\n\n".join(entry(module, public)))
    return "\n\n".join(parts) + "\n"


def entry(module: ModuleType, name: str) -> Iterator[str]:
    """Write what there is to say of one public name, piece by piece."""
    thing = getattr(module, name)
    yield f"## `{name}`"
    # To some Pythons an alias such as Callable[[int], None] is a type as well.
    if isinstance(thing, type) and not hasattr(thing, "__origin__"):
        yield from _class(name, thing)
    elif inspect.isroutine(thing):
        yield _code(_call(name, thing, "def "))
        yield markdown(_doc(name, thing.__doc__))
    else:
        shown, text = _assigned(module, name)
        yield _code(f"{name} = {shown}" if len(shown) <= WIDEST else name)
        yield markdown(_doc(name, text))


def _class(name: str, kind: type) -> Iterator[str]:
    bases = [base.__name__ for base in kind.__bases__ if base is not object]
    if attrs.has(kind):
        pieces = [_field(field) for field in attrs.fields(kind) if field.init]
        yield _code(_wrapped(f"class {name}", pieces, ""))
    elif issubclass(kind, enum.Enum):
        members = "\n".join(f"    {member.name} = {_value(member.value)}" for member in kind)
        yield _code(f"class {name}(Enum):\n{members}")
    elif issubclass(kind, Exception) or "__init__" not in vars(kind):
        yield _code(f"class {name}({', '.join(bases)})" if bases else f"class {name}")
        if "__init__" in vars(kind):
            yield _code(_call(name, vars(kind)["__init__"]))
    else:
        yield _code(_call(name, vars(kind)["__init__"], "class "))
    yield markdown(_doc(name, kind.__doc__))
    for member, value in sorted(vars(kind).items()):
        if not member.startswith("_"):
            yield from _member(name, member, value)


def _member(owner: str, name: str, value: Any) -> Iterator[str]:
    """Write what a property or a method is; fields are in the docstring of the class."""
    path = f"{owner}.{name}"
    if isinstance(value, property):
        yield f"### `{path}`"
        yield markdown(_doc(path, value.__doc__))
    elif isinstance(value, (classmethod, staticmethod)) or inspect.isfunction(value):
        function = value.__func__ if isinstance(value, (classmethod, staticmethod)) else value
        yield f"### `{path}()`"
        yield _code(_call(path, function))
        yield markdown(_doc(path, function.__doc__))


def _call(name: str, function: Any, before: str = "") -> str:
    signature = inspect.signature(function)
    pieces: list[str] = []
    keyword_only = False
    for parameter in signature.parameters.values():
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword_only:
            keyword_only = True
            pieces.append("*")
        stars = STARS.get(parameter.kind, "")
        keyword_only = keyword_only or parameter.kind is parameter.VAR_POSITIONAL
        piece = f"{stars}{parameter.name}"
        if parameter.annotation is not parameter.empty:
            piece += f": {_annotation(parameter.annotation)}"
        if parameter.default is not parameter.empty:
            piece += f" = {_value(parameter.default)}"
        pieces.append(piece)
    back = signature.return_annotation
    # A class is called by its name, and "__init__" returns nothing.
    is_class = name[0].isupper() and "." not in name
    returns = "" if is_class or back is signature.empty else f" -> {_annotation(back)}"
    return _wrapped(before + name, pieces, returns)


def _field(field: attrs.Attribute[Any]) -> str:
    default = field.default
    piece = f"{field.alias or field.name}: {_annotation(field.type)}"
    if default is attrs.NOTHING:
        return piece
    factory = getattr(default, "factory", None)
    if factory is None:
        return f"{piece} = {_value(default)}"
    return f"{piece} = {factory.__name__}()" if factory in (dict, list, tuple) else f"{piece} = ..."


def _annotation(kind: Any) -> str:
    if isinstance(kind, str):
        return kind
    return "None" if kind is None else str(inspect.formatannotation(kind))


def _value(value: Any) -> str:
    if isinstance(value, enum.Enum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, str) and '"' not in value:
        # In the quotes that the formatter of the code, and of code in pages, wants.
        return '"' + repr(value + '"')[1:-2] + '"'
    if isinstance(value, tuple):
        items = ", ".join(map(_value, value))
        return f"({items},)" if len(value) == 1 else f"({items})"
    return repr(value) if isinstance(value, SIMPLE) else "..."


def _wrapped(head: str, pieces: list[str], returns: str) -> str:
    line = f"{head}({', '.join(pieces)}){returns}"
    if len(line) <= WIDEST:
        return line
    return f"{head}(\n" + "".join(f"    {piece},\n" for piece in pieces) + f"){returns}"


def _code(text: str) -> str:
    return f"```python\n{text}\n```"


def _doc(name: str, text: str | None) -> str:
    if not text or not text.strip():
        message = f"{name} is public and has no docstring: write one."
        raise ValueError(message)
    return inspect.cleandoc(text)


def _assigned(module: ModuleType, name: str) -> tuple[str, str]:
    """Find where a name that is no class and no function gets its value: the text of that, and of the docstring below."""
    while True:
        source = inspect.getsource(module)
        body = ast.parse(source).body
        for node, after in zip(body, [*body[1:], None], strict=True):
            targets: list[ast.expr] = []
            if isinstance(node, ast.Assign):
                targets = node.targets
            elif isinstance(node, ast.AnnAssign):
                targets = [node.target]
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                assert isinstance(node, (ast.Assign, ast.AnnAssign))
                assert node.value is not None
                shown = ast.get_source_segment(source, node.value) or "..."
                text = ast.unparse(after) if isinstance(after, ast.Expr) else "''"
                return " ".join(shown.split()), str(ast.literal_eval(text))
        module = _imported_from(module, source, name)


def _imported_from(module: ModuleType, source: str, name: str) -> ModuleType:
    # Everywhere: a package that imports when asked has its imports below TYPE_CHECKING.
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and any(alias.name == name for alias in node.names):
            return importlib.import_module(node.module or "")
    message = f"{name} is public, and {module.__name__} neither assigns it nor imports it by its name."
    raise ValueError(message)


def main() -> None:
    """Write the pages."""
    for name in PAGES:
        (REPOSITORY / "docs" / name).write_text(page(name), encoding="utf-8")


if __name__ == "__main__":
    main()
