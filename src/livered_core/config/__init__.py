"""Configuration: layers of TOML, laid over each other and read strictly into attrs classes.

``merge(layers)`` then ``structure(merged, plugin_settings)`` gives a `Config`, or a `ConfigError` with every
problem at once.
"""

from livered_core.config.checkpoint import CheckpointConfig
from livered_core.config.dashboard import DashboardConfig
from livered_core.config.describe import Row, describe, plain
from livered_core.config.engine import EngineConfig
from livered_core.config.layers import (
    Layer,
    Merged,
    Source,
    environment_layer,
    instrument_name,
    merge,
    parse_layer,
    read_layer,
    standard_layers,
)
from livered_core.config.limits import LimitsConfig
from livered_core.config.mantid import MantidConfig
from livered_core.config.reload import ReloadConfig
from livered_core.config.runtime import run_directory, state_directory
from livered_core.config.schema import (
    Config,
    HooksConfig,
    LogConfig,
    PublishConfig,
    SourceConfig,
)
from livered_core.config.service import ServiceConfig
from livered_core.config.simulate import SimulateConfig
from livered_core.config.structure import structure
from livered_core.config.toml import dotted, toml_value
from livered_core.config.validators import TRANSFORM_HOOKS, format_address, parse_address

__all__ = [
    "TRANSFORM_HOOKS",
    "CheckpointConfig",
    "Config",
    "DashboardConfig",
    "EngineConfig",
    "HooksConfig",
    "Layer",
    "LimitsConfig",
    "LogConfig",
    "MantidConfig",
    "Merged",
    "PublishConfig",
    "ReloadConfig",
    "Row",
    "ServiceConfig",
    "SimulateConfig",
    "Source",
    "SourceConfig",
    "describe",
    "dotted",
    "environment_layer",
    "format_address",
    "instrument_name",
    "merge",
    "parse_address",
    "parse_layer",
    "plain",
    "read_layer",
    "run_directory",
    "standard_layers",
    "state_directory",
    "structure",
    "toml_value",
]
