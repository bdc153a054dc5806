"""A diffractometer that is reduced with scipp, as a livered plugin."""
