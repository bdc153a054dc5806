"""Results offered to sinks at once, in the thread that made them."""

from __future__ import annotations

from typing import Literal

import attrs

from livered_core.errors import HookError, SinkLater, SinkRejected
from livered_core.hooks.dispatch import Dispatcher
from livered_core.model import Receipt, Result, RunInfo, Update


@attrs.frozen(eq=False)
class Delivery:
    """What came of offering a result to a sink.

    Attributes
    ----------
    sink
        Name of the plugin.
    result, update
        What it was offered.
    outcome
        ``"taken"`` with a receipt, ``"nothing"`` to do (None), ``"later"`` (`SinkLater`), ``"rejected"``
        (`SinkRejected`), or ``"failed"``.
    receipt
        Of what was taken; else None.
    error
        What the sink raised, or what is wrong with what it returned; None where all is well.
    """

    sink: str
    result: Result
    update: Update
    outcome: Literal["taken", "nothing", "later", "rejected", "failed"]
    receipt: Receipt | None = None
    error: BaseException | None = None


def deliver(hooks: Dispatcher, sink: str, result: Result, run: RunInfo, update: Update) -> Delivery:
    """Offer a result to a sink, and report its failure as a publish thread does.

    Parameters
    ----------
    hooks
        The session's hooks.
    sink
        Name of the plugin.
    result, run, update
        What it is offered.
    """
    try:
        receipt = hooks.post_publish(sink, result, run, update)
    except SinkLater as later:
        return Delivery(sink, result, update, "later", error=later)
    except HookError as error:
        hooks.report(error.failure, run)
        cause = error.__cause__
        rejected = isinstance(cause, SinkRejected)
        return Delivery(sink, result, update, "rejected" if rejected else "failed", error=cause)
    return Delivery(sink, result, update, "nothing" if receipt is None else "taken", receipt)
