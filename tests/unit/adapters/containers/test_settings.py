"""A MAP of bedside answers alike as a warm child and by its own application: its settings travel with it."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bedside.adapters.containers.application import Application, read_application
from bedside.adapters.containers.box import Held
from bedside.adapters.containers.runner import _as_packaged
from bedside.domain.pipeline import Pipeline, Stage, StageKind
from bedside.domain.request import RunRequest, request_settings
from bedside.errors import ConfigError
from bedside.oci.map import MapSpec, map_config, paths
from bedside.oci.map.manifests import app_config, app_manifest
from bedside.ports import Task

PACKAGED = {"outputs": ["seg"], "select": "SliceThickness <= 2", "precision": "bf16"}
DIGEST = "sha256:" + "a" * 64


class Files:
    """An engine that holds one MAP's files."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def read(self, _held: Held, wanted: Sequence[str]) -> dict[str, bytes]:
        return {path: self._files[path] for path in wanted if path in self._files}


def packaged(**more: bytes) -> Application:
    spec = MapSpec(
        title="Spleen",
        version="1.0",
        bedside_version="0.1.0",
        bundle_digest=DIGEST,
        models=("spleen",),
        timeout_s=60,
        settings=PACKAGED,
    )
    files = {paths.APP_MANIFEST: app_manifest(spec, {}), paths.APP_CONFIG: app_config(spec)}
    held = Held(id="1", digest=DIGEST, config=map_config(spec))
    return read_application(Files({**files, **more}), held)  # type: ignore[arg-type]


def task(settings: Mapping[str, object]) -> Task:
    stage = Stage(name="infer", kind=StageKind.MAP, release=DIGEST, settings=settings, timeout_s=3600)
    request = RunRequest(
        job_identity="1",
        arrival_id="2",
        release=DIGEST,
        release_name="Spleen",
        release_version="1.0",
        content_at=datetime(2026, 1, 1, tzinfo=UTC),
        **request_settings(stage),
    )
    return Task(
        stage=stage,
        pipeline=Pipeline(name="p", stages=(stage,)),
        request=request,
        input=Path("in"),
        output=Path("out"),
    )


def test_what_a_map_was_packaged_with_reaches_its_warm_child() -> None:
    found = _as_packaged(task({}), packaged())
    assert found.stage.settings == PACKAGED
    assert found.stage.timeout_s == 60
    assert (found.request.outputs, found.request.select) == (("seg",), "SliceThickness <= 2")


def test_what_the_stage_names_wins() -> None:
    found = _as_packaged(task({"precision": "fp32", "select": "", "outputs": ["sr"]}), packaged())
    assert found.stage.settings == {"precision": "fp32", "select": "", "outputs": ["sr"]}
    assert (found.request.outputs, found.request.select) == (("sr",), "")


def test_a_configuration_that_is_broken_is_said() -> None:
    with pytest.raises(ConfigError, match=r"app\.yaml: is not what bedside package writes"):
        packaged(**{"/var/holoscan/app.yaml": json.dumps(PACKAGED).encode()[:-1]})
