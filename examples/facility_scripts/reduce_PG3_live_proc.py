# ruff: noqa: F821  (Mantid defines what is not defined here)
# Each chunk: events of all pixels become one histogram over d-spacing. `input` is the chunk's workspace, `output` the
# name of what is to be accumulated; all of mantid.simpleapi is there.
ConvertUnits(InputWorkspace=input, OutputWorkspace="chunk_in_d", Target="dSpacing")
Rebin(
    InputWorkspace="chunk_in_d", OutputWorkspace="chunk_in_d", Params="0.5,-0.001,2.5", PreserveEvents=False
)
SumSpectra(InputWorkspace="chunk_in_d", OutputWorkspace=output)
DeleteWorkspace("chunk_in_d")
