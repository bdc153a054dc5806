"""What livered obeys and everybody on the machine could change is told of."""

from __future__ import annotations

import os

import pytest

from adara_support import banked, end_run, geometry, new_run, run_info
from livered_core.config.rights import open_to_everybody
from livered_support import livered, private_environment
from sms_support import scripted_server

PLUGIN = """
    import attrs
    from pathlib import Path
    from livered_core import hookimpl

    @attrs.frozen
    class Settings:
        script: Path | None = None

    @attrs.define(eq=False)
    class Instrument:
        settings_class = Settings
        settings: Settings = Settings()

        @hookimpl
        def process_chunk(self, chunk, run):
            return chunk.n_events

        @hookimpl
        def post_process(self, accumulated, run, update):
            return None
"""


@pytest.fixture
def folder(tmp_path):
    """A folder that is its owner's, in one in which everybody may make files, as /tmp is."""
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp").chmod(0o1777)
    made = tmp_path / "tmp" / "mine"
    made.mkdir(mode=0o755)
    return made


@pytest.mark.promise("S19")
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664])
def test_what_its_owner_and_its_group_may_change_is_well(folder, mode):
    file = folder / "NOM.toml"
    file.write_text("")
    file.chmod(mode)
    assert open_to_everybody(file) == ""
    assert open_to_everybody(folder / "none.toml") == ""


@pytest.mark.promise("S19")
def test_a_file_that_everybody_may_change_is_told(folder):
    file = folder / "NOM.toml"
    file.write_text("")
    file.chmod(0o646)
    assert open_to_everybody(file) == (
        f"Everybody on this machine can change {file}, and so what livered runs: chmod o-w {file}"
    )
    link = folder / "link.toml"
    link.symlink_to(file)
    assert f"can change {link}" in open_to_everybody(link)


@pytest.mark.promise("S19")
def test_a_folder_in_which_everybody_may_put_another_one_is_told(folder):
    (folder / "open").mkdir()
    (folder / "open").chmod(0o777)
    (folder / "open" / "below").mkdir()
    file = folder / "open" / "below" / "reduce.py"
    file.write_text("")
    assert open_to_everybody(file).endswith(f"chmod o-w {folder / 'open'}")
    link = folder / "link.py"
    link.symlink_to(file)
    assert open_to_everybody(link).endswith(f"chmod o-w {folder / 'open'}")


def whole_run(client):
    client.send(geometry(), new_run(7), run_info(7), banked(0), banked(1), end_run(7))
    client.hold()


@pytest.mark.promise("S19")
def test_livered_tells_of_its_configuration_its_plugin_and_its_scripts(folder, install):
    site = install(
        "livered-rgt", {"rgt_plugin.py": PLUGIN}, {"livered.instruments": ["RGT = rgt_plugin:Instrument"]}
    )
    script, config = folder / "reduce.py", folder / "c.toml"
    script.write_text("output = input\n")
    config.write_text(f'[plugins.rgt]\nscript = "{script}"\n')
    environment = private_environment(
        folder, PYTHONPATH=os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
    )
    given = ("-i", "RGT", "--config", config)
    check = ("check", "--no-connect", *given)
    assert "Everybody" not in livered(folder, *check, environment=environment).stderr
    files = (script, config, site / "rgt_plugin.py")
    for file in files:
        file.chmod(0o666)
    told = livered(folder, *check, environment=environment).stderr
    with scripted_server(whole_run) as server:
        command = ("run", "--plain", "--stop-after-run", "--address", server.address, *given)
        assert livered(folder, *command, environment=environment).returncode == 0
    log = (folder / "livereduce.log").read_text()
    for file in files:
        sentence = f"Everybody on this machine can change {file}, "
        assert f"livered: Warning: {sentence}" in told
        assert f"WARNING livered_core.cli.running: {sentence}" in log
