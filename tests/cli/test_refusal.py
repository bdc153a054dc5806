"""What a service cannot be started with is in its log."""

from __future__ import annotations

import pytest

from livered_support import livered, private_environment


@pytest.mark.parametrize(
    ("text", "log", "said"),
    [
        (
            "update_evry = 5\n",
            "livereduce.log",
            "update_evry (c.toml) is not a key; did you mean update_every?",
        ),
        ("update_evry = 5\n[log]\nfile = 'my.log'\n", "my.log", "update_evry (c.toml) is not a key"),
        ("update_every = \n", "livereduce.log", "c.toml"),
        ("[plugins.nowhere]\n", "livereduce.log", "nowhere"),
        ("[log]\nfile = 7\n", "livereduce.log", "log.file"),
    ],
    ids=["a wrong key", "a log elsewhere", "no toml", "a plugin that is not there", "a log that is none"],
)
def test_the_log_of_a_service_says_why_it_does_not_start(tmp_path, text, log, said):
    (tmp_path / "c.toml").write_text(text)
    environment = private_environment(tmp_path, NOTIFY_SOCKET=str(tmp_path / "nobody"))
    done = livered(tmp_path, "run", "-i", "NOM", "--config", "c.toml", environment=environment)
    assert done.returncode == 2
    story = (tmp_path / log).read_text()
    assert "ERROR livered_core.cli.refusal: livered cannot start" in story
    assert said in story
    assert story.endswith("livered ends with exit code 2.\n")
    assert said in done.stderr
    assert done.stderr.count("livered: ") == 1


def test_a_person_who_types_it_wrong_gets_no_log(tmp_path):
    (tmp_path / "c.toml").write_text("update_evry = 5\n")
    assert livered(tmp_path, "run", "-i", "NOM", "--config", "c.toml").returncode == 2
    assert not list(tmp_path.glob("*.log"))


def test_that_there_can_be_no_log_is_said_once(tmp_path):
    (tmp_path / "c.toml").write_text("[log]\nfile = '/proc/no.log'\n")
    done = livered(tmp_path, "run", "-i", "NOM", "--config", "c.toml")
    assert done.returncode == 2
    assert (done.stdout + done.stderr).count("/proc/no.log cannot be written") == 1
