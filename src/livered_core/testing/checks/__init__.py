"""What a plugin must do and must not do, checked on data: ``livered plugin check``, and ``check_plugin`` for tests.

One module for each subject: the class, the settings, results, lent data, accumulation, room, updates, state,
rare chunks, cost, sinks.
"""

from livered_core.testing.checks.finding import Finding, Verdict, problems
from livered_core.testing.checks.running import check_plugin
from livered_core.testing.checks.subject import Budget
from livered_core.testing.checks.table import CHECKS, Check

__all__ = ["CHECKS", "Budget", "Check", "Finding", "Verdict", "check_plugin", "problems"]
