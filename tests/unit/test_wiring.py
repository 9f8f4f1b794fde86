"""From settings to a deployment."""

from pathlib import Path

import pytest

import nothing_bundle
from bedside.config import Settings
from bedside.errors import ConfigError, Unavailable
from bedside.wiring import ledger_state, open_deployment, worker_name
from bedside.wiring.opening import prepared


def settings(folder: Path, **sections: object) -> Settings:
    return Settings.model_validate({"system": {"root": folder / "data"}, **sections})


def test_a_deployment_opens_its_parts_when_first_used(tmp_path: Path) -> None:
    bundle = nothing_bundle.write_bundle(tmp_path / "bundle")
    deployment = open_deployment(
        settings(
            tmp_path,
            pipeline=[{"name": "p", "bundle": bundle, "pool": "gpu"}],
            rule=[{"name": "r", "pipeline": "p", "when": 'Modality == "CT"'}],
        )
    )
    assert not (tmp_path / "data" / "releases").exists()
    (stage,) = deployment.pipelines["p"].stages
    assert stage.release == nothing_bundle.digest(bundle)
    assert deployment.releases.path(stage.release).is_dir()
    assert deployment.rules[0].pipeline == "p"
    deployment.close()


def test_a_tenant_cannot_be_named_as_a_folder_of_ours(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'releases' is the name of another folder"):
        open_deployment(settings(tmp_path, system={"root": tmp_path, "tenants": ["releases"]}))


def test_the_ledgers_state_tells_no_password(tmp_path: Path) -> None:
    assert ledger_state(settings(tmp_path)).startswith("sqlite, not made yet")
    open_deployment(settings(tmp_path)).close()
    assert ledger_state(settings(tmp_path)) == "sqlite, 0 jobs wait"


def test_no_two_workers_have_the_same_name() -> None:
    names = {worker_name() for _ in range(100)}
    assert len(names) == 100
    assert all("/" not in name for name in names)


class _Closed:
    """A ledger that lets nobody in."""

    def prepare(self) -> None:
        raise Unavailable("ledger: connection timeout expired", hint="bedside doctor")


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        (
            "postgresql://bedside@ward-1.abc.eu-west-1.rds.amazonaws.com/bedside",
            "bedside deploy run -- job list",
        ),
        ("postgresql://bedside@db.example/rds.amazonaws.com", "bedside doctor"),
        ("", "bedside doctor"),
    ],
)
def test_a_database_of_aws_that_lets_nobody_in_says_how_else_it_is_asked(url: str, hint: str) -> None:
    with pytest.raises(Unavailable) as caught:
        prepared(_Closed(), url)  # type: ignore[arg-type]
    assert hint in caught.value.hint
    assert (url.endswith(".com/bedside")) == ("deploy run" in caught.value.hint)
