"""``livered plugin new``: what it makes is a whole package, and what it cannot make leaves nothing behind."""

from __future__ import annotations

import ast
import errno
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import EntryPoint, PackageNotFoundError
from pathlib import Path

import pytest
from click.testing import CliRunner

from definition_support import CUBOID, definition
from examples_support import EXAMPLES, REPOSITORY
from livered_core import ConfigError
from livered_core.cli.plugin_new import new
from livered_core.config import parse_layer
from livered_core.diffraction.table import MAX_PIXELS
from livered_core.geometry import tof_from_wavelength
from livered_core.scaffold import KINDS, Request, make_plugin, making, names
from livered_core.scaffold.definition import FRAME_US, MIDDLE_WAVELENGTH, MOST_BANKS, SHORTEST_TOF_US, measure

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NOM_IDF = REPOSITORY / "plugins" / "nom" / "src" / "livered_nom" / "simulated_instrument.xml"
OWNED = "livered_nom.plugin:NomPlugin"
POINTS = [
    EntryPoint("NOM", OWNED, "livered.instruments"),
    EntryPoint("NOMAD", OWNED, "livered.instruments"),
    EntryPoint("scripts", "livered_core.hooks.scripts:ScriptsPlugin", "livered.plugins"),
    EntryPoint("post_it", "post_it:PostIt", "livered.plugins"),
]
ONLY_NATIVE = """
from livered_core import hookimpl

class P:
    data_models = ("native",)

    @hookimpl
    def process_chunk(self, chunk):
        return chunk.n_events
"""
NAMES = ("x", "result", "my_instrument", "the_second_target_station_diffractometer")


@pytest.fixture(autouse=True)
def without_the_tutorials(monkeypatch):
    """Who has followed the tutorial in this checkout has its packages installed, and runs these tests all the same."""
    theirs = ("my_instrument", "my-instrument", "my_sink", "my-sink")
    installed_at, points, distribution = names._installed_at, making.entry_points_now, names.distribution

    def unless_theirs(name):
        if name in theirs:
            raise PackageNotFoundError(name)
        return distribution(name)

    monkeypatch.setattr(names, "distribution", unless_theirs)
    monkeypatch.setattr(names, "_installed_at", lambda name: "" if name in theirs else installed_at(name))
    monkeypatch.setattr(
        making, "entry_points_now", lambda: [each for each in points() if each.dist.name not in theirs]
    )


def make(folder, name="my_instrument", kind="instrument", instrument=None, idf=None, points=POINTS):
    return make_plugin(Request(name, kind, instrument, folder, idf), points)


def hidden(module):
    """Return the imported names that a class of the module's own hides."""
    nodes = list(ast.walk(module))
    imports = [node for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom))]
    imported = {name.asname or name.name for node in imports for name in node.names}
    return imported & {node.name for node in nodes if isinstance(node, ast.ClassDef)}


def everything(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def texts_of(path):
    return path.read_text(encoding="utf-8")


def texts(made):
    return {name: (made.folder / name).read_text(encoding="utf-8") for name in made.files}


class TestWhatIsMade:
    def test_the_command_offers_what_can_be_made(self):
        (kind,) = (option for option in new.params if option.name == "kind")
        assert tuple(kind.type.choices) == KINDS

    def test_an_instrument(self, tmp_path):
        made = make(tmp_path, instrument="POWGEN")
        assert list(made.files) == [
            ".gitignore",
            "README.md",
            "pyproject.toml",
            "src/my_instrument/__init__.py",
            "src/my_instrument/defaults.toml",
            "src/my_instrument/plugin.py",
            "src/my_instrument/powgen.xml",
            "src/my_instrument/py.typed",
            "src/my_instrument/settings.py",
            "tests/test_my_instrument.py",
        ]
        project = tomllib.loads(texts(made)["pyproject.toml"])["project"]
        points = {"livered.instruments": {"POWGEN": "my_instrument.plugin:MyInstrumentPlugin"}}
        assert (project["name"], project["entry-points"]) == ("my-instrument", points)

    def test_without_an_instrument_it_is_called_as_the_plugin_in_capitals(self, tmp_path):
        assert "src/powgen/powgen.xml" in make(tmp_path, "powgen").files
        assert 'POWGEN = "powgen.plugin:PowgenPlugin"' in texts_of(tmp_path / "powgen" / "pyproject.toml")

    def test_a_sink(self, tmp_path):
        made = make(tmp_path, "run_list", "sink")
        project = tomllib.loads(texts(made)["pyproject.toml"])["project"]
        assert project["entry-points"] == {"livered.plugins": {"run_list": "run_list.plugin:RunListPlugin"}}
        assert not [name for name in made.files if name.endswith(".xml")]

    @pytest.mark.parametrize(
        ("instrument", "points", "tried"),
        [
            (None, POINTS, "livered run --instrument NOM --config "),
            (None, [], "livered plugin test run_list"),
            ("PG3", POINTS, "livered run --instrument PG3 --config "),
        ],
        ids=["installed", "nothing installed", "asked for"],
    )
    def test_a_sink_is_tried_with_an_instrument(self, tmp_path, instrument, points, tried):
        *_, last = make(tmp_path, "run_list", "sink", instrument, points=points).commands
        assert last.startswith(tried)

    def test_scripts(self, tmp_path):
        made = make(tmp_path, "pg_scripts", "scripts", "POWGEN")
        assert list(made.files) == [
            ".gitignore",
            "POWGEN.toml",
            "README.md",
            "powgen.xml",
            "reduce_POWGEN_live_post_proc.py",
            "reduce_POWGEN_live_proc.py",
            "tests/test_pg_scripts.py",
        ]
        config = tomllib.loads(texts(made)["POWGEN.toml"])
        assert config["backend"] == "mantid"
        assert "hooks" not in config

    def test_scripts_of_an_instrument_that_a_plugin_owns_say_who_reduces(self, tmp_path):
        made = make(tmp_path, "nom_scripts", "scripts", "NOMAD")
        owner = tomllib.loads(texts(made)["NOMAD.toml"])["hooks"]["owner"]
        assert owner == dict.fromkeys(("process_chunk", "accumulate", "post_process"), "scripts")

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("name", NAMES)
    def test_nothing_in_it_is_left_open(self, tmp_path, kind, name):
        made = make(tmp_path, name, kind, "PG3")
        for file, text in texts(made).items():
            assert "$" not in text, file
            assert "MODULE" not in file
            if file.endswith(".py") and "live_" not in file:
                assert not hidden(ast.parse(text))
            if file.endswith(".toml"):
                parse_layer(text, file, Path("/"))

    @pytest.mark.parametrize("kind", KINDS)
    def test_the_readme_names_every_file_but_those_that_are_empty_of_meaning(self, tmp_path, kind):
        made = make(tmp_path, kind=kind)
        for file in set(made.files) - {".gitignore", "README.md"}:
            if not file.endswith(("__init__.py", "py.typed")):
                assert f"`{file}`" in texts(made)["README.md"]

    def test_it_says_what_it_made_and_what_to_type_next(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "a folder").mkdir()
        arguments = ["my_instrument", "--instrument", "POWGEN", "--folder", "a folder"]
        said = CliRunner().invoke(new, arguments, catch_exceptions=False).output.splitlines()
        files = [line.strip() for line in said[1 : said.index("Next:")]]
        assert said[0] == "Made a folder/my_instrument:"
        assert all((tmp_path / "a folder" / "my_instrument" / file).is_file() for file in files)
        assert [line.strip() for line in said[said.index("Next:") + 1 :]] == [
            "pip install --editable './a folder/my_instrument[test]'",
            "python -m pytest 'a folder/my_instrument'",
            "livered plugin check my_instrument",
            "livered plugin test my_instrument",
            "livered run --instrument POWGEN --simulate --stop-after-run",
        ]

    def test_ruff_is_content(self, tmp_path):
        ruff = Path(sys.executable).with_name("ruff")
        if not ruff.exists():
            pytest.skip("there is no ruff beside this Python")
        select = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
        for kind in KINDS:
            make(tmp_path, f"my_{kind}", kind)
        options = [
            f"--select={','.join(select['select'])}",
            f"--ignore={','.join(select['ignore'])},D100,D103",
        ]
        style = ["--config", 'lint.pydocstyle.convention="numpy"', "--config", "line-length=110"]
        for arguments in (["check", *options, *style], ["format", "--check", "--config", "line-length=110"]):
            command = [ruff, *arguments, "--no-cache", "--target-version=py310", "."]
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr


def panel_at(angle, first_id=0):
    """Return the text of an instrument of one pixel, 10 m and 1 m from the sample."""
    inside = f"""
  <component type="pixel" idlist="pixels"><location r="1" t="{angle}"/></component>
  <type name="pixel" is="detector">{CUBOID}</type>
  <idlist idname="pixels"><id val="{first_id}"/></idlist>
"""
    return definition("ONE", -10.0, inside)


MOVED = panel_at(90).replace('t="90"/>', 't="90"/><parameter name="x"><logfile id="motor"/></parameter>')


class TestTheDefinition:
    def test_the_small_one(self, tmp_path):
        made = make(tmp_path, instrument="POWGEN")
        small = measure(texts(made)["src/my_instrument/powgen.xml"], "POWGEN", "the small one")
        assert (small.n_banks, small.n_pixels) == (2, 512)
        assert (small.tof_min_us, small.tof_max_us) == (300.0, 16_667.0)
        assert (small.d_min, small.d_max, small.group_by) == (0.4, 3.0, "bank")

    def test_a_file_is_copied_as_it_is(self, tmp_path):
        made = make(tmp_path, "nomx", idf=NOM_IDF)
        assert texts(made)["src/nomx/nomx.xml"] == NOM_IDF.read_text(encoding="utf-8")
        assert "assert len(counts) == 99" in texts(made)["tests/test_nomx.py"]

    def test_of_a_long_instrument_the_frame_is_where_powders_have_their_peaks(self):
        (idf,) = (EXAMPLES / "powder_diffractometer").rglob("powder.xml")
        long = measure(idf.read_text(), "PDX", str(idf))
        assert long.tof_max_us - long.tof_min_us == 16_667.0
        assert (long.tof_min_us + long.tof_max_us) / 2 == pytest.approx(
            tof_from_wavelength(1.3, 63.0), rel=0.001
        )

    def test_of_one_that_looks_forward_the_curves_are_where_it_sees_something(self):
        forward = measure(panel_at(2.0), "ONE", "one")
        assert 3.0 < forward.d_min < forward.d_max
        assert forward.d_min < forward.d_at(0.4) < forward.d_at(0.7) < forward.d_max

    def test_of_one_with_very_many_banks_one_curve_is_shown(self, tmp_path, monkeypatch):
        monkeypatch.setattr("livered_core.scaffold.definition.MOST_BANKS", 1)
        assert 'default="all"' in texts(make(tmp_path))["src/my_instrument/settings.py"]

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (None, "cannot be read (No such file or directory): correct the path."),
            (b"\xff\xfe\x00", "is not UTF-8 text: give an instrument definition (XML)."),
            (b"counts", "cannot be used: The instrument definition of MY_INSTRUMENT is not XML"),
            (b"<a/>", "has the root element <a>: it is not an instrument definition."),
            (definition("NONE", -10.0, "").encode(), "has no detector pixels."),
            (panel_at(90, -5).encode(), "has pixel ids from -5 to -5, and events can be focused of pixels"),
            (panel_at(90, 1 << 26).encode(), "has pixel ids from 67108864 to 67108864"),
            (
                MOVED.encode(),
                "has parts that are where logs say (motor), and the simulated beamline has none of them: give a copy",
            ),
            (panel_at(0).encode(), "has all its pixels in the direct beam"),
        ],
        ids=[
            "missing",
            "bytes",
            "text",
            "other xml",
            "no pixels",
            "negative",
            "huge",
            "moved by a log",
            "in the beam",
        ],
    )
    def test_one_that_cannot_be_used_is_refused(self, tmp_path, content, sentence):
        idf = tmp_path / "idf.xml"
        if content is not None:
            idf.write_bytes(content)
        before = everything(tmp_path)
        with pytest.raises(ConfigError) as refused:
            make(tmp_path, idf=idf)
        assert str(refused.value).startswith(f"--idf: {idf} ")
        assert sentence in str(refused.value)
        assert everything(tmp_path) == before


class TestThePage:
    TEXT = texts_of(REPOSITORY / "docs" / "plugin-new.md")

    def test_its_commands_make_what_it_says(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        shutil.copy2(NOM_IDF, tmp_path / "POWGEN_Definition.xml")
        commands = re.findall(r"^livered plugin new (.*)$", self.TEXT, re.MULTILINE)
        assert len(commands) == 3
        for arguments in commands:
            folder = tmp_path / arguments.split()[0]
            shutil.rmtree(folder, ignore_errors=True)
            CliRunner().invoke(new, arguments.split(), catch_exceptions=False)
            assert folder.is_dir()
        (listed,) = re.findall(r"^<!-- files of: instrument -->\n```text\n(.*?)^```$", self.TEXT, re.M | re.S)
        files = [
            name
            for name in everything(tmp_path / "my_instrument")
            if (tmp_path / "my_instrument" / name).is_file()
        ]
        assert files == listed.splitlines()
        assert "--config my_scripts/POWGEN.toml" in self.TEXT
        assert (tmp_path / "my_scripts" / "POWGEN.toml").is_file()

    def test_its_numbers_are_those_of_the_code(self):
        assert f"With more than {MOST_BANKS} banks" in self.TEXT
        assert f"above {MAX_PIXELS - 1:,}." in self.TEXT
        assert f"around {MIDDLE_WAVELENGTH:g} Angstrom" in " ".join(self.TEXT.split())
        assert (
            f"up to {(FRAME_US / 2 + SHORTEST_TOF_US) / tof_from_wavelength(MIDDLE_WAVELENGTH, 1.0):.0f} m"
            in self.TEXT
        )

    def test_it_names_every_kind(self):
        assert re.findall(r"^\| `(\w+)`", self.TEXT, re.MULTILINE) == list(KINDS)


class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "kind", "instrument", "sentence"),
        [
            ("My-Inst", "instrument", None, "'My-Inst' cannot be the name of a package: write small letters, digits and "
             "single underscores, beginning with a letter, such as my_inst."),
            ("1x", "sink", None, "such as my_instrument."),
            ("../x", "scripts", None, "such as x."),
            ("class", "scripts", None, "'class' is a word of Python's own and cannot be imported: choose another name, "
             "such as my_class."),
            ("json", "sink", None, "'json' is a module of Python itself, which the plugin would hide"),
            ("numpy", "instrument", None, "'numpy' is installed already, at "),
            ("livered_core", "instrument", None, "'livered_core' is installed already, at "),
            ("livered_nom", "instrument", "XX", "'livered_nom' is installed already, at "),
            ("x", "instrument", "a b", "The instrument must be a short instrument name such as NOM"),
            ("x", "scripts", "../b", "The instrument must be a short instrument name such as NOM"),
            ("x", "instrument", "nomad", f"nomad belongs already to the plugin nom (unknown distribution unknown version, "
             f"{OWNED}): change that one, uninstall it first, or give another instrument with --instrument."),
            ("x", "instrument", "SCRIPTS", "The instrument SCRIPTS would have the table [plugins.scripts], which belongs to "
             "scripts ("),
            ("post_it", "sink", None, "[plugins.post_it] belongs already to post_it ("),
            ("nom", "sink", None, "[plugins.nom] belongs already to nom ("),
        ],
        ids=["spelling", "digit", "path", "keyword", "standard library", "installed", "livered", "a plugin",
             "instrument's name", "instrument's path", "instrument taken", "table taken", "sink taken", "table of an instrument"],
    )  # fmt: skip
    def test_names(self, tmp_path, name, kind, instrument, sentence):
        with pytest.raises(ConfigError) as refused:
            make(tmp_path, name, kind, instrument)
        assert sentence in str(refused.value)
        assert "\n" not in str(refused.value)
        assert everything(tmp_path) == []

    def test_the_name_of_a_distribution(self, tmp_path, install):
        install("run-list", {"something_else.py": ""}, {})
        with pytest.raises(ConfigError, match=r"A package run-list is installed already \(version 1.0\)"):
            make(tmp_path / "site", "run_list")

    def test_scripts_beside_a_plugin_that_knows_no_mantid(self, tmp_path, install):
        install("only-native", {"only_native.py": ONLY_NATIVE}, {})
        points = [EntryPoint("ONLY", "only_native:P", "livered.instruments")]
        with pytest.raises(
            ConfigError, match="ONLY belongs to the plugin only .*, which does not work on Mantid's"
        ):
            make(tmp_path / "site", "mine", "scripts", "ONLY", points=points)

    def test_a_definition_for_a_sink(self, tmp_path):
        with pytest.raises(ConfigError, match="--idf: a sink has no instrument definition: leave it out."):
            make(tmp_path, "run_list", "sink", idf=NOM_IDF)

    @pytest.mark.parametrize("there", ["folder", "file", "link"])
    def test_something_is_there(self, tmp_path, there):
        target = tmp_path / "my_instrument"
        {"folder": target.mkdir, "file": target.touch, "link": lambda: target.symlink_to("nowhere")}[there]()
        with pytest.raises(
            ConfigError, match="my_instrument is there already: choose another name, or another place"
        ):
            make(tmp_path)
        assert everything(tmp_path) == ["my_instrument"]

    @pytest.mark.parametrize("number", [errno.ENOTEMPTY, errno.ENOTDIR])
    def test_another_was_faster(self, tmp_path, monkeypatch, number):
        def taken(*_arguments, **_more):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(Path, "rename", taken)
        with pytest.raises(ConfigError, match="my_instrument is there already: choose another name"):
            make(tmp_path)
        assert everything(tmp_path) == []

    def test_a_definition_without_an_end(self, tmp_path, monkeypatch):
        monkeypatch.setattr("livered_core.scaffold.definition.MOST_BYTES", 1000)
        with pytest.raises(ConfigError, match=r"--idf: /dev/zero is longer than 1,000 bytes"):
            make(tmp_path, idf=Path("/dev/zero"))
        assert everything(tmp_path) == []

    def test_no_folder(self, tmp_path):
        with pytest.raises(ConfigError, match="There is no folder .*nowhere: make it first"):
            make(tmp_path / "nowhere")

    @pytest.mark.parametrize("at", ["mkdir", "write_text", "rename"])
    def test_a_folder_that_cannot_be_written(self, tmp_path, monkeypatch, at):
        def full(*_arguments, **_more):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(Path, at, full)
        with pytest.raises(
            ConfigError, match=r"my_instrument cannot be written \(No space left on device\): make room"
        ):
            make(tmp_path)
        monkeypatch.undo()
        assert everything(tmp_path) == []

    def test_ctrl_c_in_the_middle(self, tmp_path, monkeypatch):
        def interrupted(*_arguments, **_more):
            raise KeyboardInterrupt

        monkeypatch.setattr(Path, "rename", interrupted)
        with pytest.raises(KeyboardInterrupt):
            make(tmp_path)
        assert everything(tmp_path) == []
