"""Names of plugins in a configuration: a table ``[plugins.NAME]`` may run a plugin under another name than its own.

So one plugin can run several times in a session, each time with settings of its own: ``plugin = "publish_monitor"``
in ``[plugins.second]``. To the rest of livered these are plugins like others.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from livered_core.config.layers import Merged
from livered_core.config.toml import dotted
from livered_core.errors import ConfigError

OWN_NAME: Final = "plugin"
"""Key in the table of a plugin, for the name that its distribution gives it. No plugin can have a setting of that name."""
OWN_NAME_HELP: Final = "the plugin that runs under this name"

# Of threads, of folders and in addresses of keys.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}", re.ASCII)


def plugin_tables(merged: Merged) -> Mapping[str, Any]:
    """Give the tables of plugins, unchecked.

    Raises
    ------
    ConfigError
        When ``plugins`` is no table.
    """
    tables = merged.values.get("plugins", {})
    if not isinstance(tables, Mapping):
        origin = merged.origins.get("plugins", "")
        message = f"plugins ({origin}) must be a table of plugins, each with a table of its settings: [plugins.nom]."
        raise ConfigError(message)
    return tables


def plugins_own_names(merged: Merged, taken: Collection[str] = ()) -> dict[str, str]:
    """Say which plugin each table is for.

    Parameters
    ----------
    merged
        The configuration.
    taken
        Names under which no other plugin can run: of the instrument's plugin and of those that are built in.

    Returns
    -------
    dict of str to str
        Name of each table, in their order, to the plugin's own name: the same where the table does not say.

    Raises
    ------
    ConfigError
        With a sentence for each name that cannot be used.
    """
    names: dict[str, str] = {}
    problems: list[str] = []
    for name, table in plugin_tables(merged).items():
        own: Any = table.get(OWN_NAME, name) if isinstance(table, Mapping) else name
        key = dotted(("plugins", name, OWN_NAME))
        where = f"{key} ({merged.origins.get(key, 'environment')})"
        if not isinstance(own, str) or not own:
            problems.append(f'{where} must be the name of a plugin in quotes, such as "publish_monitor".')
        elif own != name and name in taken:
            problems.append(f"{where}: {name} is the name of a plugin itself; give the table another name.")
        elif own != name and not _NAME.fullmatch(name):
            problems.append(f"{where}: name the table with letters, digits, - and _, and not {name!r}.")
        else:
            names[name] = str(own)
    if problems:
        raise ConfigError(problems)
    return names


def without_own_name(table: Any) -> Any:
    """Leave out of a plugin's table what is not for the plugin; of anything else, leave it as it is."""
    return (
        {key: value for key, value in table.items() if key != OWN_NAME}
        if isinstance(table, Mapping)
        else table
    )
