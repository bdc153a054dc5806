"""Which logs an instrument definition wants."""

from __future__ import annotations

from livered_core.geometry.document import parse
from livered_core.model import InstrumentDefinition

_LONGEST_NAME = 200


def wanted_logs(definition: InstrumentDefinition) -> tuple[str, ...]:
    """Return the names of the logs to which parameters of a definition refer (``<logfile id="...">``).

    Mantid's listener waits for a value of each of them before it gives out data.

    Parameters
    ----------
    definition
        From outside, not to be trusted.

    Returns
    -------
    tuple of str
        Without repetitions, in the order of the document.

    Raises
    ------
    GeometryError
        When the text is not XML, or brings a document type or entities.
    """
    names = (element.get("id", "") for element in parse(definition.xml).iter("logfile"))
    return tuple(dict.fromkeys(name[:_LONGEST_NAME] for name in names if name))
