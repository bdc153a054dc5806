"""Looking at a plugin's class: which hooks it implements, and what is wrong with them."""

from __future__ import annotations

import difflib
import inspect
from typing import Any, Final, Literal

from livered_core.hooks.markers import PROJECT
from livered_core.hooks.spec import LIFECYCLE, OUTWARD, TRANSFORMS, LiveredHooks

HOOKS: Final = (*LIFECYCLE, *TRANSFORMS, *OUTWARD)
_MARK: Final = f"{PROJECT}_impl"

Role = Literal["owner", "wrapper"]


def implemented_hooks(plugin_class: type) -> dict[str, Role]:
    """Return the hooks that a class implements, and whether it wraps them or owns them."""
    return {
        name: "wrapper" if options.get("wrapper") else "owner"
        for name, (_, options) in _marked_methods(plugin_class).items()
        if name in HOOKS
    }


def hook_arguments(hook: str) -> tuple[str, ...]:
    """Return the argument names of a hook specification."""
    return tuple(name for name in inspect.signature(getattr(LiveredHooks, hook)).parameters if name != "self")


def hook_problems(plugin_class: type) -> list[str]:
    """Check a plugin's hooks against the specifications.

    Parameters
    ----------
    plugin_class
        The class that an entry point names.

    Returns
    -------
    list of str
        One sentence for each problem: a misspelt hook, a hook without its marker, an argument that the hook
        does not have, a wrapper where there can be none; empty when all is well.
    """
    problems = []
    marked = _marked_methods(plugin_class)
    for name, (method, options) in marked.items():
        if name not in HOOKS:
            close = difflib.get_close_matches(name, HOOKS, n=1)
            hint = f"did you mean {close[0]}?" if close else f"the hooks are {', '.join(HOOKS)}."
            problems.append(f"{name} is marked with @hookimpl and there is no such hook: {hint}")
            continue
        unknown = [argument for argument in _arguments(method) if argument not in hook_arguments(name)]
        if unknown:
            takes = ", ".join(hook_arguments(name))
            problems.append(
                f"{name} asks for {', '.join(unknown)}, which it cannot get: the hook's arguments are {takes}."
            )
        if options.get("hookwrapper"):
            problems.append(
                f"{name} uses @hookimpl(hookwrapper=True): write @hookimpl(wrapper=True), which returns its result."
            )
        elif options.get("wrapper") and name not in TRANSFORMS:
            problems.append(f"{name} is a wrapper, and only {', '.join(TRANSFORMS)} can be wrapped.")
        elif options.get("wrapper") and not inspect.isgeneratorfunction(method):
            problems.append(
                f"{name} is a wrapper and never yields: what it wraps happens at `answer = yield`."
            )
    for name in HOOKS:
        if name not in marked and callable(getattr(plugin_class, name, None)):
            problems.append(
                f"{name} is the name of a hook and is not marked: put @hookimpl above it, or rename it."
            )
    if not marked and not problems:
        problems.append(
            f"{plugin_class.__name__} implements no hook: mark at least one method with @hookimpl."
        )
    return problems


def _marked_methods(plugin_class: type) -> dict[str, tuple[Any, dict[str, Any]]]:
    found = {}
    for name in dir(plugin_class):
        method = inspect.getattr_static(plugin_class, name)
        function = method.__func__ if isinstance(method, (staticmethod, classmethod)) else method
        options = getattr(function, _MARK, None)
        if isinstance(options, dict):
            found[name] = (function, options)
    return found


def _arguments(function: Any) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name not in ("self", "cls")]
