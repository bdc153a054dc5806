"""What no source of livered and its plugins may hold: read from the syntax tree of each of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for folder in ("src", "plugins/nom/src", "plugins/publish_monitor/src")
    for path in (ROOT / folder).rglob("*.py")
)

RUNS_SCRIPTS = {"livered_core/hooks/script_source.py", "livered_core/hooks/scripts.py"}
"""Running the facility's scripts is what these are for."""
TRUSTS_DASK = {
    "livered_core/engine/executors/cluster.py",
    "livered_core/engine/executors/order.py",
    "livered_core/engine/executors/reducer.py",
}
"""What goes to workers of Dask and comes back is pickled: between holders of the certificate alone."""
IMPORTS_BY_NAME = {
    # Names of entry points, and what a person types: when the page of the configuration is made, or a plugin is tried.
    "livered_core/config/reference.py",
    "livered_core/hooks/registry.py",
    "livered_core/testing/named.py",
    # Tables in the source.
    "livered_core/cli/lazy.py",
    "livered_core/testing/__init__.py",
    "livered_core/__init__.py",
    "livered_core/model/__init__.py",
    # Plugins' packages, whose digest is that of the session's.
    "livered_core/engine/executors/code.py",
    "livered_core/engine/executors/reducer.py",
    # Modules of livered and of the session's plugins alone; its own tests see to that.
    "livered_core/reduction/checkpoint_classes.py",
}
NO_IMPORT = {
    *("pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "dbm"),
    *("yaml", "jsonpickle", "code", "codeop", "imp", "telnetlib", "ftplib", "xmlrpc", "commands", "pty"),
}
XML = ("xml", "lxml")
XML_HARMLESS = {"xml.sax.saxutils"}
NO_CALL = {
    *("eval", "exec", "compile", "__import__", "breakpoint"),
    *(
        "os.system",
        "os.popen",
        "os.execl",
        "os.execlp",
        "os.execvp",
        "os.execvpe",
        "os.spawnlp",
        "os.spawnvp",
    ),
    *("os.fork", "os.tempnam", "tempfile.mktemp", "subprocess.getoutput", "subprocess.getstatusoutput"),
    *("ssl._create_unverified_context", "ssl._create_stdlib_context", "pickle.load", "pickle.loads"),
    *("asyncio.create_subprocess_shell", "runpy.run_path", "runpy.run_module", "code.interact"),
}
NO_KEYWORD = {
    "shell": True,
    "verify": False,
    "allow_pickle": True,
    "check_hostname": False,
    "trust_env": True,
}
NO_ATTRIBUTE = {"check_hostname", "verify_mode"}
PROCESSES = {
    "subprocess.Popen",
    "subprocess.run",
    "subprocess.call",
    "subprocess.check_call",
    "subprocess.check_output",
    "os.execve",
}
LOCAL = re.compile(r"http://(localhost|127\.|\[::1\]|\{)")
IDENTIFIERS = re.compile(  # names of XML, which nobody asks for
    r"http://(public\.sns\.gov/schema/|www\.w3\.org/|www\.mantidproject\.org/IDF/|www\.nexusformat\.org/|www\.isis\.rl\.ac\.uk/xml/)"
)


def faults(name: str, text: str) -> list[str]:
    """Find what a source may not hold: a sentence for each, with its line."""
    tree = ast.parse(text)
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    return [
        f"{name}:{getattr(node, 'lineno', 0)}: {what}"
        for node in ast.walk(tree)
        for what in _faults_of(name, node, typing_only=id(node) in typing_only)
    ]


def _faults_of(name: str, node: ast.AST, *, typing_only: bool) -> Iterator[str]:
    if isinstance(node, ast.Import | ast.ImportFrom) and not typing_only:
        modules = (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [item.name for item in node.names]
        )
        names = {item.name for item in node.names}
        for module in modules:
            if module.partition(".")[0] in NO_IMPORT and not (module == "pickle" and name in TRUSTS_DASK):
                yield f"imports {module}"
            # The class alone, for annotations, reads nothing.
            if module.partition(".")[0] in XML and module not in XML_HARMLESS and names != {"Element"}:
                yield f"imports {module}: defusedxml is what reads XML"
    elif isinstance(node, ast.Call):
        yield from _faults_of_call(name, node)
    elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if isinstance(target, ast.Attribute) and target.attr in NO_ATTRIBUTE:
                yield f"sets {target.attr}"
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        for address in re.findall(r"http://[^\s'\"<>)]+", node.value):
            if not LOCAL.match(address) and not IDENTIFIERS.match(address):
                yield f"names {address}, which is neither local nor https"
    elif isinstance(node, ast.Assert) and not re.search(
        r" is not None|^isinstance\(|^hasattr\(", ast.unparse(node.test)
    ):
        yield f"guards with an assert, which python -O leaves out: {ast.unparse(node.test)}"


def _faults_of_call(name: str, node: ast.Call) -> Iterator[str]:
    called = ast.unparse(node.func)
    allowed = name in RUNS_SCRIPTS or (called == "pickle.loads" and name in TRUSTS_DASK)
    if called in NO_CALL and not allowed:
        yield f"calls {called}"
    if called.endswith("import_module") and name not in IMPORTS_BY_NAME:
        given = node.args[0]
        choices = [given.body, given.orelse] if isinstance(given, ast.IfExp) else [given]
        if not all(isinstance(choice, ast.Constant) for choice in choices):
            yield "imports a module whose name is not in the source"
    for keyword in node.keywords:
        value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
        if keyword.arg in NO_KEYWORD and value is NO_KEYWORD[keyword.arg]:
            yield f"calls {called} with {keyword.arg}={value}"
    if called in PROCESSES and isinstance(node.args[0], ast.Constant | ast.JoinedStr | ast.BinOp):
        yield f"calls {called} with a text in place of a list of words"
    if called in {"np.load", "numpy.load"}:
        given = {item.arg: item.value for item in node.keywords}
        if ast.unparse(given.get("allow_pickle", ast.Constant(None))) != "False":
            yield "calls numpy.load without allow_pickle=False"


def name_of(path: Path) -> str:
    return path.relative_to(next(parent for parent in path.parents if parent.name == "src")).as_posix()


@pytest.mark.promise("S4")
def test_no_source_runs_what_it_reads():
    assert len(SOURCES) > 300
    found = [fault for path in SOURCES for fault in faults(name_of(path), path.read_text())]
    assert found == []


BAD = {
    "pickle": "import pickle",
    "pickle-from": "from pickle import loads",
    "yaml": "def f():\n    import yaml",
    "xml": "from xml.etree.ElementTree import fromstring",
    "xml-module": "import xml.etree.ElementTree as ET",
    "lxml": "from lxml import etree",
    "eval": "eval(text)",
    "exec": "exec(text)",
    "import-by-name": "importlib.import_module(name)",
    "import-made-up": "importlib.import_module(f'livered_{name}')",
    "shell": "subprocess.run(command, shell=True)",
    "shell-text": "subprocess.Popen(f'ls {folder}')",
    "system": "os.system('ls')",
    "no-verify": "httpx.Client(verify=False)",
    "no-hostname": "context.check_hostname = False",
    "no-certificate": "context.verify_mode = ssl.CERT_NONE",
    "unverified": "ssl._create_unverified_context()",
    "mktemp": "tempfile.mktemp()",
    "numpy": "np.load(path)",
    "numpy-pickle": "np.load(path, allow_pickle=True)",
    "plain-http": "URL = 'http://monitor.example.org/plots'",
    "assert": "assert number > 0",
}


@pytest.mark.promise("S4")
@pytest.mark.parametrize("text", BAD.values(), ids=list(BAD))
def test_it_would_be_seen(text):
    assert faults("livered_core/anything.py", text)


GOOD = {
    "element": "from xml.etree.ElementTree import Element",
    "typing": "if TYPE_CHECKING:\n    from xml.etree.ElementTree import Element, ElementTree",
    "words": "subprocess.run([program, '-c', text], shell=False)",
    "toml": "import_module('tomllib' if sys.version_info >= (3, 11) else 'tomli')",
    "local": "URL = f'http://127.0.0.1:{port}/'",
    "narrowing": "assert child.stdout is not None",
    "regular-expression": "re.compile('a')",
}


@pytest.mark.promise("S4")
@pytest.mark.parametrize("text", GOOD.values(), ids=list(GOOD))
def test_what_is_harmless_is_let_be(text):
    assert faults("livered_core/anything.py", text) == []
