from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from livered_core import SinkUnavailable
from livered_publish_monitor.credentials import Credentials, CredentialsSource, read_credentials

PASSWORD = "s3cret-Pa55word"


def read(path: Path) -> Credentials:
    return read_credentials(CredentialsSource(path))


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_private_file_gives_the_login(write_credentials: Callable[..., Path], mode: int) -> None:
    login = read(write_credentials(mode=mode))
    assert login.form() == {"username": "live", "password": PASSWORD}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o601])
def test_a_file_open_to_others_is_refused(write_credentials: Callable[..., Path], mode: int) -> None:
    with pytest.raises(SinkUnavailable, match="chmod 600"):
        read(write_credentials(mode=mode))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(write_credentials: Callable[..., Path]) -> None:
    path = write_credentials()
    os.chown(path, 65534, -1)
    with pytest.raises(SinkUnavailable, match="another user"):
        read(path)


def test_what_is_not_a_file_is_refused_without_hanging(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    for path, says in ((tmp_path / "none", "create it"), (tmp_path, "not a file"), (pipe, "not a file")):
        with pytest.raises(SinkUnavailable, match=says):
            read(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"username = 's3cret-Pa55word'",
        b"username = 'live'\npassword = ''",
        b"username = 'live'\npassword = 5",
        b"username = 'live'\npassword = s3cret-Pa55word",
        b"s3cret-Pa55word\xff",
        b'{"publisher_username": "live", "publisher_password": "s3cret-Pa55word"',
        b'{"publisher_username": "s3cret-Pa55word"}',
        b'{"publisher_username": "live", "publisher_password": ["s3cret-Pa55word"]}',
        b"{" * 60_000,
        b'{"username": "live", "password": "s3cret-Pa55word\\ud800"}',
    ],
)
def test_a_file_without_a_login_is_refused_and_nothing_of_it_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "monitor.toml"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(SinkUnavailable, match="two lines of TOML") as caught:
        read(path)
    told = traceback.format_exception(caught.value)
    assert PASSWORD not in "".join(told)


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_post_processing_conf_gives_the_login(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "post_processing.conf"
    values = {"publisher_username": "live", "publisher_password": PASSWORD, "amq_user": "other"}
    path.write_text(mark + json.dumps(values))
    path.chmod(0o600)
    assert read(path) == Credentials("live", PASSWORD)
    path.chmod(0o644)
    with pytest.raises(SinkUnavailable, match="chmod 600"):
        read(path)


def test_a_file_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "monitor.toml"
    path.write_bytes(b"#" * 70_000)
    path.chmod(0o600)
    with pytest.raises(SinkUnavailable, match="too large"):
        read(path)


class TestSystemd:
    """A credential that systemd hands to the service."""

    SOURCE = CredentialsSource(None, "monitor")

    def make(self, folder: Path, mode: int) -> dict[str, str]:
        path = folder / "monitor"
        path.write_text(f'username = "live"\npassword = "{PASSWORD}"\n')
        path.chmod(mode)
        return {"CREDENTIALS_DIRECTORY": str(folder)}

    # 0440: systemd gives the right to read in an access list, whose mask shows in the place of the group's rights.
    @pytest.mark.parametrize("mode", [0o400, 0o600, 0o440])
    def test_it_gives_the_login(self, tmp_path: Path, mode: int) -> None:
        assert read_credentials(self.SOURCE, self.make(tmp_path, mode)).password == PASSWORD

    @pytest.mark.parametrize("mode", [0o444, 0o460, 0o401])
    def test_open_to_others_it_is_refused(self, tmp_path: Path, mode: int) -> None:
        with pytest.raises(SinkUnavailable, match="open to others"):
            read_credentials(self.SOURCE, self.make(tmp_path, mode))

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
    def test_somebody_else_s_is_refused(self, tmp_path: Path) -> None:
        environ = self.make(tmp_path, 0o400)
        os.chown(tmp_path / "monitor", 65534, -1)
        with pytest.raises(SinkUnavailable, match="another user"):
            read_credentials(self.SOURCE, environ)

    def test_without_systemd_it_is_said_what_to_do(self) -> None:
        with pytest.raises(SinkUnavailable, match="LoadCredential=monitor:/path"):
            read_credentials(self.SOURCE, {})

    def test_one_that_is_not_there_is_said(self, tmp_path: Path) -> None:
        with pytest.raises(SinkUnavailable, match="create it"):
            read_credentials(self.SOURCE, {"CREDENTIALS_DIRECTORY": str(tmp_path)})

    def test_the_process_s_own_environment_is_looked_at(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", self.make(tmp_path, 0o400)["CREDENTIALS_DIRECTORY"])
        assert read_credentials(self.SOURCE).username == "live"
        assert str(self.SOURCE) == "the systemd credential monitor"


def test_the_password_is_in_no_representation() -> None:
    login = Credentials("live", PASSWORD)
    assert PASSWORD not in f"{login!r} {login}"
