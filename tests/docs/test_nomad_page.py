"""The page on NOMAD is true: its tables are those of the settings, its commands are walked through."""

from __future__ import annotations

import re
import shlex
import signal
import socket

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from examples_support import REPOSITORY
from livered_core.cli import app
from livered_core.config.reference import with_plugin_tables
from livered_nom.settings import NomSettings
from livered_nom.settings_references import ReferenceSettings
from livered_nom.settings_total import TotalScatteringSettings
from livered_support import WAIT, livered, started

PAGE = (REPOSITORY / "docs" / "nomad.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^<!-- walk -->\n```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SHORTER = {"--run-length": "10"}


def test_the_tables_are_those_of_the_settings() -> None:
    assert with_plugin_tables(PAGE, "nom", NomSettings) == PAGE, (
        "run: python -m livered_core.config.reference --plugin nom livered_nom.settings:NomSettings docs/nomad.md"
    )


def test_the_settings_that_the_text_names_are_there() -> None:
    text = PAGE[: PAGE.index("<!-- The tables below")]
    keys = {
        field.name
        for kind in (NomSettings, ReferenceSettings, TotalScatteringSettings)
        for field in kind.__attrs_attrs__
    }
    named = set(re.findall(r"`([a-z][a-z_]+[a-z])`", text)) & keys
    assert {"leave_out_vetoed", "correct_rod", "level_q_min", "wanted_error", "run_files"} <= named
    metadata = {
        "events_per_second",
        "statistics",
        "statistical_error",
        "seconds_until_enough",
        "bins_without_vanadium",
        "use",
        "pystog",
    }
    others = {word for word in re.findall(r"`([a-z][a-z_]+[a-z])`", text) if not word.startswith("n_")}
    assert others - keys - metadata <= {"total_scattering"}


def test_every_option_named_is_there() -> None:
    for block in BLOCKS:
        _, name, *arguments = shlex.split(block)
        shown = CliRunner().invoke(app, [name, "--help"]).output
        for argument in arguments:
            assert not argument.startswith("--") or argument in shown, (name, argument)


def test_every_link_leads_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (REPOSITORY / "docs" / link).exists(), link


@pytest.mark.slow
def test_the_walk_at_the_desk(tmp_path) -> None:
    """Each command in its turn; with a free port, and shorter runs."""
    (settings,) = re.findall(r"^<!-- file: NOM.toml -->\n```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "NOM.toml").write_text(settings)
    *making, reducing = [shlex.split(block)[1:] for block in BLOCKS]
    for simulate, record in zip(making[::2], making[1::2], strict=True):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = str(listening.getsockname()[1])
        words = [word.replace("31415", port) for word in simulate]
        for option, value in SHORTER.items():
            words[words.index(option) + 1] = value
        with started(tmp_path, *words) as process:
            assert process.stdout is not None
            assert port in process.stdout.readline()
            done = livered(tmp_path, *[word.replace("31415", port) for word in record])
            assert done.returncode == 0, done
            process.send_signal(signal.SIGINT)
            assert process.wait(WAIT) == 0
    done = livered(tmp_path, *reducing)
    assert done.returncode == 0, done
    (written,) = tmp_path.rglob("NOM_1.h5")
    with h5py.File(written) as file:
        entry = file[file.attrs["default"]]
        found = {
            group["title"][()].decode(): group[group.attrs["signal"]][()]
            for group in entry.values()
            if isinstance(group, h5py.Group) and group.attrs.get("NX_class") == "NXdata" and "title" in group
        }
    assert {"S(Q)", "Q[S(Q)-1]", "G(r)", "bank 5 - 154 deg"} <= set(found)
    assert np.nanmax(found["S(Q)"]) > 5
