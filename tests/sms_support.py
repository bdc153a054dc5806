"""The test kit's stream server, under the names that the tests of livered have for it."""

from __future__ import annotations

from livered_core.testing.fake_stream_server import StreamServer as ScriptedServer
from livered_core.testing.fake_stream_server import stream_server as scripted_server
from livered_core.testing.stream_connection import PATIENCE_S as WAIT
from livered_core.testing.stream_connection import StreamConnection as Client

__all__ = ["WAIT", "Client", "ScriptedServer", "scripted_server"]
