"""What the reductions with Mantid share: its workspaces as curves, logs and sums, and its algorithms as functions.

The package is public, and imports mantid only when something of it is called that needs Mantid.
"""

from livered_core.workspaces.adding import add_workspaces
from livered_core.workspaces.algorithms import (
    held,
    make_group,
    named,
    remove_named,
    run_algorithm,
    run_algorithm_for,
)
from livered_core.workspaces.curves import MOST_CURVES, curves_of
from livered_core.workspaces.kinds import Kind, kind_of, members_of, n_events_of
from livered_core.workspaces.logs import run_of, slow_logs_of, times_ns_of
from livered_core.workspaces.spectrum import whole_detector

__all__ = [
    "MOST_CURVES",
    "Kind",
    "add_workspaces",
    "curves_of",
    "held",
    "kind_of",
    "make_group",
    "members_of",
    "n_events_of",
    "named",
    "remove_named",
    "run_algorithm",
    "run_algorithm_for",
    "run_of",
    "slow_logs_of",
    "times_ns_of",
    "whole_detector",
]
