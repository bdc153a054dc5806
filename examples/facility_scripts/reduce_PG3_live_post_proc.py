# ruff: noqa: F821  (Mantid defines what is not defined here)
# Each update: what all chunks of the run gave, divided by the proton charge. `input` is a copy of it, and what has the
# name `output` is shown.
total = mtd[str(input)].readY(0).sum()
NormaliseByCurrent(InputWorkspace=input, OutputWorkspace=output)
logger.notice(f"{int(total)} counts so far")
