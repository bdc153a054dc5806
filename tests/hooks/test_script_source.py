"""Scripts are read, compiled, watched and run; no Mantid is needed for that."""

from __future__ import annotations

import logging
import os
import textwrap
import traceback

import pytest

from livered_core.hooks.script_runner import ScriptRunner
from livered_core.hooks.script_source import ScriptError, compile_script
from livered_core.hooks.script_watch import WatchedScript


class Base:
    pass


@pytest.fixture
def run(tmp_path):
    """Run the text or the bytes of a script, and return its output; the scripts share their global variables."""
    namespace = {"__name__": "__main__", "Rebin": "an algorithm"}
    runner = ScriptRunner(lambda: (Base, namespace))

    def run_it(text, workspace="the chunk", output="wanted", name="script.py"):
        content = text if isinstance(text, bytes) else textwrap.dedent(text).encode()
        (tmp_path / name).write_bytes(content)
        return runner.run(compile_script(tmp_path / name, content), workspace, output)

    run_it.namespace = namespace
    return run_it


def test_a_script_has_mantid_s_variables(run):
    output = run("""
        import sys
        output = (input, output, __name__, type(self).__mro__[1].__name__, Rebin, sys._getframe().f_code.co_name)
    """)
    assert output == ("the chunk", "wanted", "__main__", "Base", "an algorithm", "PyExec")


def test_output_stays_what_it_was_when_the_script_does_not_set_it(run):
    assert run("x = 1") == "wanted"
    assert run("return input, 'another'") == "another"


def test_locals_go_and_globals_stay_for_both_scripts(run):
    assert run("global n\nn = 1\nlocal = 2\noutput = n") == 1
    assert run("n_is = n\noutput = n_is, 'local' in dir()", name="other.py") == (1, False)
    assert "local" not in run.namespace


def test_functions_classes_and_comprehensions_see_the_script_s_variables(run):
    assert run("""
        factor = 3
        def times(x):
            return factor * x
        class Holder:
            value = factor
            def get(self):
                return self.value + factor
        output = [times(i) for i in range(3)], Holder().get()
    """) == ([0, 3, 6], 6)


def test_the_state_of_a_module_lives_on(run, tmp_path, monkeypatch):
    (tmp_path / "counting_module_of_a_script.py").write_text("n = 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    script = "import counting_module_of_a_script as m\nm.n += 1\noutput = m.n"
    assert [run(script), run(script)] == [1, 2]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_texts_in_triple_quotes_keep_their_lines(run, line_end):
    content = b'text = """one\n    two\nthree"""\noutput = text'.replace(b"\n", line_end)
    assert run(content) == "one\n    two\nthree"


@pytest.mark.parametrize(
    "content",
    [
        "output = 'Å'".encode(),  # byte 0x85
        "# -*- coding: latin-1 -*-\noutput = 'Å'".encode("latin-1"),
        "output = 'Å'".encode("utf-8-sig"),
    ],
)
def test_every_encoding_that_python_takes_works(run, content):
    assert run(content) == "Å"


def test_star_imports_and_future_imports_work(run):
    assert (
        run("""
        '''What it does.'''
        from __future__ import annotations
        if True:
            from math import *
        def f(x: NotDefinedAnywhere): return sqrt(x)
        output = f(4.0)
    """)
        == 2.0
    )
    # The star's names must not have hidden the script's own input.
    assert run("from math import *\noutput = input") == "the chunk"


def test_names_with_two_underscores_are_what_they_are(run):
    assert run("global __seen\n__seen = 1\noutput = '__seen' in globals()") is True


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a = 1\nb = = 2\n", r"script\.py line 2 is not valid Python: invalid syntax"),
        (
            "def f():\n    from math import *\n",
            r"line 2 is not valid Python: import \* only allowed at module",
        ),
        ("a = 1\nb = yield a\n", r"line 2 is not valid Python: 'yield' outside function"),
        ("x = await y\n", r"line 1 is not valid Python: 'await' outside async"),
        ("break\n", r"line 1 is not valid Python: 'break' outside loop"),
        ("x = '\0'\n", r"script\.py.* is not valid Python: .*null bytes"),
        ("", r"holds no statement"),
        ("# nothing yet\n", r"holds no statement"),
        (b"x = '\xff'\n", r"script\.py is not valid Python: invalid or missing encoding"),
        (b"#\n#\n#\nx = '\xff'\n", r"script\.py is not valid Python: 'utf-8' codec can't decode byte 0xff"),
        (b"# coding: klingon\nx = 1\n", r"script\.py is not valid Python: unknown encoding"),
    ],
)
def test_what_does_not_compile_is_said_with_file_and_line(tmp_path, text, sentence):
    with pytest.raises(ScriptError, match=sentence) as caught:
        compile_script(tmp_path / "script.py", text if isinstance(text, bytes) else text.encode())
    assert "\n" not in str(caught.value)


def test_a_failure_names_the_script_and_its_line(run, tmp_path):
    with pytest.raises(ScriptError) as caught:
        run("def divide(x):\n    return 1 / x\n\noutput = divide(0)\n")
    assert str(caught.value) == f"{tmp_path}/script.py line 2 failed: ZeroDivisionError: division by zero."
    trace = "".join(traceback.format_exception(caught.value))
    assert f'File "{tmp_path}/script.py", line 4, in PyExec\n    output = divide(0)' in trace
    assert f'File "{tmp_path}/script.py", line 2, in divide\n    return 1 / x' in trace


def test_a_traceback_shows_the_lines_that_ran_and_not_those_of_the_file(run, tmp_path):
    write = f"import pathlib\npathlib.Path(r'{tmp_path}/script.py').write_text('other = 1')\n"
    with pytest.raises(ScriptError) as caught:
        run(write + "raise ValueError('no')\n")
    assert "line 3, in PyExec\n    raise ValueError('no')" in "".join(
        traceback.format_exception(caught.value)
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("import sys\nsys.exit(3)", r"script\.py line 2 asked to end the program \(SystemExit: 3\)"),
        ("exit()", r"line 1 asked to end the program"),
        ("raise KeyboardInterrupt", r"line 1 failed: KeyboardInterrupt\."),
        ("class Odd(Exception):\n    def __str__(self): raise OSError\nraise Odd", r"line 3 failed: Odd\."),
        ("del output", r"script\.py line 1 failed: UnboundLocalError"),
        ("x = 1\nif x:\n    return\n", r"script\.py line 3 returns something else than input and output"),
        ("return input", "returns something else"),
        ("return 1, 2, 3", "returns something else"),
    ],
)
def test_nothing_that_a_script_does_ends_the_session(run, text, sentence):
    with pytest.raises(ScriptError, match=sentence):
        run(text)


def test_a_bare_return_that_is_not_reached_does_no_harm(run):
    assert run("if input is None:\n    return\noutput = 'there'") == "there"


class TestWatching:
    @pytest.fixture
    def watched(self, tmp_path):
        (tmp_path / "w.py").write_text("output = 1\n")
        watched = WatchedScript(tmp_path / "w.py")
        watched.load()
        return watched

    @staticmethod
    def output(watched):
        return ScriptRunner(lambda: (Base, {"__name__": "__main__"})).run(watched.load(), None, "")

    def test_another_content_is_taken_up_and_the_time_of_the_file_does_not_count(self, watched):
        before = watched.path.stat()
        watched.path.write_text("output = 2\n")
        os.utime(watched.path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert watched.refresh() is True
        assert self.output(watched) == 2
        os.utime(watched.path)
        assert watched.refresh() is False

    def test_what_does_not_compile_is_said_once_and_the_old_one_stays(self, watched, caplog):
        caplog.set_level(logging.INFO)
        watched.path.write_text("output = = 2\n")
        assert [watched.refresh() for _ in range(3)] == [False, False, False]
        assert self.output(watched) == 1
        (said,) = [record.getMessage() for record in caplog.records]
        assert said.startswith(f"{watched.path} line 1 is not valid Python: invalid syntax.")
        assert watched.problem == said
        watched.path.write_text("output = = 3\n")
        watched.refresh()
        assert len(caplog.records) == 2
        watched.path.write_text("output = 3\n")
        assert watched.refresh() is True
        assert (watched.problem, self.output(watched)) == ("", 3)

    def test_the_old_content_come_back_is_no_change(self, watched):
        watched.path.write_text("output = = 2\n")
        watched.refresh()
        watched.path.write_text("output = 1\n")
        assert watched.refresh() is False
        assert watched.problem == ""

    @pytest.mark.parametrize("empty", [True, False])
    def test_a_file_that_is_gone_or_empty_for_a_moment_changes_nothing(self, watched, caplog, empty):
        def disturb():
            watched.path.write_text("") if empty else watched.path.unlink()

        disturb()
        assert watched.refresh() is False
        assert (watched.problem, caplog.records) == ("", [])
        watched.path.write_text("output = 1\n")
        assert watched.refresh() is False
        disturb()
        assert [watched.refresh() for _ in range(3)] == [False] * 3
        assert len(caplog.records) == 1
        assert "still in use" in watched.problem
        assert self.output(watched) == 1
        watched.path.write_text("output = 2\n")
        assert watched.refresh() is True
        assert (watched.problem, self.output(watched)) == ("", 2)

    def test_the_first_content_must_be_there(self, tmp_path):
        watched = WatchedScript(tmp_path / "late.py")
        with pytest.raises(ScriptError, match=r"late\.py cannot be read \(No such file"):
            watched.refresh()
        watched.path.write_text("output = 1\n")
        assert watched.refresh() is False
        assert self.output(watched) == 1
