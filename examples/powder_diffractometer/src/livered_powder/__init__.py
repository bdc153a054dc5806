"""A powder diffractometer in the manner of POWGEN, as a livered plugin."""
