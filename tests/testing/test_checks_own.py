"""The checks find nothing wrong with the plugins of this repository."""

from __future__ import annotations

from checks_support import IN_PROCESS
from livered_core.publish.files import FilesPlugin
from livered_core.testing import MonitorServer, check_plugin, problems


def test_nothing_is_wrong_with_nom():
    from livered_nom.plugin import NomPlugin

    findings = check_plugin(NomPlugin, only=IN_PROCESS)
    assert problems(findings) == []
    assert {
        finding.verdict.value for finding in findings if finding.subject in ("accumulation", "state")
    } == {"ok"}


def test_nothing_is_wrong_with_files():
    assert problems(check_plugin(FilesPlugin, only=IN_PROCESS)) == []


def test_nothing_is_wrong_with_publish_monitor(tmp_path):
    from livered_publish_monitor.plugin import PublishMonitorPlugin

    login = tmp_path / "login.toml"
    login.touch(mode=0o600)
    login.write_text('username = "live"\npassword = "s3cret-Pa55word"\n')
    with MonitorServer() as server:
        settings = {"url": server.url, "credentials_file": login}
        findings = check_plugin(PublishMonitorPlugin, settings, only=IN_PROCESS)
        assert problems(findings) == []
        assert {finding.verdict.value for finding in findings if finding.subject == "sinks"} == {"ok"}
        # An update and a final result; a final result twice, which is posted once; and two more.
        assert len(server.uploads) == 5
