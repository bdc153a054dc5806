"""A beamline to talk to: a stream management server whose neutrons come from a random number generator."""
