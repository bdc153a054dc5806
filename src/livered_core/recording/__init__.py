"""Recorded streams: read as the bytes that a client would have got, written as they come, and summed up."""

from livered_core.recording.base import BLOCK_SIZE, Block, Recording
from livered_core.recording.cutting import ConnectionOpened, packets_of
from livered_core.recording.files import FileRecording
from livered_core.recording.nexus import NexusRecording
from livered_core.recording.opening import open_recording
from livered_core.recording.summary import RunSummary, Summary, summarise

__all__ = [
    "BLOCK_SIZE",
    "Block",
    "ConnectionOpened",
    "FileRecording",
    "NexusRecording",
    "Recording",
    "RunSummary",
    "Summary",
    "open_recording",
    "packets_of",
    "summarise",
]
