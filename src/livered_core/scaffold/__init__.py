"""Packages for plugin authors to begin with.

`make_plugin` fills the templates beside this file, which end in ``.in`` and are filled by `string.Template`, and puts
the result into place in one step.
"""

from livered_core.scaffold.making import Made, make_plugin
from livered_core.scaffold.request import KINDS, Kind, Request

__all__ = ["KINDS", "Kind", "Made", "Request", "make_plugin"]
