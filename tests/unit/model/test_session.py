"""A loaded bundle: memory running out, progress, refusals, other engines, and what is noted."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from bedside.domain.volume import Volume
from bedside.errors import Cancelled, ConfigError, ModelFailed, OutOfMemory
from bedside.model.bundle import open_bundle
from bedside.model.deviation import Deviation, probe_of
from bedside.model.session import Session, SessionOptions
from bundles.build import lps_softmax, overlapping_sigmoid, torchscript
from pretended import CUDA, PretendedCuda

SMALL_WINDOWS = {
    "_target_": "SlidingWindowInferer",
    "roi_size": [16, 16, 16],
    "sw_batch_size": 8,
    "overlap": 0.5,
}
OPTIONS = SessionOptions(device="cpu", threads=1)


@pytest.fixture(scope="module")
def volume() -> Volume:
    values = gaussian_filter(np.random.default_rng(3).normal(0, 1, (30, 60, 64)), 2)
    affine = np.diag([0.0, 0.0, 0.0, 1.0])
    affine[2, 0], affine[1, 1], affine[0, 2] = 2.5, 0.9, 0.8
    return Volume(
        array=(values / values.std() * 250).astype(np.int16),
        affine=affine,
        modality="CT",
        body_part="",
        frame_of_reference_uid="1.2",
        series_uid="1.2.3",
        source_spacing_mm=(2.5, 0.9, 0.8),
    )


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lps_softmax(tmp_path_factory.mktemp("bundle") / "lps_softmax")


@pytest.fixture
def session(bundle: Path) -> Any:
    loaded = Session(open_bundle(bundle), OPTIONS)
    yield loaded
    loaded.close()


def edited(source: Path, target: Path, **changes: Any) -> Path:
    """Copy a bundle with parts of its inference configuration replaced."""
    for path in source.rglob("*"):
        if path.is_file():
            (target / path.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
            (target / path.relative_to(source)).write_bytes(path.read_bytes())
    config = json.loads((target / "configs/inference.json").read_text())
    (target / "configs/inference.json").write_text(json.dumps(config | changes))
    return target


class Hungry:
    """A forward pass that runs out of memory above a number of windows at once."""

    def __init__(self, network: Any, most: int, error: type[Exception] = torch.OutOfMemoryError) -> None:
        self.network, self.most, self.error = network, most, error
        self.seen: list[int] = []

    def __call__(self, windows: torch.Tensor) -> Any:
        self.seen.append(len(windows))
        if len(windows) > self.most:
            raise self.error("CUDA out of memory. Tried to allocate 2.00 GiB")
        return self.network(windows)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, MemoryError, RuntimeError])
def test_out_of_memory_is_answered_with_fewer_windows_at_once(
    error: type[Exception], bundle: Path, volume: Volume, tmp_path: Path
) -> None:
    root = edited(
        bundle,
        tmp_path / "b",
        inferer=SMALL_WINDOWS,
    )
    session = Session(open_bundle(root), OPTIONS)
    expected = session.run(volume)
    assert expected.notes["sw_batch_size"] == 8
    hungry = Hungry(session._pipeline._windows.network, 2, error)
    session._pipeline._windows.run = hungry
    output = session.run(volume)
    assert np.array_equal(output.segmentation.array, expected.segmentation.array)
    assert output.notes["sw_batch_size"] == 2
    assert output.notes["memory_retries"] == 2
    assert max(hungry.seen) == 8
    assert session._pipeline._program.inferer.sw_batch_size == 8  # the bundle's own comes back
    session.close()


def test_out_of_memory_at_one_window_is_the_end(session: Session, volume: Volume) -> None:
    session._pipeline._windows.run = Hungry(None, 0)
    with pytest.raises(OutOfMemory, match=r"one window at a time"):
        session.run(volume)


def test_stitching_moves_to_the_machine_before_giving_up() -> None:
    from bedside.model.forward import _configured, _settings

    class Inferer:
        sw_batch_size, device, sw_device, roi_size = 4, None, None, [32, 32, 32]

    class OnDevice:
        device = torch.device("cuda")

    inferer = Inferer()
    assert list(_settings(inferer, OnDevice())) == [(4, "cuda"), (2, "cuda"), (1, "cuda"), (1, "cpu")]
    with _configured(inferer, 1, "cpu", torch.device("cuda")):
        assert (inferer.device, inferer.sw_device) == (torch.device("cpu"), torch.device("cuda"))
        assert inferer.roi_size == [32, 32, 32]
    assert (inferer.sw_batch_size, inferer.device, inferer.sw_device) == (4, None, None)


BYTES = {"windows": 8 * 3 * 16**3 * 4, "prediction": 3 * 31 * 42 * 26 * 4, "volume": 3 * 30 * 60 * 64 * 4}


@pytest.mark.parametrize(
    ("most_bytes", "retries", "stitched_on"),
    [
        pytest.param(1e9, 0, "cuda", id="enough"),
        pytest.param(BYTES["prediction"] * 1.1, 0, "cuda", id="finishing"),
        pytest.param(BYTES["prediction"] * 0.99, 4, "cpu", id="stitching"),
        pytest.param(BYTES["windows"] * 0.9, 4, "cpu", id="windows"),
    ],
)
def test_a_device_with_little_memory_gives_the_same_masks(
    bundle: Path, volume: Volume, tmp_path: Path, most_bytes: float, retries: int, stitched_on: str
) -> None:
    """It runs out where windows are put together (3 labels on the network's grid), or on the way back."""
    root = edited(bundle, tmp_path / "b", inferer=SMALL_WINDOWS)
    session = Session(open_bundle(root), OPTIONS)
    expected = session.run(volume)
    with PretendedCuda(most_bytes) as device:
        session._device = session._pipeline._device = CUDA
        session._pipeline._windows.to(CUDA)
        output = session.run(volume)
        assert all(map(device.holds, session._pipeline._windows.network.parameters()))
    assert np.array_equal(output.segmentation.array, expected.segmentation.array)
    notes = [output.notes[name] for name in ("device", "memory_retries", "stitched_on", "sw_batch_size")]
    assert notes == ["cuda", retries, stitched_on, 1 if retries else 8]
    assert bool(device.refused) == (most_bytes < BYTES["volume"])
    assert session._pipeline._program.inferer.device is None  # the bundle's own comes back
    session.close()


def test_other_errors_of_the_network_are_not_taken_for_memory(session: Session, volume: Volume) -> None:
    def broken(windows: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    session._pipeline._windows.run = broken
    with pytest.raises(ModelFailed, match="shapes cannot be multiplied"):
        session.run(volume)


def test_progress_counts_windows_up_to_the_end(bundle: Path, volume: Volume, tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    session = Session(open_bundle(edited(bundle, tmp_path / "b", inferer=SMALL_WINDOWS)), OPTIONS)
    session.run(volume, progress=lambda doing, done: told.append((doing, done)))
    forward = [done for doing, done in told if doing == "forward"]
    assert forward == sorted(forward)
    assert forward[-1] == 1.0
    assert len(forward) > 3
    assert told[0] == ("pre", 0.0)
    assert told[-1] == ("post", 1.0)


def test_what_progress_raises_ends_the_run(session: Session, volume: Volume) -> None:
    def stop(doing: str, done: float) -> None:
        if doing == "forward" and done > 0:
            raise Cancelled("job was cancelled")

    with pytest.raises(Cancelled):
        session.run(volume, progress=stop)
    assert session.run(volume).segmentation is not None  # and the model stays warm


def test_weights_that_do_not_fit_are_refused(bundle: Path, tmp_path: Path) -> None:
    root = edited(bundle, tmp_path / "b")
    torch.save({"model": {"other": torch.zeros(3)}}, root / "models/model.pt")
    with pytest.raises(ConfigError, match="do not fit the network"):
        Session(open_bundle(root), OPTIONS)


@pytest.mark.parametrize("wrapped", ["state_dict", "model", "module."])
def test_weights_wrapped_by_training_scripts_are_found(
    wrapped: str, bundle: Path, volume: Volume, tmp_path: Path, session: Session
) -> None:
    root = edited(bundle, tmp_path / "b")
    state = torch.load(root / "models/model.pt")
    torch.save(
        {f"module.{key}": value for key, value in state.items()}
        if wrapped == "module."
        else {wrapped: state, "epoch": 3},
        root / "models/model.pt",
    )
    other = Session(open_bundle(root), OPTIONS)
    assert np.array_equal(other.run(volume).segmentation.array, session.run(volume).segmentation.array)
    other.close()


def test_exported_network_stands_in_for_a_state_dict(
    bundle: Path, volume: Volume, tmp_path: Path, session: Session
) -> None:
    root = edited(bundle, tmp_path / "b")
    scripted = torch.jit.script(session._pipeline._windows.network)
    extra = {
        "metadata.json": (root / "configs/metadata.json").read_bytes(),
        "inference.json": (root / "configs/inference.json").read_bytes(),
    }
    (root / "models/model.pt").unlink()
    torch.jit.save(scripted, root / "models/model.ts")
    torch.jit.save(scripted, tmp_path / "whole.ts", _extra_files=extra)
    expected = session.run(volume).segmentation.array
    for path in (root, tmp_path / "whole.ts"):
        other = Session(open_bundle(path), OPTIONS)
        assert np.array_equal(other.run(volume).segmentation.array, expected)
        other.close()


def test_random_weights_are_never_run(bundle: Path, tmp_path: Path) -> None:
    root = edited(bundle, tmp_path / "b", initialize=["$monai.utils.set_determinism(seed=123)"])
    config = json.loads((root / "configs/inference.json").read_text())
    del config["checkpointloader"]
    (root / "configs/inference.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match="loads weights"):
        Session(open_bundle(root), OPTIONS)


def test_broken_configuration_names_what_is_wrong(bundle: Path, tmp_path: Path) -> None:
    root = edited(bundle, tmp_path / "b", network_def={"_target_": "NoSuchNetwork"})
    with pytest.raises(ConfigError, match=r"cannot be evaluated.*NoSuchNetwork"):
        Session(open_bundle(root), OPTIONS)


def test_probabilities_are_not_rounded_to_masks(bundle: Path, volume: Volume, tmp_path: Path) -> None:
    config = json.loads((bundle / "configs/inference.json").read_text())
    steps = config["postprocessing"]["transforms"]
    root = edited(
        bundle,
        tmp_path / "b",
        postprocessing={"_target_": "Compose", "transforms": [steps[0], steps[1], steps[3]]},
    )
    session = Session(open_bundle(root), OPTIONS)
    with pytest.raises(ModelFailed, match=r"not whole numbers|not a mask"):
        session.run(volume)
    session.close()


def test_result_off_the_source_grid_is_refused(bundle: Path, volume: Volume, tmp_path: Path) -> None:
    config = json.loads((bundle / "configs/inference.json").read_text())
    steps = config["postprocessing"]["transforms"]
    root = edited(
        bundle,
        tmp_path / "b",
        postprocessing={"_target_": "Compose", "transforms": [steps[0], steps[2], steps[3]]},
    )
    session = Session(open_bundle(root), OPTIONS)
    with pytest.raises(ModelFailed, match="another grid"):
        session.run(volume)
    session.close()


COMPILED = (pytest.mark.slow, pytest.mark.needs("g++"))


@pytest.mark.parametrize(
    ("engine", "precision"),
    [
        ("torch", "bf16"),
        ("openvino", "fp32"),
        pytest.param("compile", "fp32", marks=COMPILED),
        pytest.param("compile", "bf16", marks=COMPILED),
    ],
)
def test_other_engines_note_how_far_they_are(
    engine: str, precision: str, bundle: Path, volume: Volume, session: Session
) -> None:
    if engine == "openvino":
        pytest.importorskip("openvino")
    options = dataclasses.replace(OPTIONS, engine=engine, precision=precision, tolerance_dice=0.9)
    other = Session(open_bundle(bundle), options)
    output = other.run(volume)
    deviation: Any = output.notes["deviation"]
    assert set(deviation["dice"]) == {"liver", "spleen"}
    assert min(deviation["dice"].values()) > 0.9
    assert deviation["tolerance_dice"] == 0.9
    expected = session.run(volume).segmentation.array
    assert np.mean(output.segmentation.array != expected) < 0.05
    other.close()


@pytest.mark.slow
@pytest.mark.needs("g++")
def test_a_compiled_network_is_compiled_once_for_each_number_of_windows(
    bundle: Path, volume: Volume, tmp_path: Path
) -> None:
    """And is the compiled one: torch falls back to the network itself without a word where it gives up."""
    from torch._dynamo.utils import counters

    root = edited(bundle, tmp_path / "b", inferer=SMALL_WINDOWS)
    session = Session(open_bundle(root), dataclasses.replace(OPTIONS, engine="compile"))
    expected = Session(open_bundle(root), OPTIONS)
    counters.clear()
    assert np.array_equal(session.run(volume).segmentation.array, expected.run(volume).segmentation.array)
    once = counters["stats"]["unique_graphs"]
    assert 1 <= once <= 8
    assert not counters["graph_break"]
    session.run(volume)
    assert counters["stats"]["unique_graphs"] == once
    session.close()
    expected.close()


@pytest.mark.parametrize("there", [True, False])
def test_a_compiler_that_does_not_compile_is_said_at_once(there: bool, bundle: Path, tmp_path: Path) -> None:
    if there:
        compiler = tmp_path / "g++"
        compiler.write_text("#!/bin/sh\nexit 1\n")
        compiler.chmod(0o755)
    program = f"""
from pathlib import Path
from bedside.model.bundle import open_bundle
from bedside.model.session import Session, SessionOptions

Session(open_bundle(Path({str(bundle)!r})), SessionOptions(device="cpu", engine="compile"))
"""
    # In a process of its own: torch remembers a compiler that it has found.
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PATH": str(tmp_path), "HOME": str(tmp_path), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stderr.splitlines()[-1]
    assert said.startswith("bedside.errors.ConfigError: engine compile: "), done.stderr
    assert ("No working C++ compiler" if there else "g++ not found") in said


def test_deviation_beyond_the_tolerance_is_refused(bundle: Path, volume: Volume) -> None:
    session = Session(open_bundle(bundle), dataclasses.replace(OPTIONS, precision="bf16", tolerance_dice=1.0))
    with pytest.raises(ConfigError, match=r"Dice of \w+ against fp32 torch is 0\.\d+, below 1 "):
        session.run(volume)
    session.close()


def test_numbers_are_held_against_the_tolerance_too(bundle: Path) -> None:
    Deviation(numbers=0.0005).check(OPTIONS, open_bundle(bundle))
    with pytest.raises(ConfigError, match="numbers differ"):
        Deviation(numbers=0.01).check(OPTIONS, open_bundle(bundle))


def test_probe_lies_round_what_was_found(volume: Volume, session: Session) -> None:
    large = dataclasses.replace(volume, array=np.zeros((200, 30, 30), np.int16))
    found = dataclasses.replace(session.run(volume).segmentation, array=np.zeros((200, 30, 30), np.uint8))
    found.array[150:160] = 1
    probe = probe_of(large, found)
    assert probe.array.shape == (80, 30, 30)
    np.testing.assert_allclose(probe.affine[:3, 3], [0, 0, 2.5 * 114])


@pytest.mark.parametrize(
    ("option", "value"), [("device", "tpu"), ("device", "cuda:99"), ("engine", "abacus")]
)
def test_what_the_machine_lacks_is_said_at_once(option: str, value: str, bundle: Path) -> None:
    with pytest.raises(ConfigError, match=value):
        Session(open_bundle(bundle), dataclasses.replace(OPTIONS, **{option: value}))


def test_fp16_needs_cuda(bundle: Path) -> None:
    with pytest.raises(ConfigError, match="fp16"):
        Session(open_bundle(bundle), dataclasses.replace(OPTIONS, precision="fp16"))


def test_masks_of_channels_carry_their_labels(tmp_path: Path, volume: Volume) -> None:
    session = Session(open_bundle(overlapping_sigmoid(tmp_path / "b")), OPTIONS)
    found = session.run(volume).segmentation
    assert found.overlapping
    assert [(label.value, label.name) for label in found.labels] == [(1, "liver"), (2, "liver tumor")]
    assert np.array_equal(found.mask(found.labels[1]), found.array[1].astype(bool))
    session.close()


def test_yaml_with_a_mistake_names_the_line(tmp_path: Path) -> None:
    root = torchscript(tmp_path / "b")
    path = root / "configs/inference.yaml"
    path.write_text("a: [1, 2\n" + path.read_text())
    with pytest.raises(ConfigError, match=r"is not YAML.*line"):
        Session(open_bundle(root), OPTIONS)
