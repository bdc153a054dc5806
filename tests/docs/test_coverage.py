"""What there is is documented: hooks, commands, options, exit codes, keys, public names, packets, findings, pages."""

from __future__ import annotations

import ast
import fnmatch
import importlib
import re
import runpy

import pytest

from examples_support import REPOSITORY
from livered_core.adara.types import PacketType
from livered_core.cli import service_control, status_findings
from livered_core.config.schema import Config
from livered_core.config.structure import known_keys
from livered_core.errors import EXIT_CONFIG, EXIT_DIED, EXIT_OK
from livered_core.hooks.inspection import HOOKS

DOCS = REPOSITORY / "docs"
PACKAGES = {
    "api.md": "livered_core",
    "api-diffraction.md": "livered_core.diffraction",
    "api-geometry.md": "livered_core.geometry",
    "api-references.md": "livered_core.references",
    "api-testing.md": "livered_core.testing",
}


def text_of(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def rows(text: str) -> list[list[str]]:
    """Give the cells of each line of tables."""
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in text.splitlines()
        if line.startswith("|")
    ]


@pytest.fixture(scope="module")
def tools():
    """What each tool that makes pages defines, by its name."""
    names = ("make_cli_reference", "make_api_reference", "make_adara_reference")
    return {name: runpy.run_path(str(DOCS / "tools" / f"{name}.py")) for name in names}


@pytest.fixture(scope="module")
def commands(tools):
    return {path: (command, context) for path, command, context in tools["make_cli_reference"]["commands"]()}


# Hooks.


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_has_all_that_is_to_be_said(hook):
    (section,) = re.findall(rf"^### {hook}\n(.*?)(?=^##)", text_of("hooks.md"), re.MULTILINE | re.DOTALL)
    parts = re.findall(r"^- \*\*(.+?)\*\*: \S", section, re.MULTILINE)
    assert parts == ["When", "Thread", "Returns", "On failure", "Implemented by"]
    signature, example = re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert signature.startswith(f"{hook}(")
    assert f"def {hook}(" in example


# Commands.


def test_the_page_of_commands_is_what_the_tool_makes(tools):
    assert text_of("cli.md") == tools["make_cli_reference"]["reference"](), "run: make reference"


def test_each_command_and_each_option_is_on_the_page(tools, commands):
    page = text_of("cli.md")
    assert len(commands) > 25
    for path, (command, context) in commands.items():
        heading = f"## `{path}`\n"
        assert heading in page, path
        section = page.split(heading)[1].split("\n## ")[0].split("\n### ")[0]
        for option in tools["make_cli_reference"]["options"](command, context):
            assert option.help, (path, option.opts)
            for name in (*option.opts, *option.secondary_opts):
                assert f"`{name}`" in section, (path, name)


def test_the_commands_that_pages_name_are_there(commands):
    """In blocks of code and in sentences: each command that is named, and each of its options."""
    by_name = {tuple(path.split()): names for path, names in commands.items()}
    wrong = []
    for page in sorted(pages()):
        text = (REPOSITORY / f"{page}.md").read_text(encoding="utf-8")
        blocks = "\n".join(re.findall(r"^ *```(?:sh|console)\n(.*?)^ *```$", text, re.M | re.S))
        lines = re.findall(r"^ *(?:\$ )?(livered [^#|;&<>\n]*)", blocks, re.M)
        lines += re.findall(
            r"`(livered [^`|;&<>]*)`", re.sub(r"^ *```.*?^ *```$", "", text, flags=re.M | re.S)
        )
        for line in lines:
            words = tuple(line.split())
            depth = max(n for n in range(1, len(words) + 1) if words[:n] in by_name)
            command, context = by_name[words[:depth]]
            known = {
                name for each in command.get_params(context) for name in (*each.opts, *each.secondary_opts)
            }
            options = [word.partition("=")[0] for word in words[depth:] if word.startswith("--")]
            is_command = (
                not hasattr(command, "commands") or depth == len(words) or words[depth].startswith("-")
            )
            if not is_command or not set(options) <= known:
                wrong.append((page, line))
    assert not wrong, wrong


def test_each_command_has_its_exit_codes_in_the_table(commands):
    table = {
        row[0].strip("`"): row for row in rows(text_of("exit-codes.md")) if row[0].startswith("`livered ")
    }
    ends = {path for path, (command, _) in commands.items() if not hasattr(command, "commands")}
    assert set(table) == ends
    for path in ends:
        epilog = " ".join((commands[path][0].epilog or "").split())
        _, _, said = epilog.partition("Exit codes: ")
        for code in re.findall(r"(?:^|, )(\d+) ", said):
            cells = table[path]
            place = cells[1 + int(code)] if int(code) <= EXIT_CONFIG else cells[4]
            assert place, (path, code)
            assert int(code) <= EXIT_CONFIG or re.search(rf"\b{code}\b", place), (path, code)


def test_each_exit_code_is_explained():
    pages = text_of("exit-codes.md"), text_of("troubleshooting.md")
    of_its_own = {
        service_control.EXIT_NOT_RUNNING,
        service_control.EXIT_NOT_INSTALLED,
        *status_findings.EXIT_CODES.values(),
    }
    for code in {EXIT_OK, EXIT_DIED, EXIT_CONFIG} | of_its_own:
        for page in pages:
            assert re.search(rf"\b{code}\b", page), code
        assert any(row[0] == str(code) for row in rows(pages[1])), code


# Configuration.


@pytest.mark.parametrize("key", sorted(known_keys(Config)))
def test_each_key_has_a_row_in_the_table_of_its_own(key):
    *tables, name = key.split(".")
    page = text_of("configuration.md")
    page = page[page.index("\n## All keys") :]
    if name == "plugins" and not tables:
        assert "### `[plugins.NAME]`" in page
        return
    heading = f"### `[{'.'.join(tables)}]`" if tables else "## All keys"
    section = page.split(heading)[1].split("\n###")[0]
    is_table = f"### `[{key}]`" in page
    assert is_table or any(row[0] == f"`{name}`" and all(row[:4]) for row in rows(section)), key


# Public names.


@pytest.mark.parametrize("name", PACKAGES)
def test_a_page_of_public_names_is_what_the_tool_makes(tools, name):
    assert text_of(name) == tools["make_api_reference"]["page"](name), "run: make reference"


@pytest.mark.parametrize(("name", "package"), PACKAGES.items())
def test_each_public_name_is_described(name, package):
    page = text_of(name)
    for public in importlib.import_module(package).__all__:
        (section,) = re.findall(rf"^## `{public}`\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
        described = re.sub(r"^```.*?^```$", "", section, flags=re.MULTILINE | re.DOTALL)
        assert len(described.split()) >= 3, public


def test_a_public_name_without_a_docstring_is_refused(tools):
    with pytest.raises(ValueError, match="Nameless is public and has no docstring"):
        tools["make_api_reference"]["_doc"]("Nameless", " ")


# Packets.


def test_the_page_of_packets_is_what_the_tool_makes(tools):
    page = text_of("adara-packets.md")
    assert page == tools["make_adara_reference"]["page"](), "run: make reference"
    for packet in PacketType:
        assert f"`0x{packet:04X}`" in page


# Troubleshooting.


def findings() -> set[str]:
    """Give the kinds of findings that the code makes."""
    source = REPOSITORY / "src" / "livered_core" / "cli"
    calls = (
        node
        for path in source.glob("status*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Finding"
    )
    return {ast.literal_eval(call.args[0]) for call in calls}


def test_each_finding_is_a_symptom_with_a_cause_and_what_to_do():
    kinds = findings()
    assert {"died", "hanging", "sink-failing"} < kinds
    table = rows(text_of("troubleshooting.md"))
    for kind in kinds:
        found = [row for row in table if f"`{kind}`" in row[0]]
        assert len(found) == 1, kind
        assert all(found[0]), kind


# Pages.


def pages() -> set[str]:
    """Give the pages of the site, as paths in the repository without their endings."""
    files = [
        *REPOSITORY.glob("*.md"),
        *DOCS.rglob("*.md"),
        *(REPOSITORY / "examples").glob("**/README.md"),
        *(REPOSITORY / "plugins").glob("*/README.md"),
    ]
    return {path.relative_to(REPOSITORY).with_suffix("").as_posix() for path in files}


def test_each_page_is_in_a_table_of_contents():
    every = pages()
    listed = {"docs/index"}
    for page in sorted(every):
        path = REPOSITORY / f"{page}.md"
        for block in re.findall(
            r"^```\{toctree\}\n(.*?)^```$", path.read_text(encoding="utf-8"), re.M | re.S
        ):
            for entry in block.splitlines():
                if entry and not entry.startswith(":"):
                    target = re.sub(r"^.* <(.+)>$", r"\1", entry)  # "Title <page>"
                    whole = (path.parent / target).resolve().relative_to(REPOSITORY.resolve()).as_posix()
                    found = fnmatch.filter(every, whole)
                    assert found, f"{page} lists {entry}, which is not there"
                    listed |= set(found)
    assert every - listed == set()


@pytest.mark.parametrize("name", ["guarantees.md", "accounting.md", "running-with-mantid.md"])
def test_each_test_that_a_page_names_is_there(name):
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text_of(name))
    assert len(named) >= 2
    for file, test in named:
        assert f"def {test}(" in (REPOSITORY / file).read_text(encoding="utf-8"), (file, test)
