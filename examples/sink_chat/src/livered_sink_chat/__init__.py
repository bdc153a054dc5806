"""A sink: one line in a chat for each run, when its final result is there."""

import time
from pathlib import Path

import attrs
import httpx

from livered_core import Receipt, RunInfo, SinkUnavailable, Update, hookimpl


@attrs.frozen
class ChatSettings:
    """The table ``[plugins.sink_chat]``."""

    webhook_file: Path = attrs.field(metadata={"help": "file that holds the address of the chat's webhook"})


@attrs.define(eq=False)
class SinkChat:
    settings_class = ChatSettings

    settings: ChatSettings

    @hookimpl
    def post_publish(self, run: RunInfo, update: Update) -> Receipt | None:
        if not update.final:
            return None
        name = f"{run.instrument} {run.number}"
        text = f"{name}: {update.n_events:,} events. {' '.join(update.missing) or 'Complete.'}"
        url = self.settings.webhook_file.read_text(encoding="utf-8").strip()
        answer = httpx.post(url, json={"text": text}, headers={"Idempotency-Key": name}, timeout=10.0)
        if not answer.is_success:
            raise SinkUnavailable(f"The chat answers {answer.status_code} to a message.")
        return Receipt(where="the chat", when_ns=time.time_ns(), size=len(answer.request.content))
