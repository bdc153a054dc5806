"""Packages for plugin authors to begin with."""
