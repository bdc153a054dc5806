"""Settings of the livereduce service and of the client of a live data server become settings of livered."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core import ConfigError
from livered_core.config import merge, parse_layer, structure
from livered_core.config.importing import Document, read_json
from livered_core.config.livereduce import KEYS, Installed, import_livereduce
from livered_core.config.post_processing import import_post_processing, is_post_processing
from livered_core.config.toml import parse_toml
from livered_core.hooks.script_settings import ScriptsSettings

PLUGINS = {"TST": "TST", "TESTER": "TST", "NOMAD": "NOM", "NOM": "NOM"}


@pytest.fixture
def importer(tmp_path):
    """Import settings on a machine with scripts; returns the document's text and its values."""

    def imported(values, instrument=None, scripts=()):
        for name in scripts:
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text("output = input\n")
        document = Document()
        installed = Installed(lambda name: PLUGINS.get(name.upper()), tmp_path)
        name = import_livereduce(values, "livereduce.conf", instrument, installed, document)
        text = document.text("From a test.")
        table = parse_toml(text, "import")
        assert table["instrument"] == name
        return text, table

    return imported


def test_all_keys_at_once(importer, tmp_path):
    values = {
        "instrument": "POWGEN",
        "CONDA_ENV": "mantid-qa",
        "script_dir": "scripts",
        "update_every": 10,
        "preserve_events": False,
        "accum_method": "Append",
        "periods": [1, 3],
        "spectra": 7,
        "system_mem_limit_perc": 70,
        "mem_check_interval_sec": 1,
        "watchdog": {"interval": 60, "threshold": 300},
    }
    assert set(values) == set(KEYS) - {"PIXI_ENV"}
    names = [f"scripts/reduce_PG3_live_{stage}.py" for stage in ("proc", "post_proc")]
    text, table = importer(values, scripts=names)
    assert table == {
        "instrument": "PG3",
        "backend": "mantid",
        "update_every": 10.0,
        "mantid": {
            "environment": "conda:mantid_qa",
            "listener_properties": {"PeriodList": [1, 3], "SpectraList": [7]},
        },
        "limits": {"memory": "70%"},
        "plugins": {
            "scripts": {
                "process": str(tmp_path / names[0]),
                "post_process": str(tmp_path / names[1]),
                "accumulate": "append",
                "preserve_events": False,
            }
        },
    }
    not_carried_over = text[text.index("# Not carried over:") :]
    for key in ("mem_check_interval_sec", "watchdog"):
        assert f"# {key}: " in not_carried_over
    # livered itself takes it.
    config = structure(merge([parse_layer(text, "import", tmp_path)]), {"scripts": ScriptsSettings}, {})
    assert config.plugins["scripts"].process == tmp_path / names[0]
    assert config.mantid.listener_properties == {"PeriodList": [1, 3], "SpectraList": [7]}
    assert config.limits.memory_bytes(1000) == 700


def test_nothing_but_the_instrument_gives_the_service_s_defaults(importer):
    text, table = importer({"instrument": "REF_M"})
    assert table == {
        "instrument": "REF_M",
        "backend": "mantid",
        "update_every": 30.0,
        "mantid": {"environment": "pixi:mantid_dev"},
    }
    # Neither script is on this machine: their table is there as a comment.
    for line in (
        "# [plugins.scripts]",
        '# process = "/SNS/REF_M/shared/livereduce/reduce_REF_M_live_proc.py"',
        '# post_process = "/SNS/REF_M/shared/livereduce/reduce_REF_M_live_post_proc.py"',
    ):
        assert f"\n{line}\n" in text
    uncommented = re.sub(r"^# (?=\[|\w+ = )", "", text, flags=re.MULTILINE)
    assert parse_toml(uncommented, "import")["plugins"]["scripts"]["accumulate"] == "add"


@pytest.mark.parametrize(
    ("given_name", "option", "short", "livered_s", "mantid_s"),
    [
        ("NOMAD", None, "NOM", "NOM", None),
        ("Sequoia", None, "SEQ", "SEQ", None),
        ("TESTER", None, "TESTER", "TST", "TESTER"),
        ("ISIS_Histogram", None, "ISIS_Histogram", "ISIS_Histogram", None),
        ("POWGEN", "PG3", "PG3", "PG3", None),
        ("POWGEN", "mine", "PG3", "mine", "POWGEN"),
        (None, "PG3", "PG3", "PG3", None),
        # Scripts under another name than the short one are found, too.
        ("POWGEN", None, "POWGEN", "PG3", None),
    ],
)
def test_names_of_instruments_and_of_scripts(importer, given_name, option, short, livered_s, mantid_s):
    values = {"script_dir": "s", **({"instrument": given_name} if given_name else {})}
    _, table = importer(values, option, [f"s/reduce_{short}_live_post_proc.py"])
    assert table["instrument"] == livered_s
    assert table["mantid"].get("instrument") == mantid_s
    assert table["plugins"]["scripts"]["post_process"].endswith(f"/s/reduce_{short}_live_post_proc.py")


def test_a_script_that_is_not_there_is_said(importer, tmp_path):
    text, table = importer({"instrument": "SNAP", "script_dir": "s"}, scripts=["s/reduce_SNAP_live_proc.py"])
    assert "post_process" not in table["plugins"]["scripts"]
    path = f"{tmp_path}/s/reduce_SNAP_live_post_proc.py"
    assert f'\n# post_process = "{path}"  # there is no such file\n' in text


def test_an_installed_plugin_of_the_instrument_does_not_own_the_hooks(importer):
    _, table = importer({"instrument": "NOMAD", "script_dir": "s"}, scripts=["s/reduce_NOM_live_proc.py"])
    owner = {"process_chunk": "scripts", "accumulate": "scripts", "post_process": "scripts"}
    assert table["hooks"] == {"owner": owner}
    _, table = importer({"instrument": "SNAP", "script_dir": "s"}, scripts=["s/reduce_SNAP_live_proc.py"])
    assert "hooks" not in table
    # Without scripts the plugin reduces.
    text, table = importer({"instrument": "TST"})
    assert "hooks" not in table
    assert '\n# process_chunk = "scripts"\n' in text


@pytest.mark.parametrize(
    ("values", "environment"),
    [
        ({"PIXI_ENV": "mantid"}, "pixi:mantid"),
        ({"CONDA_ENV": "mantid-dev"}, "conda:mantid_dev"),
        ({"CONDA_ENV": "one", "PIXI_ENV": "two-qa"}, "pixi:two_qa"),
        ({}, "pixi:mantid_dev"),
    ],
)
def test_environments_have_the_service_s_names(importer, values, environment):
    _, table = importer({"instrument": "SNAP", **values})
    assert table["mantid"]["environment"] == environment


@pytest.mark.parametrize(("share", "memory"), [(80, "80%"), (62.5, "62.5%"), (0, 0)])
def test_the_memory_limit_is_livered_s(importer, share, memory):
    _, table = importer({"instrument": "SNAP", "system_mem_limit_perc": share})
    assert table["limits"] == {"memory": memory}


def test_every_wrong_value_is_said_in_a_sentence_of_its_own(importer):
    wrong = {
        "instrument": 5,
        "script_dir": "",
        "CONDA_ENV": ["x"],
        "PIXI_ENV": 1,
        "update_every": 0,
        "preserve_events": "yes",
        "accum_method": "add",
        "periods": [1, "2"],
        "spectra": [True],
        "system_mem_limit_perc": 0.5,
    }
    with pytest.raises(ConfigError) as caught:
        importer(wrong)
    assert len(caught.value.problems) == len(wrong)
    for key, sentence in zip(wrong, caught.value.problems, strict=True):
        assert sentence.startswith(f"{key} in livereduce.conf must be ")
    for update_every in (float("nan"), float("inf"), True, "30"):
        with pytest.raises(ConfigError, match="update_every"):
            importer({"instrument": "SNAP", "update_every": update_every})
    for share in (-1, 101, "70", True):
        with pytest.raises(ConfigError, match=r"system_mem_limit_perc .* from 1 to 100 per cent, or 0"):
            importer({"instrument": "SNAP", "system_mem_limit_perc": share})
    with pytest.raises(ConfigError, match="names no instrument, and neither does --instrument"):
        importer({})
    with pytest.raises(ConfigError, match="must be a short instrument name"):
        importer({"instrument": "../SNAP"})


def test_null_is_not_given(importer):
    _, table = importer(
        {"instrument": "SNAP", **dict.fromkeys(("periods", "spectra", "script_dir", "PIXI_ENV"))}
    )
    assert set(table["mantid"]) == {"environment"}


@given(st.dictionaries(st.text(max_size=20), st.none() | st.text(max_size=20), max_size=5))
def test_unknown_keys_are_named_and_the_document_stays_toml(values):
    document = Document()
    known = {"instrument": "SNAP", "script_dir": "/nowhere"}
    unknown = {key: value for key, value in values.items() if key not in KEYS}
    installed = Installed(lambda _: None, Path("/"))
    import_livereduce({**unknown, **known}, "x", None, installed, document)
    assert parse_toml(document.text("\n[x]\n"), "import") == {
        "instrument": "SNAP",
        "backend": "mantid",
        "update_every": 30.0,
        "mantid": {"environment": "pixi:mantid_dev"},
    }
    assert len(document.left_out) == len(unknown)


class TestPostProcessing:
    VALUES = {  # noqa: RUF012
        "publish_url_template": "https://m.example.org/plots/${instrument}/${run_number}/upload_plot_data/",
        "publisher_username": "someone",
        "publisher_password": 'hush "hush"',
        "publisher_certificate": "",
        "communication_only": 1,
    }

    def test_the_address_is_taken_and_the_login_is_apart(self):
        assert is_post_processing(self.VALUES)
        document = Document()
        login = import_post_processing(self.VALUES, "p.conf", "c.toml", document)
        text = document.text("")
        assert parse_toml(text, "import")["plugins"]["publish_monitor"] == {
            "url": "https://m.example.org/plots/{instrument}/{run}/upload_plot_data/",
            "credentials_file": "c.toml",
        }
        assert document.left_out == ("communication_only",)
        assert "hush" not in text + repr(login)
        kept = parse_toml(login.toml(), "login")
        assert kept == {"username": "someone", "password": 'hush "hush"'}

    def test_the_older_key_and_no_login(self):
        document = Document()
        values = {
            "publish_url": "https://m.example.org/{instrument}/{run_number}/",
            "publisher_certificate": "/c.pem",
        }
        assert import_post_processing(values, "p.conf", "c.toml", document) is None
        text = document.text("")
        assert "https://m.example.org/{instrument}/{run}/" in text
        assert "chmod 600" in text
        assert document.left_out == ("publisher_certificate",)

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            ({"publisher_password": ["hush"]}, "publisher_password in p.conf must be text"),
            ({"publish_url_template": ""}, "p.conf has no publish_url_template"),
            ({"publish_url_template": "https://m.example.org/"}, "does not say where the run's number goes"),
            ({"publish_url_template": "https://a:hush@m.org/{run}"}, "holds a login"),
        ],
    )
    def test_what_is_wrong_is_said_without_the_secret(self, change, sentence):
        with pytest.raises(ConfigError, match=sentence) as caught:
            import_post_processing({**self.VALUES, **change}, "p.conf", "c.toml", Document())
        assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b'{"a": 1', "is not valid JSON on line 1, column 8: expecting ',' delimiter; correct it there"),
        (b"", "is not valid JSON on line 1, column 1"),
        (b"[1]", "must hold an object"),
        (b'{"a": "\xff"}', r"is not UTF-8 text \(byte 7\)"),
        (b"[" * 100_000, "is not valid JSON: .* nested too deep"),
    ],
)
def test_what_is_no_json_is_said_in_a_sentence(tmp_path, content, sentence):
    (tmp_path / "l.conf").write_bytes(content)
    with pytest.raises(ConfigError, match=sentence) as caught:
        read_json(tmp_path / "l.conf")
    assert len(caught.value.problems) == 1


def test_a_file_that_is_not_there_and_one_with_a_mark(tmp_path):
    with pytest.raises(ConfigError, match=r"nix\.conf cannot be read \(No such file or directory\)"):
        read_json(tmp_path / "nix.conf")
    (tmp_path / "l.conf").write_text(json.dumps({"instrument": "SNAP"}), encoding="utf-8-sig")
    assert read_json(tmp_path / "l.conf") == {"instrument": "SNAP"}
