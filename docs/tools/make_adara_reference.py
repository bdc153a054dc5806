"""Make the tables of ``docs/adara-packets.md`` of the codec: which packets are read and written, in which versions.

``python docs/tools/make_adara_reference.py``; a test says when the page is not what this makes.
"""

from __future__ import annotations

from pathlib import Path

from livered_core.adara.decode import _DECODERS
from livered_core.adara.encode import _ENCODERS
from livered_core.adara.types import PacketType, PulseFlag, RunStatusCode

TARGET = Path(__file__).parents[1] / "adara-packets.md"

LOG = "a log of the sample environment: `chunk.logs`, and the page"
USES = {
    PacketType.RAW_EVENT: "passed over: it is on the way from a detector to the server, not from the server to a client",
    PacketType.RTDL: "the accelerator lives, with beam or without: this tells *no beam* from silence",
    PacketType.SOURCE_LIST: "passed over, as raw events",
    PacketType.MAPPED_EVENT: "passed over, as raw events",
    PacketType.BANKED_EVENT: "**the events**: each pulse with its charge, flags and banks",
    PacketType.BEAM_MONITOR_EVENT: "beam monitor events: `chunk.monitors`",
    PacketType.PIXEL_MAPPING: "which pixel is in which bank: `chunk.pixel_map`",
    PacketType.RUN_STATUS: "**begin and end of runs**",
    PacketType.RUN_INFO: "title, proposal and sample of the run",
    PacketType.TRANS_COMPLETE: "passed over: it is between the server and its translator",
    PacketType.CLIENT_HELLO: "sent, to say from when on data are wanted",
    PacketType.STREAM_ANNOTATION: "pause and resume; scans and comments are passed over",
    PacketType.SYNC: "passed over",
    PacketType.HEARTBEAT: "the server lives, and time goes on",
    PacketType.GEOMETRY: "the instrument definition: `chunk.instrument`",
    PacketType.BEAMLINE_INFO: "of a recording, the instrument's name; else passed over",
    PacketType.DATA_DONE: "passed over: it is between the server and its translator",
    PacketType.BEAM_MONITOR_CONFIG: "passed over",
    PacketType.DETECTOR_BANK_SETS: "passed over",
    PacketType.BANKED_EVENT_STATE: "**the events**, as of banked events; the states are passed over",
    PacketType.PIXEL_MAPPING_ALT: "which pixel is in which bank: `chunk.pixel_map`",
    PacketType.DEVICE_DESCRIPTOR: "names, units and kinds of the logs",
    PacketType.VARIABLE_U32: LOG,
    PacketType.VARIABLE_DOUBLE: LOG,
    PacketType.VARIABLE_STRING: LOG,
    PacketType.VARIABLE_U32_ARRAY: LOG,
    PacketType.VARIABLE_DOUBLE_ARRAY: LOG,
    PacketType.MULTIPLE_VARIABLE_U32: LOG,
    PacketType.MULTIPLE_VARIABLE_DOUBLE: LOG,
    PacketType.MULTIPLE_VARIABLE_STRING: LOG,
    PacketType.MULTIPLE_VARIABLE_U32_ARRAY: LOG,
    PacketType.MULTIPLE_VARIABLE_DOUBLE_ARRAY: LOG,
}
"""What the live client does with a packet of each type."""

STATUSES = {
    RunStatusCode.NO_RUN: "no run is going on",
    RunStatusCode.NEW_RUN: "a run begins: an edge",
    RunStatusCode.RUN_EOF: "a file of the server's ends; the run goes on",
    RunStatusCode.RUN_BOF: "the next file of the same run begins",
    RunStatusCode.END_RUN: "the run ends: an edge",
    RunStatusCode.STATE: "how things stand, to a client that has just come; a run that is new to it is joined",
    RunStatusCode.PROLOGUE: "as STATE, where the server repeats its prologue",
}
FLAGS = {
    PulseFlag.ERROR_PIXELS: "some events had the error bit of their pixel set",
    PulseFlag.PARTIAL_DATA: "data of the pulse are missing; left out with `leave_out_partial` in `[source]`",
    PulseFlag.PULSE_VETO: "the pulse was vetoed; left out with `leave_out_vetoed` in `[source]`",
    PulseFlag.MISSING_RTDL: "the accelerator said nothing of the pulse",
    PulseFlag.MAPPING_ERROR: "some pixels are not in the map",
    PulseFlag.DUPLICATE_PULSE: "another pulse with the same time: both are taken",
    PulseFlag.PCHARGE_UNCORRECTED: "the charge was not corrected to be that of this pulse",
    PulseFlag.VETO_UNCORRECTED: "the veto was not corrected to be that of this pulse",
    PulseFlag.GOT_METADATA: "values of devices came with it",
    PulseFlag.GOT_NEUTRONS: "neutrons came with it",
    PulseFlag.HAS_STATES: "its events are sorted by states",
}

HEAD = """\
# ADARA: what is supported

<!-- Made of the codec by docs/tools/make_adara_reference.py: edit that, and run it. -->

The packets of the ADARA network protocol, version 1.10, and what livered does with them. *Read* and *written* are the
versions of a packet's layout that `livered_core.adara` knows: `decode` reads them, `encode` writes them, byte by byte. A
type or a version that is not known is counted (`unknown_packets` in `status.json`), said once, and passed over by its
length: a newer server does not stop livered. Events in a version that is not known make the run incomplete.
[ADARA with livered](adara.md) shows how to look into a stream.

| type | packet | read | written | the live client |
|---|---|---|---|---|
"""


def page() -> str:
    """Write the whole page.

    Raises
    ------
    ValueError
        When something of the protocol is not described here.
    """
    missing = [
        *(name for name, packet in PacketType.__members__.items() if packet not in USES),
        *(name for name, code in RunStatusCode.__members__.items() if code not in STATUSES),
        *(name for name, flag in PulseFlag.__members__.items() if flag not in FLAGS),
    ]
    if missing:
        message = f"make_adara_reference.py does not describe {', '.join(missing)}."
        raise ValueError(message)
    lines = [HEAD.rstrip()]
    for packet in sorted(PacketType):
        lines.append(
            f"| `0x{packet:04X}` | {_name(packet.name)} | {_versions(read(packet))} | {_versions(written(packet))} "
            f"| {USES[packet]} |"
        )
    lines += ["", "## Run status", "", "| code | name | what it says |", "|---|---|---|"]
    lines += [f"| {code.value} | `{code.name}` | {text} |" for code, text in STATUSES.items()]
    lines += [
        "",
        "Only NEW_RUN and END_RUN are edges, and STATE for a client that joins. A packet with another code is said, counted",
        "as unreadable, and left out.",
    ]
    lines += ["", "## Flags of a pulse", "", "| bit | name | what it says |", "|---|---|---|"]
    lines += [f"| `0x{flag:03X}` | `{flag.name}` | {text} |" for flag, text in FLAGS.items()]
    lines += ["", "`EventBatch.flags` has them as they came, with bits that have no name here."]
    return "\n".join(lines) + "\n"


def read(packet: PacketType) -> list[int]:
    """Give the versions of a packet that are read."""
    return sorted(version for kind, version in _DECODERS if kind == packet)


def written(packet: PacketType) -> list[int]:
    """Give the versions of a packet that are written."""
    newest = [version for kind, version, _ in _ENCODERS.values() if kind == packet]
    return list(range(newest[0] + 1)) if newest else []


def _versions(versions: list[int]) -> str:
    return ", ".join(map(str, versions)) or "no"


def _name(name: str) -> str:
    return name.lower().replace("_", " ").replace("rtdl", "RTDL")


def main() -> None:
    """Write the page."""
    TARGET.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
