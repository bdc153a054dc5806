"""The toy diffractometer, as a livered plugin."""
