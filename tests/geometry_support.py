"""Small definitions whose components parameters and logs move."""

from __future__ import annotations

import numpy as np

from livered_core.model import SlowLog

# A bank whose three pixels stand 0.1 m along its own x, y and z.
TRIPOD = """
<type name="tripod"><component type="pixel">
  <location x="0.1"/><location y="0.1"/><location z="0.1"/>
</component></type>
<idlist idname="ids" start="0" end="2"/>
"""


def tripod_at(location: str, more: str = "") -> str:
    return f'{TRIPOD}<component type="tripod" name="arm" idlist="ids">{location}{more}</component>'


def value(**settings: object) -> str:
    """Parameters with these values; an underscore stands for a hyphen."""
    return "".join(
        f'<parameter name="{name.replace("_", "-")}"><value val="{x}"/></parameter>'
        for name, x in settings.items()
    )


def by_log(name: str, log: str = "motor", extract: str = "", eq: str = "") -> str:
    """Write a parameter that a log says; what is empty is left out."""
    given = {"id": log, "extract-single-value-as": extract, "eq": eq}
    attributes = "".join(f' {key}="{text}"' for key, text in given.items() if text)
    return f'<parameter name="{name}"><logfile{attributes}/></parameter>'


def slow_log(values: object, seconds: object = None, name: str = "motor") -> SlowLog:
    array = np.array(values)
    times = np.arange(len(array)) if seconds is None else np.array(seconds)
    return SlowLog(name, "", "mm", times.astype(np.int64) * 10**9, array)


def inside(parameters: str) -> str:
    """A tripod within a shifted table."""
    return (
        f'{TRIPOD}<type name="table"><component type="tripod"><location>{parameters}</location></component></type>'
        '<component type="table" idlist="ids"><location y="1"/></component>'
    )
