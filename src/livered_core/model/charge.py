"""Proton charge, of which a beamline's exposure is told."""

UAH_PER_PC = 1e-6 / 3600
"""Microampere hours in a picocoulomb."""
