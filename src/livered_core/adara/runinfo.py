"""The run info document: which experiment a run belongs to, its title and its sample.

The shape is that of the SMS: schema ``runinfo.xsd`` of the ADARA repository, with ``instrument_name`` added.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import attrs

from livered_core.adara.documents import child, local_name, parse, tagged, text_of, whole_number

_WHAT: Final = "run info"
_NAMESPACE: Final = "http://public.sns.gov/schema/runinfo.xsd"
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


@attrs.frozen
class RunDetails:
    """What the stream says of a run. All texts come from outside; a text that is not given is empty.

    Attributes
    ----------
    run_number
        0 when not given.
    proposal_id
        Such as ``IPTS-12345``.
    title
        Title of the run.
    proposal_title
        Title of the proposal.
    instrument, facility
        Such as ``NOM`` and ``SNS``.
    sample
        Fields of the sample by their names, such as ``name`` or ``chemical_formula``.
    """

    run_number: int = 0
    proposal_id: str = ""
    title: str = ""
    proposal_title: str = ""
    instrument: str = ""
    facility: str = ""
    sample: Mapping[str, str] = attrs.field(factory=dict)


def read_run_info(xml: str) -> RunDetails:
    """Read a run info document.

    Parameters
    ----------
    xml
        `RunInfoPacket.xml`.

    Returns
    -------
    RunDetails
        Fields that are missing are empty; those that are not known are left out.

    Raises
    ------
    ProtocolError
        When the document is not well formed, hostile, of another kind, or its run number is not a number.
    """
    root = parse(xml, "runinfo", _WHAT)
    number = text_of(root, "run_number")
    sample = child(root, "sample")
    return RunDetails(
        run_number=whole_number(number, "run_number", _WHAT) if number else 0,
        proposal_id=text_of(root, "proposal_id"),
        title=text_of(root, "run_title"),
        proposal_title=text_of(root, "proposal_title"),
        instrument=text_of(root, "instrument_name"),
        facility=text_of(root, "facility_name"),
        sample={local_name(field): (field.text or "").strip() for field in sample if len(field) == 0}
        if sample is not None
        else {},
    )


def run_info_xml(details: RunDetails) -> str:
    """Write a run info document as an SMS does, with all text escaped.

    Parameters
    ----------
    details
        Texts that are empty are left out.

    Returns
    -------
    str
        The document for a `RunInfoPacket`.

    Raises
    ------
    ValueError
        When the name of a field of the sample cannot be the name of an element.
    """
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<runinfo xmlns="{_NAMESPACE}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:schemaLocation="{_NAMESPACE} {_NAMESPACE}">',
        "   " + tagged("das_version", "livered simulator"),
        "   " + tagged("facility_name", details.facility),
        "   " + tagged("instrument_name", details.instrument),
        "   " + tagged("run_number", str(details.run_number)),
        "   <users>",
        "   </users>",
        "   " + tagged("proposal_id", details.proposal_id),
    ]
    for name, text in (("proposal_title", details.proposal_title), ("run_title", details.title)):
        if text:
            lines.append("   " + tagged(name, text))
    if details.sample:
        lines += ["   <sample>", *(f"      {_sample_field(*field)}" for field in details.sample.items())]
        lines.append("   </sample>")
    else:
        lines.append("   <no_sample_info/>")
    lines.append("</runinfo>")
    return "\n".join(lines)


def _sample_field(name: str, text: str) -> str:
    if not _NAME.fullmatch(name):
        message = (
            f"The sample field {name!r} cannot be written as run info: use letters, digits, '_', '-' and '.'."
        )
        raise ValueError(message)
    return tagged(name, text)
