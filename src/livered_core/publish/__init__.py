"""Publishing: the newest result, the run directory, and the thread on which sinks are called."""
