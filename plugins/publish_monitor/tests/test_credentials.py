from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from livered_core import SinkUnavailable
from livered_publish_monitor.credentials import Credentials, read_credentials

PASSWORD = "s3cret-Pa55word"


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_private_file_gives_the_login(write_credentials: Callable[..., Path], mode: int) -> None:
    login = read_credentials(write_credentials(mode=mode))
    assert login.form() == {"username": "live", "password": PASSWORD}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o601])
def test_a_file_open_to_others_is_refused(write_credentials: Callable[..., Path], mode: int) -> None:
    with pytest.raises(SinkUnavailable, match="chmod 600"):
        read_credentials(write_credentials(mode=mode))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(write_credentials: Callable[..., Path]) -> None:
    path = write_credentials()
    os.chown(path, 65534, -1)
    with pytest.raises(SinkUnavailable, match="another user"):
        read_credentials(path)


def test_what_is_not_a_file_is_refused_without_hanging(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    for path, says in ((tmp_path / "none", "create it"), (tmp_path, "not a file"), (pipe, "not a file")):
        with pytest.raises(SinkUnavailable, match=says):
            read_credentials(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"username = 's3cret-Pa55word'",
        b"username = 'live'\npassword = ''",
        b"username = 'live'\npassword = 5",
        b"username = 'live'\npassword = s3cret-Pa55word",
        b"s3cret-Pa55word\xff",
    ],
)
def test_a_file_without_a_login_is_refused_and_nothing_of_it_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "monitor.toml"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(SinkUnavailable, match="two lines of TOML") as caught:
        read_credentials(path)
    told = traceback.format_exception(caught.value)
    assert PASSWORD not in "".join(told)


def test_the_password_is_in_no_representation() -> None:
    login = Credentials("live", PASSWORD)
    assert PASSWORD not in f"{login!r} {login}"
