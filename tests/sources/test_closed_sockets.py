from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from livered_core.sources.closed_sockets import closed_by_peer
from waiting import until


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_connection_that_the_server_closed_is_seen_until_we_close_it(family, host):
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket(family))
        try:
            server.bind((host, 0))
        except OSError:
            pytest.skip("no IPv6 here")
        server.listen()
        port = server.getsockname()[1]
        client = stack.enter_context(socket.create_connection((host, port)))
        peer, _ = server.accept()
        assert closed_by_peer(port) == 0

        peer.close()
        until(lambda: closed_by_peer(port) == 1)

        client.close()
        assert closed_by_peer(port) == 0


def test_where_the_kernel_shows_nothing_nothing_is_closed(tmp_path):
    assert closed_by_peer(31415, tmp_path) == 0
