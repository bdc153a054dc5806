"""Small-angle scattering on EQSANS, as a livered plugin."""
