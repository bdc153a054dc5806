"""``livered plugins``: what is installed, why it runs or does not, and what its hooks have done."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from pathlib import Path

import pytest

from livered_core.cli.plugins import plugins
from livered_core.cli.plugins_seen import hook_lines, rows_in
from livered_core.cli.plugins_table import Use, table
from livered_core.cli.plugins_wanted import Wanted, wanted_of
from livered_core.cli.status import status
from livered_core.engine.plugin_look import Look, look_at
from livered_core.engine.plugin_points import InstalledPlugin, file_of_module, installed_plugins
from livered_support import private_environment
from waiting import WAIT, until
from written_engine import hook_row, plugin_row, written_engine

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
NASTY = "T\x9b31mX \u202edesrever\nsecond\x1b[2J"
FORBIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
GOOD = """
    from livered_core import hookimpl
    print("noise on stdout")
    class Instrument:
        @hookimpl
        def process_chunk(self, chunk): return chunk
    class Filter:
        data_models = ("native",)
        @hookimpl(wrapper=True)
        def process_chunk(self, chunk): return (yield)
    class Misspelt:
        @hookimpl
        def proces_chunk(self, chunk): ...
    def function(): ...
"""
BROKEN = {
    "import_fails": (
        "pl_fails:X",
        "import no_such_module",
        "No module named 'no_such_module' ({site}/pl_fails.py line 1)",
    ),
    "exits": (
        "pl_exits:X",
        "raise SystemExit('no licence')",
        "SystemExit: no licence ({site}/pl_exits.py line 1)",
    ),
    "dies": ("pl_dies:X", "import os; os._exit(7)", "importing it ends Python (exit status 7)"),
    "killed": ("pl_killed:X", "import os; os.kill(os.getpid(), 9)", "importing it ends Python (SIGKILL)"),
    "syntax": ("pl_syntax:X", "def (", "SyntaxError: invalid syntax (pl_syntax.py, line 1)"),
    "function": ("pl_good:function", "", "is a function: the entry point must name a class"),
    "misspelt": ("pl_good:Misspelt", "", "did you mean process_chunk?"),
    "no_class": ("pl_good:Nobody", "", "has no attribute 'Nobody'"),
    "no_module": ("pl_nowhere:X", "", "No module named 'pl_nowhere'"),
    "no_place": (
        "nowhere at all",
        "",
        "nowhere at all is no entry point: it must name a class as module:Class",
    ),
    "nasty": ("pl_nasty:X", f"raise ValueError({NASTY!r})", "ValueError: T 31mX desrever second [2J"),
    "last": ("pl_good:Filter", "", ""),
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The environment of this process is private, and so is its folder."""
    for name, value in private_environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(capsys, *arguments, code=0):
    """Run the command here; return what it wrote to stdout and stderr."""
    with pytest.raises(SystemExit) as end:
        plugins.main(list(arguments), standalone_mode=False)
    said = capsys.readouterr()
    assert not FORBIDDEN.search(said.out + said.err)
    assert end.value.code == code, said.err
    return said.out, said.err


def rows_of(out):
    document = json.loads(out, parse_constant=pytest.fail)
    assert document["format"] == 1
    return {row["name"]: row for row in document["plugins"]}


def test_each_plugin_that_is_broken_is_a_row_with_why_and_the_others_are_as_ever(here, install, capsys):
    modules = {f"{where.partition(':')[0]}.py": text for where, text, _ in BROKEN.values() if text}
    points = [f"{name} = {where}" for name, (where, _, _) in BROKEN.items()]
    groups = {
        "livered.plugins": points,
        "livered.instruments": ["PLT = pl_good:Instrument", "PLTEST = pl_good:Instrument"],
    }
    site = install("livered-pl", {**modules, "pl_good.py": GOOD}, groups, version="2.5")
    rows = rows_of(told(capsys, "--json")[0])
    for name, (where, _, reason) in BROKEN.items():
        row = rows[name]
        assert (row["state"], row["entry_point"]) == ("broken" if reason else "installed", where), name
        assert reason.format(site=site) in row["reason"], name
        assert row["file"] == (
            str(site / f"{where.partition(':')[0]}.py") if "nowhere" not in where else ""
        ), name
        assert (row["distribution"], row["version"]) == ("livered-pl", "2.5")
    last = rows["last"]
    assert (last["kind"], last["data_models"]) == ("wrapper", ["native"])
    assert last["hooks"] == [{"hook": "process_chunk", "role": "wrapper"}]
    assert (rows["plt"]["kind"], rows["plt"]["instruments"]) == ("instrument", ["PLT", "PLTEST"])
    assert (rows["files"]["state"], rows["scripts"]["state"]) == ("built in", "installed")
    assert last["reason"] == "No livered of this user runs it."


def test_one_that_hangs_when_it_is_imported_is_given_up(install, monkeypatch):
    modules = {"pl_hangs.py": "import threading; threading.Event().wait()", "pl_good.py": GOOD}
    install("livered-pl", modules, {"livered.plugins": ["hangs = pl_hangs:X"]})
    began_s = time.monotonic()
    hangs, good = look_at(["pl_hangs:X", "pl_good:Filter"], patience_s=0.5)
    assert hangs.problem == "importing it does not come to an end within 0.5 s."
    assert (good.problem, good.class_name) == ("", "pl_good:Filter")
    assert time.monotonic() - began_s < WAIT


def test_what_importing_leaves_behind_keeps_nobody_waiting_and_is_ended(install, tmp_path):
    text = f"""
        import subprocess, sys, threading
        threading.Thread(target=threading.Event().wait).start()
        left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        open({str(tmp_path / "pid")!r}, "w").write(str(left.pid))
        from pl_good import Filter
    """
    install("livered-pl", {"pl_left.py": text, "pl_good.py": GOOD}, {})
    threads = threading.active_count()
    began_s = time.monotonic()
    assert look_at(["pl_left:Filter"])[0].class_name == "pl_good:Filter"
    assert time.monotonic() - began_s < 30.0
    pid = int((tmp_path / "pid").read_text())
    until(lambda: not (cmdline := Path(f"/proc/{pid}/cmdline")).exists() or not cmdline.read_bytes())
    assert threading.active_count() == threads
    assert "pl_left" not in os.sys.modules


def test_two_that_claim_an_instrument_or_a_name_are_told_with_both_distributions(install):
    install("livered-one", {}, {"livered.instruments": ["TWO = one:X"], "livered.plugins": ["same = one:Y"]})
    install("livered-two", {}, {"livered.instruments": ["two = two:X"], "livered.plugins": ["same = two:Y"]})
    found = [
        plugin for plugin in installed_plugins() if plugin.distribution in ("livered-one", "livered-two")
    ]
    assert [len(plugin.rivals) for plugin in found] == [1, 1, 1, 1]
    rows = table(found, [Look()] * 4, [], Wanted("TWO", {"same": "same"}, {"same": "c.toml"}))
    assert {row.state for row in rows} == {"claimed twice"}
    both = "livered-one 1.0 and livered-two 1.0 both provide the"
    how = "and livered does not start with it: uninstall all but one."
    assert {row.reason for row in rows} == {
        f"{both} {what}, {how}" for what in ("instrument TWO", "instrument two", "plugin same")
    }


def test_files_are_found_without_importing(install):
    site = install(
        "livered-deep",
        {"pl_deep/__init__.py": "1 / 0", "pl_deep/low/__init__.py": "1 / 0", "pl_deep/low/m.py": "1 / 0"},
        {},
    )
    assert file_of_module("pl_deep.low.m") == str(site / "pl_deep" / "low" / "m.py")
    assert file_of_module("pl_deep.low") == str(site / "pl_deep" / "low" / "__init__.py")
    assert (
        file_of_module("pl_deep.nothing.m")
        == file_of_module("pl_deep.low.m.x")
        == file_of_module("no_such")
        == ""
    )
    assert "pl_deep" not in os.sys.modules


def test_what_the_configuration_wants_is_known_without_importing(here, install):
    modules = {"pl_boom/__init__.py": "1 / 0", "pl_boom/defaults.toml": "[plugins.teller]\n"}
    points = {"livered.instruments": ["BOOM = pl_boom:X", "BOOMER = pl_boom:X"]}
    install("livered-boom", modules, points)
    (here / "c.toml").write_text(
        '[plugins.second]\nplugin = "teller"\n[plugins.boom]\nx = 1\n[plugins.files]\n'
    )
    wanted = wanted_of("boomer", here / "c.toml", os.environ)
    assert (wanted.instrument, wanted.own, wanted.problems) == ("BOOM", "boom", ())
    assert wanted.tables == {"teller": "teller", "second": "teller"}
    assert wanted.origins == {
        "teller": "packaged defaults of livered-boom 1.0",
        "second": str(here / "c.toml"),
    }


def test_a_configuration_that_cannot_be_read_is_told_and_the_list_is_there(here, capsys):
    (here / "c.toml").write_text("[plugins")
    out, err = told(capsys, "-i", "NOM", "--config", "c.toml", code=2)
    assert "files 0" in out
    assert err.startswith("livered: ")
    assert "c.toml" in err
    (here / "c.toml").write_text("plugins = 3")
    (problem,) = wanted_of("NOM", here / "c.toml", os.environ).problems
    assert "must be a table of plugins" in problem


CHAT = InstalledPlugin(
    "chat", ("chat",), "pl:Chat", "livered-chat", "1.0", "/there/pl.py", is_instrument=False
)
OF_NOM = InstalledPlugin(
    "nom", ("NOM", "NOMAD"), "pl:Nom", "livered-nom", "1.0", "/there/nom.py", is_instrument=True
)
LOOK = Look("", "pl.chat:Chat", "/there/pl/chat.py", {"post_publish": "owner"}, ("native",))
BAD = Look("ValueError: no (/there/pl.py line 3).")


def use(name="chat", *hooks, runs=True, **more):
    row = plugin_row(
        name, *hooks, **{"distribution": "livered-chat", "class": "pl.chat:Chat", "reason": "R.", **more}
    )
    return Use("NOM", "live" if runs else "stopped", runs, rows_in({"plugins": [row]})[0])


WANTS = Wanted("NOM", {"chat": "chat"}, {"chat": "nom.toml"}, "nom")
TWICE = Wanted("NOM", {"chat": "chat", "talk": "chat"}, {"chat": "nom.toml", "talk": "c.toml"}, "nom")
OTHERS = Wanted("NOM", {"lost": "gone"}, {"lost": "nom.toml"}, "nom")
STATES = {
    "nobody asks, nobody runs it": (LOOK, [], None, "installed", "No livered of this user runs it."),
    "it ran": (LOOK, [use(runs=False)], None, "installed", "It ran last in NOM, which is stopped."),
    "runs": (LOOK, [use()], None, "runs", "NOM: R."),
    "runs and wanted": (LOOK, [use()], WANTS, "runs", "NOM: R."),
    "another name": (LOOK, [use("talk")], None, "runs", "NOM as talk: R."),
    "one of two fails": (
        LOOK,
        [use(), use("talk", state="fails")],
        WANTS,
        "fails",
        "NOM: R. NOM as talk: R.",
    ),
    "refused": (LOOK, [use(state="refused")], WANTS, "refused", "NOM: R."),
    "another version": (LOOK, [use(version="0.9")], WANTS, "runs", "NOM: R. 0.9 runs, and 1.0 is installed."),
    "runs and broken on disk": (
        BAD,
        [use()],
        WANTS,
        "runs",
        "NOM: R. What is on disk cannot be loaded, and a start would fail: ValueError: no (/there/pl.py line 3).",
    ),
    "wanted": (
        LOOK,
        [],
        WANTS,
        "wanted",
        "Wanted by [plugins.chat] (nom.toml). NOM does not run it: see livered status.",
    ),
    "wanted twice": (
        LOOK,
        [use(runs=False)],
        TWICE,
        "wanted",
        "Wanted by [plugins.chat] (nom.toml). Wanted by [plugins.talk] (c.toml). It ran last in NOM, which is stopped.",
    ),
    "wanted and broken": (
        BAD,
        [],
        WANTS,
        "broken",
        "Wanted by [plugins.chat] (nom.toml), and cannot be loaded: ValueError: no (/there/pl.py line 3).",
    ),
    "broken": (BAD, [], OTHERS, "broken", "It cannot be loaded: ValueError: no (/there/pl.py line 3)."),
    "not wanted": (
        LOOK,
        [],
        OTHERS,
        "not wanted",
        "Installed, and not wanted by the configuration of NOM: [plugins.chat] adds it.",
    ),
}


@pytest.mark.parametrize(("look", "uses", "wanted", "state", "reason"), STATES.values(), ids=STATES)
def test_state_and_reason(look, uses, wanted, state, reason):
    row = next(row for row in table([CHAT], [look], uses, wanted) if row.name == "chat")
    assert (row.state, row.reason) == (state, reason)
    assert row.uses == tuple(uses)


def test_the_plugin_of_an_instrument_is_wanted_by_its_own(here):
    (own,) = table([OF_NOM], [LOOK], [], Wanted("NOM", own="nom"))
    assert own.reason == "Wanted: NOM is its instrument. NOM does not run it: see livered status."
    (own,) = table([OF_NOM], [LOOK], [], Wanted("POWGEN"))
    assert (own.state, own.reason) == ("not wanted", "Installed for NOM, NOMAD, and not for POWGEN.")


def test_what_is_wanted_and_not_there_and_what_runs_and_is_not_there_come_too():
    elsewhere = use("far", distribution="livered-far", state="fails")
    rows = table([CHAT], [LOOK], [elsewhere], OTHERS)
    assert [(row.name, row.state, row.wanted) for row in rows] == [
        ("gone", "missing", True),
        ("far", "fails", False),
        ("chat", "not wanted", False),
    ]
    assert rows[0].reason == (
        "Wanted by [plugins.lost] (nom.toml), and no package that is installed here provides gone: "
        "install it, or remove the table."
    )
    assert (
        rows[1].reason
        == "NOM: R. It is not installed in the Python of this command, and runs in that of NOM."
    )


def test_what_another_python_ran_once_is_told_to_who_asks_for_that_instrument_only():
    once = use("far", runs=False, distribution="livered-far")
    assert [row.name for row in table([CHAT], [LOOK], [once], None)] == ["chat"]
    far = next(row for row in table([CHAT], [LOOK], [once], OTHERS) if row.name == "far")
    assert far.state == "missing"
    assert far.reason == "It is not installed in the Python of this command, and ran in that of NOM."


def test_each_hook_has_a_line():
    hooks = (
        hook_row(
            "process_chunk",
            "wrapper",
            calls=1200,
            failures=2,
            failures_in_a_row=2,
            last_error="ValueError: no",
        ),
        hook_row("run_started", calls=0, mean_s=None, last_s=None, longest_s=None),
        hook_row("post_publish", calls=1, running_s=61.0),
    )
    assert list(hook_lines(rows_in({"plugins": [plugin_row("x", *hooks)]})[0])) == [
        "process_chunk (wrapper): 1,200 calls, mean 12 ms, last 11 ms, longest 1.2 s; "
        "2 FAILED, the newest 2 in a row, the last: ValueError: no",
        "run_started: not called yet",
        "post_publish: 1 call, mean 12 ms, last 11 ms, longest 1.2 s, one under way for 61 s",
    ]


@pytest.mark.parametrize(
    "written",
    [
        {},
        {"plugins": 3},
        {"plugins": [3, {"hooks": 7, "data_models": {}}, {"hooks": [1, {"calls": "many", "mean_s": -1}]}]},
        {"plugins": [{"name": NASTY * 1000, "hooks": [{"last_error": NASTY}] * 1000}] * 1000},
        {"session": {"plugins": {"nom": "1.0"}, "started_ns": 7}},
    ],
    ids=["nothing", "no list", "no rows", "nasty and many", "before there were rows"],
)
def test_what_is_in_a_status_is_not_trusted(written):
    rows = rows_in(written)
    assert len(rows) <= 100
    assert len(json.dumps(rows)) < 4_000_000
    for row in rows:
        assert not FORBIDDEN.search(json.dumps(row, ensure_ascii=False))
        list(hook_lines(row))
    if "session" in written:
        assert [(row["name"], row["version"], row["state"], row["since_ns"]) for row in rows] == [
            ("nom", "1.0", "runs", 7)
        ]


def test_a_running_livered_is_seen_with_what_its_hooks_have_done(here, install, capsys):
    groups = {
        "livered.instruments": ["TST = pl_good:Instrument"],
        "livered.plugins": ["filter = pl_good:Filter"],
    }
    install("livered-tst", {"pl_good.py": GOOD}, groups)
    with written_engine(here) as engine:
        failed = hook_row("process_chunk", failures=2, failures_in_a_row=2, last_error="ValueError: no")
        engine.plugins = [
            plugin_row(
                "tst", failed, **{"class": "pl_good:Instrument", "state": "fails", "reason": "2 failed."}
            )
        ]
        engine.phase = "live"
        engine.write_status()
        with pytest.raises(SystemExit):
            status.main(["--all"], standalone_mode=False)
        every = capsys.readouterr().out
        with pytest.raises(SystemExit):
            status.main(["--json"], standalone_mode=False)
        (instrument,) = json.loads(capsys.readouterr().out)["instruments"]
        out, err = told(capsys, "-i", "tst")
        document = rows_of(told(capsys, "-i", "TST", "--json")[0])
    assert (
        "  plugin      tst 1.0 fails. 2 failed.\n    hook      process_chunk: 12 calls, mean 12 ms, last 11 ms"
        in every
    )
    assert instrument["plugin_rows"][0]["hooks"][0]["failures_in_a_row"] == 2
    assert err == ""
    assert out.startswith(
        "tst 1.0: FAILS\n"
        "  why         TST: 2 failed.\n"
        "  what        instrument of TST; native and mantid data\n"
        "  package     livered-tst 1.0\n"
    )
    assert (
        "    process_chunk: 12 calls, mean 12 ms, last 11 ms, longest 1.2 s; 2 FAILED, the newest 2 in a row, the last: "
        in out
    )
    (used,) = document["tst"]["used_by"]
    assert (used["instrument"], used["runs"], used["hooks"][0]["failures"]) == ("TST", True, 2)
    assert document["filter"]["state"] == "not wanted"
    # Its own rows come first, what nobody asks for last.
    assert out.index("filter 1.0: not wanted") > out.index("files 0")


def test_the_page_has_every_key_and_state(here, capsys):
    page = PAGE.read_text().partition("## `livered plugins`")[2].partition("\n## ")[0]
    document = json.loads(told(capsys, "--json")[0])
    keys = {*document, *document["plugins"][0], *plugin_row("x"), *hook_row("x"), "engine", "runs"}
    assert not [key for key in keys if f"`{key}`" not in page and f'"{key}"' not in page]
    states = {
        "runs",
        "fails",
        "refused",
        "wanted",
        "not wanted",
        "installed",
        "built in",
        "broken",
        "claimed twice",
        "missing",
    }
    assert not [state for state in states if f"| `{state}` |" not in page]
