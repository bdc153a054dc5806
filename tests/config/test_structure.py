import enum
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from livered_core.config import (
    Config,
    Layer,
    LogConfig,
    SourceConfig,
    environment_layer,
    merge,
    parse_layer,
    structure,
)
from livered_core.errors import EXIT_CONFIG, ConfigError

ETC, CWD = Path("/etc/livered"), Path("/current")
ENVIRON = {"HOME": "/home/somebody", "DATA": "/data"}


class Shape(enum.Enum):
    ROD = "rod"
    PLATE = "plate"


@attrs.frozen
class Bank:
    label: str
    d_min: float = attrs.field(default=0.1, validator=attrs.validators.gt(0))
    mask: Path | None = None


def ascending(instance: Any, _attribute: Any, value: float) -> None:
    if value <= instance.low:
        message = "high must be above low"
        raise ValueError(message)


@attrs.frozen
class Settings:
    calibration: Path | None = None
    n_bins: int = attrs.field(default=6000, validator=attrs.validators.gt(0))
    pair: tuple[float, float] = (1.0, 2.0)
    names: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    banks: list[Bank] = attrs.field(factory=list)
    limits: Mapping[str, float] = attrs.field(factory=dict)
    mixed: int | str = 0
    shape: Shape = Shape.ROD
    anything: Any = None
    mode: Literal["fast", 1] = "fast"
    cache: Path = Path("~/cache")
    bank: Bank | None = None
    low: float = 1.0
    high: float = attrs.field(default=2.0, validator=ascending)


@attrs.frozen
class Needy:
    url: str


PLUGINS: dict[str, type | None] = {"nom": Settings, "files": None}


def made(
    text: str, plugins: Mapping[str, type | None] = PLUGINS, environ: Mapping[str, str] = ENVIRON
) -> Config:
    layers = [
        Layer("flags", {"instrument": "NOM"}, CWD),
        parse_layer(text, "NOM.toml", ETC),
        environment_layer(environ, CWD),
    ]
    return structure(merge(layers), plugins, environ, CWD)


def problems(
    text: str, plugins: Mapping[str, type | None] = PLUGINS, environ: Mapping[str, str] = ENVIRON
) -> list[str]:
    with pytest.raises(ConfigError) as error:
        made(text, plugins, environ)
    assert error.value.exit_code == EXIT_CONFIG
    for sentence in error.value.problems:
        assert sentence.endswith((".", "?"))
        assert "\n" not in sentence
    return list(error.value.problems)


def test_defaults() -> None:
    config = made("")
    assert (config.instrument, config.backend, config.address) == ("NOM", "auto", "")
    assert (config.from_start_of_run, config.start_time, config.run_transition) == (True, None, "restart")
    assert (config.update_every, config.max_chunk_events) == (30.0, 20_000_000)
    assert config.output_dir == Path("/home/somebody/livered/NOM")
    assert config.log.file == CWD / "livereduce.log"
    assert (config.source.connect_timeout, config.source.silence_timeout) == (10.0, 30.0)
    assert (config.source.retry_first, config.source.retry_longest) == (1.0, 60.0)
    assert config.source.queue_events == 4_000_000
    assert (config.hooks.max_consecutive_failures, config.hooks.owner) == (5, {})
    assert (config.publish.retry_first, config.publish.retry_longest, config.publish.stop_timeout) == (
        1,
        300,
        20,
    )
    assert config.plugins["nom"] == Settings(cache=Path("/home/somebody/cache"))
    assert config.plugins["files"] is None


def test_every_kind_of_value_is_read() -> None:
    config = made(
        """
        backend = "native"
        update_every = 10
        [hooks.owner]
        accumulate = "nom"
        [simulate]
        idf = "a.xml"
        [plugins.nom]
        n_bins = 3
        pair = [1, 2.5]
        names = ["a", "b"]
        banks = [{label = "x", mask = "m.h5"}, {label = "y", d_min = 3}]
        limits = {low = 1, high = 2.5}
        mixed = "text"
        shape = "plate"
        anything = {a = [1]}
        mode = 1
        bank = {label = "z"}
        """
    )
    assert config.backend == "native"
    assert isinstance(config.update_every, float)
    assert config.hooks.owner == {"accumulate": "nom"}
    assert config.simulate.idf == ETC / "a.xml"
    read = config.plugins["nom"]
    assert read.pair == (1.0, 2.5)
    assert isinstance(read.pair[0], float)
    assert read.names == ("a", "b")
    assert read.banks == [Bank("x", 0.1, ETC / "m.h5"), Bank("y", 3.0)]
    assert read.limits == {"low": 1.0, "high": 2.5}
    assert (read.mixed, read.shape, read.anything, read.mode) == ("text", Shape.PLATE, {"a": [1]}, 1)
    assert read.bank == Bank("z")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("update_every = true", "update_every (NOM.toml) must be a number, not true."),
        ('update_every = "30"', 'update_every (NOM.toml) must be a number, not the text "30": take the quotes off.'),
        ("update_every = nan", "update_every (NOM.toml) must be a finite number, not nan."),
        ("update_every = inf", "update_every (NOM.toml) must be a finite number, not inf."),
        ("update_every = 0", "update_every (NOM.toml) must be above 0, not 0.0."),
        ("update_every = [1]", "update_every (NOM.toml) must be a number, not a list."),
        ("max_chunk_events = true", "max_chunk_events (NOM.toml) must be a whole number, not true."),
        ("max_chunk_events = 2.5", "max_chunk_events (NOM.toml) must be a whole number, not the number 2.5."),
        ("max_chunk_events = 2e7", "max_chunk_events (NOM.toml) must be a whole number, not the number 20000000.0: write 20000000."),
        ('max_chunk_events = "3"', 'max_chunk_events (NOM.toml) must be a whole number, not the text "3": take the quotes off.'),
        ("max_chunk_events = 0", "max_chunk_events (NOM.toml) must be 1 or more, not 0."),
        ("from_start_of_run = 1", "from_start_of_run (NOM.toml) must be true or false, not the whole number 1."),
        ("address = 3", "address (NOM.toml) must be text, not the whole number 3: put it in quotes."),
        ('backend = "nativ"', 'backend (NOM.toml) must be one of "auto", "native", "mantid", not the text "nativ"; did you mean "native"?'),
        ('log.level = "info"', 'log.level (NOM.toml) must be one of "DEBUG", "INFO", "WARNING", "ERROR", not the text "info"; did you mean "INFO"?'),
        ("output_dir = 3", "output_dir (NOM.toml) must be a path, not the whole number 3."),
        ('output_dir = ""', "output_dir (NOM.toml) must be a path, not an empty text."),
        ("source = 3", "source (NOM.toml) must be a table, not the whole number 3."),
        ("plugins = 3", "plugins (NOM.toml) must be a table with a table for each plugin, not the whole number 3."),
        ("plugins.nom = 3", "plugins.nom (NOM.toml) must be a table, not the whole number 3."),
        ("plugins.files = 3", "plugins.files (NOM.toml) must be a table, not the whole number 3."),
        ("plugins.nom.n_bins = -1", "plugins.nom.n_bins (NOM.toml) must be > 0: -1."),
        ("plugins.nom.names = 'abc'", 'plugins.nom.names (NOM.toml) must be a list of text, not the text "abc".'),
        ("plugins.nom.names = ['a', 1]", "plugins.nom.names[1] (NOM.toml) must be text, not the whole number 1: put it in quotes."),
        ("plugins.nom.pair = [1]", "plugins.nom.pair (NOM.toml) must be a list of 2: a number, a number; it has 1."),
        ("plugins.nom.banks = [{label='a'}, {label='b', d_min=-1}]", "plugins.nom.banks[1].d_min (NOM.toml) must be > 0: -1.0."),
        ("plugins.nom.banks = [{}]", "plugins.nom.banks[0].label (NOM.toml) is missing: give text."),
        ("plugins.nom.limits = {low = '1'}", 'plugins.nom.limits.low (NOM.toml) must be a number, not the text "1": take the quotes off.'),
        ("plugins.nom.mixed = 2.5", "plugins.nom.mixed (NOM.toml) must be a whole number or text, not the number 2.5."),
        ("plugins.nom.shape = 'rodd'", 'plugins.nom.shape (NOM.toml) must be one of "rod", "plate", not the text "rodd"; did you mean "rod"?'),
        ("plugins.nom.mode = true", 'plugins.nom.mode (NOM.toml) must be one of "fast", 1, not true.'),
        ("plugins.nom.calibration = 2026-11-22", "plugins.nom.calibration (NOM.toml) must be a path, not the date or time 2026-11-22."),
        ("plugins.nom.high = 0.5", "plugins.nom (NOM.toml) is not right: high must be above low."),
        ("source.retry_first = 100", "source (NOM.toml) is not right: retry_first (100.0) must not be above retry_longest (60.0)."),
        ("publish.retry_first = 1000", "publish (NOM.toml) is not right: retry_first (1000.0) must not be above retry_longest (300.0)."),
    ],
)  # fmt: skip
def test_a_wrong_value_is_one_sentence(line: str, found: str) -> None:
    assert problems(line) == [found]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("update_evry = 1", "update_evry (NOM.toml) is not a key; did you mean update_every?"),
        ("xyzzy = 1", "xyzzy (NOM.toml) is not a key: take it out or correct it."),
        ("queue_events = 1", "queue_events (NOM.toml) is not a key; did you mean source.queue_events?"),
        ("source.update_every = 1", "source.update_every (NOM.toml) is not a key; did you mean update_every?"),
        ("source.retry_frist = 1", "source.retry_frist (NOM.toml) is not a key; did you mean source.retry_first?"),
        ("plugin.nom.n_bins = 1", "plugin (NOM.toml) is not a key; did you mean plugins?"),
        ("plugins.nom.N_bins = 1", "plugins.nom.N_bins (NOM.toml) is not a key; did you mean plugins.nom.n_bins?"),
        ("plugins.nom.address = ''", "plugins.nom.address (NOM.toml) is not a key: take it out or correct it."),
        ("plugins.files.x = 1", "plugins.files.x (NOM.toml) is not a key: this plugin has no settings; take it out."),
        ("[plugins.nmo]", "plugins.nmo (NOM.toml) is not a plugin that is loaded; did you mean plugins.nom?"),
        ("plugins.xyzzy.k = 1", "plugins.xyzzy (NOM.toml) is not a plugin that is loaded: install the plugin or take the table out."),
        ("hooks.owner.process_chnk = 'nom'", "hooks.owner (NOM.toml) must name hooks with one owner (process_chunk, accumulate, post_process), not 'process_chnk'; did you mean process_chunk?"),
        ("hooks.owner.accumulate = ''", "hooks.owner (NOM.toml) must name a plugin for accumulate, not an empty text."),
        ("hooks.owner.accumulate = 3", "hooks.owner.accumulate (NOM.toml) must be text, not the whole number 3: put it in quotes."),
    ],
)  # fmt: skip
def test_an_unknown_key_is_one_sentence(text: str, found: str) -> None:
    assert problems(text) == [found]


def test_all_problems_are_said_at_once_with_their_origins() -> None:
    environ = {**ENVIRON, "LIVERED_SOURCE__QUEUE_EVENTS": "0", "LIVERED_LOG__BACKUPS": "many"}
    text = """
        update_every = -1
        max_chunk_events = -1
        backnd = "native"
        [source]
        connect_timeout = -1
        silence_timeout = "x"
        [plugins.nom]
        n_bins = "x"
        cach = 3
        [plugins.more]
    """
    found = problems(text, {**PLUGINS, "monitor": Needy}, environ)
    assert sorted(sentence.partition(" ")[0] for sentence in found) == [
        "backnd",
        "log.backups",
        "max_chunk_events",
        "plugins.monitor.url",
        "plugins.more",
        "plugins.nom.cach",
        "plugins.nom.n_bins",
        "source.connect_timeout",
        "source.queue_events",
        "source.silence_timeout",
        "update_every",
    ]
    assert 'log.backups (environment) must be a whole number, not the text "many".' in found
    assert "source.queue_events (environment) must be 1 or more, not 0." in found
    assert (
        "plugins.monitor.url is missing: give text in the table [plugins.monitor] of the configuration."
        in found
    )


def test_a_whole_number_too_large_for_a_number_is_not_finite() -> None:
    (found,) = problems(f"update_every = 1{'0' * 400}")
    assert found.startswith("update_every (NOM.toml) must be a finite number, not 1000")
    assert len(found) < 200


def test_every_wrong_item_of_a_list_or_table_is_said() -> None:
    found = problems("plugins.nom.names = [1, 'a', 2]\nplugins.nom.limits = {low = 'x', high = 'y'}")
    assert [sentence.partition(" ")[0] for sentence in found] == [
        "plugins.nom.names[0]",
        "plugins.nom.names[2]",
        "plugins.nom.limits.low",
        "plugins.nom.limits.high",
    ]


def test_a_problem_of_a_table_names_every_layer_that_it_is_from() -> None:
    (found,) = problems(
        "source.retry_first = 100", environ={**ENVIRON, "LIVERED_SOURCE__RETRY_LONGEST": "50"}
    )
    assert found.startswith("source (NOM.toml, environment) is not right: ")


def test_the_instrument_must_be_named() -> None:
    with pytest.raises(ConfigError) as error:
        structure(merge([]), {})
    assert error.value.problems == ("instrument is missing: give text.",)
    with pytest.raises(ConfigError, match="short instrument name"):
        structure(merge([Layer("a", {"instrument": "../x"}, CWD)]), {})


@pytest.mark.parametrize(
    "address", ["", "localhost:31415", "bl1b-daq1.sns.gov:31415", "10.0.0.1:1", "[::1]:65535"]
)
def test_addresses(address: str) -> None:
    assert made(f"address = '{address}'").address == address


@pytest.mark.parametrize(
    "address",
    ["localhost", "localhost:", ":31415", "localhost:0", "localhost:65536", "localhost:x", "a b:1", "::1:31415",
     "[::x]:1", "adara://localhost:31415", "localhost:٣", "-x:1", "localhost:31415/"],
)  # fmt: skip
def test_what_is_no_address(address: str) -> None:
    (found,) = problems(f"address = '{address}'")
    assert found.startswith("address (NOM.toml) must ")


@pytest.mark.parametrize("time", ["2026-11-22T10:00:00Z", "2026-11-22 10:00", "2026-11-22T10:00:00-05:00"])
def test_start_times(time: str) -> None:
    assert made(f"start_time = '{time}'").start_time == time


@pytest.mark.parametrize("time", ["yesterday", "10:00", "1960-01-01T00:00:00Z", "2026-13-01"])
def test_what_is_no_start_time(time: str) -> None:
    (found,) = problems(f"start_time = '{time}'")
    assert found.startswith("start_time (NOM.toml) must be a time")


# --- paths


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("/a/b", "/a/b"),
        ("b/c", "/etc/livered/b/c"),
        ("../b", "/etc/livered/../b"),
        ("~/b", "/home/somebody/b"),
        ("~", "/home/somebody"),
        ("~root/b", f"{Path('~root').expanduser()}/b"),
        ("$DATA/b", "/data/b"),
        ("${DATA}/b", "/data/b"),
        ("x$DATA", "/etc/livered/x/data"),
        ("a{b}", "/etc/livered/a{b}"),
    ],
)
def test_paths_are_expanded_and_made_absolute(written: str, path: str) -> None:
    assert made(f"plugins.nom.calibration = '{written}'").plugins["nom"].calibration == Path(path)


@pytest.mark.parametrize("written", ["$UNSET/b", "${UNSET}", "${}", "~nobody-of-that-name/b"])
def test_paths_that_cannot_be_expanded(written: str) -> None:
    (found,) = problems(f"plugins.nom.calibration = '{written}'")
    assert found.startswith("plugins.nom.calibration (NOM.toml) ")
    assert "not set" in found or "does not know" in found


def test_a_nul_character_is_no_path() -> None:
    (found,) = problems(r'plugins.nom.calibration = "a\u0000b"')
    assert "NUL" in found


def test_each_path_is_relative_to_its_own_layer() -> None:
    merged = merge(
        [
            Layer("a", {"instrument": "NOM", "log": {"file": "l.log"}, "output_dir": "o"}, Path("/a")),
            Layer("b", {"output_dir": Path("p"), "simulate": {"idf": "i.xml"}}, Path("/b")),
        ]
    )
    config = structure(merged, {}, ENVIRON, CWD)
    assert (config.log.file, config.output_dir) == (Path("/a/l.log"), Path("/b/p"))
    assert config.simulate.idf == Path("/b/i.xml")


def test_the_output_folder_may_hold_the_instrument_and_nothing_else() -> None:
    assert made("output_dir = '$DATA/{instrument}/live'").output_dir == Path("/data/NOM/live")
    assert made("output_dir = '${DATA}/{instrument}'").output_dir == Path("/data/NOM")
    (found,) = problems("output_dir = '/data/{run}'")
    assert found.startswith("output_dir (NOM.toml) must have no other field in braces than {instrument}")


def test_an_empty_text_takes_away_what_may_be_not_set() -> None:
    weaker = Layer("weak", {"plugins": {"nom": {"calibration": "x", "bank": {"label": "a"}}}}, ETC)
    stronger = parse_layer('start_time = ""\nplugins.nom = {calibration = "", bank = ""}', "strong", ETC)
    merged = merge([Layer("flags", {"instrument": "NOM"}, CWD), weaker, stronger])
    config = structure(merged, {"nom": Settings}, ENVIRON, CWD)
    assert config.start_time is None
    assert config.plugins["nom"].calibration is None
    assert config.plugins["nom"].bank is None


# --- environment


def from_environment(**variables: str) -> Config:
    return made("", environ={**ENVIRON, **{f"LIVERED_{name}": value for name, value in variables.items()}})


def test_environment_values_become_what_the_key_wants() -> None:
    config = from_environment(
        UPDATE_EVERY="12",
        MAX_CHUNK_EVENTS="5_000",
        FROM_START_OF_RUN="false",
        BACKEND="native",
        START_TIME="2026-11-22T10:00:00Z",
        OUTPUT_DIR="out/{instrument}",
        HOOKS__OWNER='{process_chunk = "nom"}',
        LOG='{level = "DEBUG", file = "x.log"}',
        SIMULATE__TITLE="42",
        SIMULATE__PROPOSAL='"IPTS-1"',
        PLUGINS__NOM__PAIR="[1, 2]",
        PLUGINS__NOM__CALIBRATION="cal.h5",
        PLUGINS__NOM__MIXED="7",
        PLUGINS__NOM__NAMES='["a", "b"]',
        PLUGINS__NOM__ANYTHING="[1]",
        PLUGINS__NOM__BANKS='[{label = "x", mask = "m"}]',
    )
    assert (config.update_every, config.max_chunk_events, config.from_start_of_run) == (12.0, 5000, False)
    assert (config.backend, config.start_time) == ("native", "2026-11-22T10:00:00Z")
    assert config.output_dir == CWD / "out" / "NOM"
    assert config.hooks.owner == {"process_chunk": "nom"}
    assert (config.log.level, config.log.file) == ("DEBUG", CWD / "x.log")
    assert (config.simulate.title, config.simulate.proposal) == ("42", "IPTS-1")
    assert type(config.simulate.title) is str
    read = config.plugins["nom"]
    assert (read.pair, read.calibration, read.mixed) == ((1.0, 2.0), CWD / "cal.h5", 7)
    assert (read.names, read.anything) == (("a", "b"), [1])
    assert read.banks == [Bank("x", 0.1, CWD / "m")]


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("UPDATE_EVERY", "soon", 'update_every (environment) must be a number, not the text "soon".'),
        ("UPDATE_EVERY", "", 'update_every (environment) must be a number, not the text "".'),
        ("UPDATE_EVERY", "-1", "update_every (environment) must be above 0, not -1.0."),
        ("UPDATE_EVERY", "1\nb = 2", 'update_every (environment) must be a number, not the text "1\\nb = 2".'),
        ("FROM_START_OF_RUN", "1", "from_start_of_run (environment) must be true or false, not the whole number 1."),
        ("FROM_START_OF_RUN", "True", 'from_start_of_run (environment) must be true or false, not the text "True".'),
        ("MAX_CHUNK_EVENTS", "2.5", "max_chunk_events (environment) must be a whole number, not the number 2.5."),
        ("UPDATE_EVRY", "1", "update_evry (environment) is not a key; did you mean update_every?"),
        ("SIMULATE__TITLE", "\udcff", "simulate.title (environment) must be UTF-8 text, and has bytes that are not."),
        ("PLUGINS__NOM", "{n_bins = 0}", "plugins.nom.n_bins (environment) must be > 0: 0."),
    ],
)  # fmt: skip
def test_wrong_environment_values(name: str, value: str, found: str) -> None:
    assert problems("", environ={**ENVIRON, f"LIVERED_{name}": value}) == [found]


def test_the_environment_may_give_whole_tables_of_plugins() -> None:
    assert from_environment(PLUGINS__NOM="{n_bins = 3}").plugins["nom"].n_bins == 3
    assert from_environment(PLUGINS="{nom = {n_bins = 3}}").plugins["nom"].n_bins == 3
    assert from_environment(PLUGINS__FILES="{}").plugins["files"] is None
    found = problems("", environ={**ENVIRON, "LIVERED_PLUGINS__FILES": "{x = 1}"})
    assert found == ["plugins.files.x (environment) is not a key: this plugin has no settings; take it out."]


def test_only_the_environment_converts_text() -> None:
    assert problems('update_every = "12"')
    merged = merge([Layer("flags", {"instrument": "NOM", "update_every": "12"}, CWD)])
    with pytest.raises(ConfigError):
        structure(merged, {})


# --- plugins at fault


def test_plugins_come_in_the_order_asked_for() -> None:
    config = made("[plugins.files]\n[plugins.nom]\n", {"nom": Settings, "more": Settings, "files": None})
    assert list(config.plugins) == ["nom", "more", "files"]


def test_a_plugin_with_unusable_settings_is_said_and_not_thrown() -> None:
    @attrs.frozen
    class Unresolvable:
        x: "NoSuchType"  # type: ignore[name-defined]  # noqa: F821

    @attrs.frozen
    class Unsupported:
        x: complex = 0j

    def bad_validator(*_: Any) -> None:
        raise KeyError("x")

    @attrs.frozen
    class BadValidator:
        x: int = attrs.field(default=1, validator=bad_validator)

    plugins = {"a": Unresolvable, "b": Unsupported, "c": BadValidator, "d": int}
    found = problems("plugins.b.x = 1\nplugins.c.x = 1", plugins)
    assert [sentence.partition(" ")[0] for sentence in found] == [
        "plugins.a",
        "plugins.b.x",
        "plugins.c.x",
        "plugins.d",
    ]
    assert "NoSuchType" in found[0]
    assert "complex" in found[1]
    assert "KeyError: x" in found[2]
    assert "not an attrs class" in found[3]


def test_a_plugins_own_sentence_is_kept() -> None:
    def check(_instance: Any, _attribute: Any, value: str) -> None:
        message = "url must begin with https://."
        raise ValueError(message)

    @attrs.frozen
    class Own:
        url: str = attrs.field(validator=check)

    assert problems("plugins.own.url = 'x'", {"own": Own}) == [
        "plugins.own.url (NOM.toml) must begin with https://."
    ]


# --- secrets


@pytest.mark.parametrize(
    "line",
    [
        "password = 'hunter2'",
        "Password = 'hunter2'",
        "api_key = 'hunter2'",
        "apiKey = 'hunter2'",
        "client-secret = 'hunter2'",
        "authToken = 'hunter2'",
        "db_password = 'hunter2'",
        "credentials = ['me', 'hunter2']",
        "credentials = {username = 'me', password = 'hunter2'}",
        "token = 1234",
        "url = 'https://me:hunter2@host/plots'",
        "servers = [{token = 'hunter2'}]",
        "servers = ['https://me:hunter2@host']",
    ],
)
def test_secrets_are_refused_and_not_repeated(line: str) -> None:
    @attrs.frozen
    class Trusting:
        password: Any = ""
        token: Any = ""
        url: Any = ""
        credentials: Any = ""
        servers: Any = ()

    for plugins in ({"nom": Settings}, {"nom": Trusting}, {"nom": None}, {}):
        found = problems(f"[plugins.nom]\n{line}", plugins)
        assert "hunter2" not in " ".join(found)
        assert any("secrets are not kept in the configuration" in sentence for sentence in found)


@pytest.mark.parametrize(
    "variables",
    [
        {"LIVERED_PLUGINS__NOM__PASSWORD": "hunter2"},
        {"LIVERED_PLUGINS__NOM": "{password = 'hunter2'}"},
        {"LIVERED_PLUGINS": "{nom = {password = 'hunter2'}}"},
        {"LIVERED_PASSWORD": "hunter2"},
        {"LIVERED_SOURCE": "{password = 'hunter2'}"},
    ],
)
def test_secrets_in_the_environment_are_refused(variables: dict[str, str]) -> None:
    found = problems("", {"nom": None}, {**ENVIRON, **variables})
    assert "hunter2" not in " ".join(found)
    assert any("secrets are not kept" in sentence for sentence in found)


def test_a_malformed_table_of_the_environment_is_not_repeated_when_it_may_hold_a_secret() -> None:
    for plugins in ({"nom": Settings}, {"nom": None}):
        (found,) = problems("", plugins, {**ENVIRON, "LIVERED_PLUGINS__NOM": "{password = hunter2}"})
        assert found == "plugins.nom (environment) must be a table, not a text that may hold a secret."


def test_a_secret_is_reported_once() -> None:
    (found,) = problems("plugins.nom.password = 'hunter2'")
    assert found.startswith("plugins.nom.password (NOM.toml) looks like a secret")
    assert "password_file" in found


def test_references_to_secrets_and_switches_are_no_secrets() -> None:
    @attrs.frozen
    class Referring:
        credentials_file: Path
        token_path: Path
        password_credential: str
        use_token: bool

    config = made(
        "plugins.x = {credentials_file = '/c', token_path = '/t', password_credential = 'n', use_token = true}",
        {"x": Referring},
    )
    assert config.plugins["x"] == Referring(Path("/c"), Path("/t"), "n", use_token=True)


# --- anything at all

known = st.sampled_from(
    [field.name for cls in (Config, Settings, Bank, LogConfig, SourceConfig) for field in attrs.fields(cls)]
)
junk_keys = known | st.sampled_from(["nom", "files", "process_chunk"]) | st.text(max_size=5)
junk_values = st.recursive(
    st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["NOM", "native", "~/x", "$HOME", "$X", "h:1", "{instrument}", "{x}", ""])
    | st.datetimes()
    | st.dates()
    | st.times(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(junk_keys, inner, max_size=5),
    max_leaves=15,
)
junk = st.dictionaries(junk_keys, junk_values, max_size=6)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    junk, st.dictionaries(known.map(lambda key: f"LIVERED_{key.upper()}"), st.text(max_size=8), max_size=2)
)
def test_junk_gives_a_config_or_a_config_error(values: dict[str, Any], variables: dict[str, str]) -> None:
    layers = [Layer("junk", values, ETC), environment_layer(variables, CWD)]
    try:
        config = structure(merge(layers), PLUGINS, ENVIRON, CWD)
    except ConfigError as error:
        assert error.problems
        assert all(sentence.encode() for sentence in error.problems)
    else:
        assert isinstance(config, Config)
        assert config.output_dir.is_absolute()


@settings(max_examples=100, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "update_every": st.floats(0.001, 1e6) | st.integers(1, 10**6),
            "max_chunk_events": st.integers(1, 10**12),
            "from_start_of_run": st.booleans(),
            "backend": st.sampled_from(["auto", "native", "mantid"]),
            "run_transition": st.sampled_from(["restart", "stop", "keep"]),
        },
    )
)
def test_right_values_are_taken_as_they_are(values: dict[str, Any]) -> None:
    config = structure(merge([Layer("a", {"instrument": "NOM", **values}, ETC)]), {}, ENVIRON, CWD)
    for key, value in values.items():
        assert getattr(config, key) == value
