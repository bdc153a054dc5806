"""Reduction: the order of the hooks, and the state of the run in hand."""
