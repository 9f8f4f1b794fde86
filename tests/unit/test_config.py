"""Reading bedside.toml: precedence, sources, and errors that point at the line."""

import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedside.config import Loaded, Settings, load, shown
from bedside.config.lines import key_lines
from bedside.config.shown import masked
from bedside.errors import ConfigError

GOOD = """\
[system]
root = "data"

[worker]
count = 2
pools = [
  "a",
  "b",
]
lease_s = 30

[[pipeline]]
name = "spleen"
bundle = "bundles/spleen"
[pipeline.labels.1]
name = "Spleen"

[[pipeline]]
name = "two"
[[pipeline.stage]]
name = "prepare"
command = ["true", "{input}"]
[[pipeline.stage]]
bundle = "/abs/bundle"

[[rule]]
name = "ct"
pipeline = "spleen"
when = 'Modality == "CT"'
"""


def read(folder: Path, text: str, *, environment: dict[str, str] | None = None, **flags: object) -> Loaded:
    path = folder / "bedside.toml"
    path.write_text(text)
    return load(
        path, environment=environment or {}, flags={k.replace("__", "."): v for k, v in flags.items()}
    )


def refusal(folder: Path, text: str, **rest: object) -> str:
    with pytest.raises(ConfigError) as caught:
        read(folder, text, **rest)  # type: ignore[arg-type]
    return caught.value.message


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    variable = {"BEDSIDE_WORKER_COUNT": "3"}
    assert load(None, environment={}, flags={}).settings.worker.count == 1
    assert read(tmp_path, GOOD).settings.worker.count == 2
    assert read(tmp_path, GOOD, environment=variable).settings.worker.count == 3
    assert read(tmp_path, GOOD, environment=variable, worker__count=4).settings.worker.count == 4
    assert read(tmp_path, GOOD, environment=variable, worker__count=None).settings.worker.count == 3


def test_every_value_names_its_source(tmp_path: Path) -> None:
    loaded = read(tmp_path, GOOD, environment={"BEDSIDE_WORKER_POOLS": "x, y"}, worker__device="cpu")
    source = {line.key: line.source for line in shown(loaded.settings, loaded.sources)}
    file = tmp_path / "bedside.toml"
    assert source["worker.count"] == f"{file}:5"
    assert source["worker.lease_s"] == f"{file}:10"
    assert source["worker.pools"] == "BEDSIDE_WORKER_POOLS"
    assert loaded.settings.worker.pools == ("x", "y")
    assert source["worker.device"] == "flag"
    assert source["worker.warm"] == "default"
    assert source["pipeline.0.labels.1.name"] == f"{file}:16"
    assert source["pipeline.1.stage.1.bundle"] == f"{file}:24"
    assert source["pipeline.1.max_attempts"] == "default"


def test_relative_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "etc").mkdir()
    monkeypatch.chdir(tmp_path)
    loaded = read(tmp_path / "etc", GOOD + '\n[ledger]\nurl = "sqlite:///jobs.db"\n')
    assert loaded.settings.system.root == tmp_path / "etc" / "data"
    assert loaded.settings.pipeline[0].bundle == tmp_path / "etc" / "bundles" / "spleen"
    assert loaded.settings.pipeline[1].stage[1].bundle == Path("/abs/bundle")
    assert loaded.settings.ledger.url == f"sqlite:///{tmp_path}/etc/jobs.db"


def test_a_path_in_the_environment_is_relative_to_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "etc").mkdir()
    monkeypatch.chdir(tmp_path)
    loaded = read(tmp_path / "etc", GOOD, environment={"BEDSIDE_SYSTEM_ROOT": "here"})
    assert loaded.settings.system.root == tmp_path / "here"


def test_without_a_file_the_defaults_are_in_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    loaded = load(None, environment={}, flags={})
    assert loaded.path is None
    assert loaded.settings.system.root == tmp_path / "bedside-data"
    (tmp_path / "bedside.toml").write_text("[worker]\ncount = 7\n")
    assert load(None, environment={}, flags={}).settings.worker.count == 7


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[worker]\n\ncuont = 2\n", 3, "unknown key worker.cuont; the nearest is worker.count"),
        ("[wroker]\ncount = 2\n", 1, "unknown key wroker; the nearest is worker"),
        ('[worker]\ncount = "2"\n', 2, "worker.count = '2': expected a whole number"),
        ("[worker]\ncount = -1\n", 2, "expected greater than or equal to 0"),
        (GOOD.replace('"Spleen"', "3"), 16, "pipeline.0.labels.1.name = 3: expected a string"),
        (GOOD.replace('name = "Spleen"', "nmae = 3"), 16, "the nearest is pipeline.0.labels.1.name"),
        (
            GOOD.replace('pipeline = "spleen"', 'pipeline = "spln"'),
            28,
            "names no pipeline; the nearest is 'spleen'",
        ),
        (GOOD.replace('name = "two"', 'name = "spleen"'), 19, "'spleen' is used before"),
        (GOOD.replace('bundle = "/abs/bundle"', ""), 23, "needs a bundle, a map or a command, it has none"),
        (
            GOOD.replace('bundle = "/abs/bundle"', 'bundle = "/abs/bundle"\nmap = "x.tar"'),
            23,
            "it has bundle and map",
        ),
        ('[[pipeline]]\nbundle = "x"\n', 1, "pipeline.0.name is missing"),
        (GOOD.replace('== "CT"', '= "CT"'), 29, "rule.0.when"),
    ],
)
def test_an_error_names_the_line_and_the_remedy(tmp_path: Path, text: str, line: int, words: str) -> None:
    message = refusal(tmp_path, text)
    assert message.startswith(f"{tmp_path / 'bedside.toml'}:{line}: "), message
    assert words in message


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    assert (
        len(refusal(tmp_path, "[worker]\ncuont = 2\nwarm = 0\n[intake]\nquiet_s = 'x'\n").splitlines()) == 3
    )


def test_text_that_is_not_toml(tmp_path: Path) -> None:
    assert "is not TOML" in refusal(tmp_path, "[worker\n")


def test_a_missing_file_is_an_error_only_when_it_was_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        load(tmp_path / "absent.toml", environment={}, flags={})
    assert caught.value.hint.startswith("bedside init")


@pytest.mark.parametrize("name", ["BEDSIDE_WORKER_CUONT", "BEDSIDE_INTAKE_FILE_SET", "BEDSIDE_LEDGER_URI"])
def test_an_unknown_variable_names_the_nearest(name: str) -> None:
    with pytest.raises(ConfigError, match="the nearest is BEDSIDE_"):
        load(None, environment={name: "1"}, flags={})


@pytest.mark.parametrize(
    "name",
    ["BEDSIDE_WORKER_SERVICE_HOST", "BEDSIDE_WORKER_PORT_80_TCP", "BEDSIDE_OTHER", "PATH", "BEDSIDE_CONFIG"],
)
def test_variables_of_others_are_left_alone(name: str) -> None:
    assert (
        load(None, environment={name: "1"}, flags={}).settings
        == load(None, environment={}, flags={}).settings
    )


def test_a_variable_of_the_wrong_type() -> None:
    with pytest.raises(ConfigError, match="BEDSIDE_WORKER_COUNT=two: expected a whole number"):
        load(None, environment={"BEDSIDE_WORKER_COUNT": "two"}, flags={})


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://me:s3cret@db/bedside", "postgresql://me:***@db/bedside"),
        (
            "postgresql+psycopg://me:p%40ss@db:5432/x?sslmode=require",
            "postgresql+psycopg://me:***@db:5432/x?sslmode=require",
        ),
        ("postgresql:///x?user=me&password=s3cret&host=db", "postgresql:///x?user=me&password=***&host=db"),
        ("sqlite:////var/lib/bedside/ledger.db", "sqlite:////var/lib/bedside/ledger.db"),
        ("", ""),
    ],
)
def test_passwords_are_masked(url: str, expected: str) -> None:
    assert masked(url) == expected


def test_a_password_is_in_no_error_either(tmp_path: Path) -> None:
    text = '[ledger]\nurl = ["postgresql://me:s3cret@db/x"]\n'
    assert "s3cret" not in refusal(tmp_path, text)


def test_shown_lists_every_setting_of_the_plain_sections(tmp_path: Path) -> None:
    keys = {line.key for line in shown(Settings(), {})}
    for section in ("system", "ledger", "intake", "worker"):
        model = type(getattr(Settings(), section))
        assert {f"{section}.{name}" for name in model.model_fields} <= keys


def test_the_schema_describes_every_key() -> None:
    schema = Settings.model_json_schema()
    json.dumps(schema)
    for name, model in schema["$defs"].items():
        for key, value in model.get("properties", {}).items():  # an enumeration has none
            assert value.get("description"), f"{name}.{key} has no description"


KEYS = st.text("abc_", min_size=1, max_size=3)


@given(
    st.dictionaries(
        KEYS,
        st.dictionaries(KEYS, st.sampled_from(["1", '"x"', '"""\nx\n"""', "[\n1,\n2]"]), max_size=3),
        max_size=3,
    )
)
def test_lines_are_those_of_the_text(tables: dict[str, dict[str, str]]) -> None:
    lines: list[str] = []
    expected: dict[tuple[str, str], int] = {}
    for table, values in tables.items():
        lines.append(f"[{table}]")
        for key, value in values.items():
            expected[(table, key)] = len(lines) + 1
            lines += f"{key} = {value}".split("\n")
    text = "\n".join(lines)
    tomllib.loads(text)
    found = key_lines(text)
    assert {key: found[key] for key in expected} == expected


def test_a_map_that_lies_here_is_named_from_the_files_place_and_a_reference_stays(tmp_path: Path) -> None:
    (tmp_path / "layout").mkdir()
    places = {
        "layout": str(tmp_path / "layout"),
        "./later.tar": str(tmp_path / "later.tar"),
        "localhost:5000/spleen:1": "localhost:5000/spleen:1",
    }
    for text, meant in places.items():
        (tmp_path / "bedside.toml").write_text(f'[[pipeline]]\nname = "a"\nmap = "{text}"\n')
        loaded = load(tmp_path / "bedside.toml", environment={}, flags={})
        assert loaded.settings.pipeline[0].map == meant
