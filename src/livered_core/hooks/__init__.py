"""Hooks: what plugins may do, which plugins there are, and how they are called."""
