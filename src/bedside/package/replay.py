"""Replays a release's golden case: the same study, and what becomes of it here.

Owns taking the case out of a MAP and the comparison of label maps. It knows no engine: whatever runs the
release is a `ModelRunner`. Another processor rounds otherwise, so a few voxels may differ; how many is
said, and more than the tolerance fails.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from tarfile import TarError
from tarfile import open as open_tar

import numpy as np
from numpy.typing import NDArray

from bedside.dicom.reread import dice
from bedside.domain.pipeline import Pipeline, Stage
from bedside.domain.request import RunRequest, request_settings
from bedside.errors import ConfigError, NotFound
from bedside.oci.open import ContainerImage
from bedside.package.golden import CASE, FOLDER, Golden, answer_of, digest_of, read_golden
from bedside.package.prove import ANYTHING, CONTENT_AT
from bedside.ports import ModelRunner, Progress, Task

#: Least Dice of each label; voxels on a seam may fall to its other side on another processor.
LEAST_DICE = 0.995
#: Most that a classifier's numbers may differ.
MOST_DIFFERENCE = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How one label's mask compares.

    Attributes:
        label: Its name.
        dice: Of expected and found.
        differing: Voxels that differ.
        expected: Voxels expected.
    """

    label: str
    dice: float
    differing: int
    expected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a replay showed.

    Attributes:
        release: Digest of what ran.
        agreements: One per label.
        differences: Of a classifier's numbers, by name.
        same_input: Whether the study is byte for byte the one that was read then; a phantom is made
            anew, and another processor may round it otherwise.
        problems: Why it fails, in sentences; empty where it does not.
        timings_s: Of the run.
    """

    release: str
    agreements: tuple[Agreement, ...]
    differences: Mapping[str, float]
    same_input: bool
    problems: tuple[str, ...]
    timings_s: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """Return JSON values."""
        return {
            "release": self.release,
            "verified": not self.problems,
            "labels": [
                {"name": one.label, "dice": one.dice, "differing": one.differing, "expected": one.expected}
                for one in self.agreements
            ],
            "numbers": dict(self.differences),
            "same_input": self.same_input,
            "problems": list(self.problems),
            "timings_s": dict(self.timings_s),
        }


def golden_of(image: ContainerImage, folder: Path) -> Golden:
    """Take the golden case out of a MAP.

    Args:
        image: The MAP.
        folder: An empty folder for its files.

    Raises:
        NotFound: The MAP has none.
        ConfigError: It is not whole.
    """
    take_out(image, FOLDER, folder)
    if not (folder / CASE).is_file():
        raise NotFound(
            f"release {image.descriptor.digest}: carries no golden case",
            hint="package the bundle again without --no-prove",
        )
    return read_golden(folder)


def take_out(image: ContainerImage, below: str, folder: Path) -> int:
    """Write the plain files of one folder of a container image, from its highest layer that has any.

    Args:
        image: The container image.
        below: The folder, relative to the root.
        folder: Where to.

    Returns:
        How many files.

    Raises:
        ConfigError: A layer is damaged.
    """
    for layer in reversed(image.layers):
        count = 0
        try:
            with image.tar(layer) as stream, open_tar(fileobj=stream, mode="r|") as archive:
                for member in archive:
                    path = PurePosixPath(member.name)
                    if not member.isfile() or ".." in path.parts or not path.is_relative_to(below):
                        continue
                    source = archive.extractfile(member)
                    assert source is not None
                    target = folder / path.relative_to(below)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(source.read())
                    count += 1
        except (TarError, EOFError) as exc:
            raise ConfigError(f"layer {layer.part.descriptor.digest}: is damaged ({exc})") from exc
        if count:
            return count
    return 0


def replay(
    golden: Golden,
    runner: ModelRunner,
    stage: Stage,
    *,
    scratch: Path,
    progress: Progress,
    least_dice: float = LEAST_DICE,
) -> Verdict:
    """Run a golden case and compare what comes of it with what came of it when it was packaged.

    Args:
        golden: The case.
        runner: Runs the release.
        stage: Names it.
        scratch: An empty folder.
        progress: Told what is done now.
        least_dice: Least Dice of each label.

    Raises:
        InputRejected: The release does not accept the study any more.
        ModelFailed: It failed on it.
    """
    study, output = golden.write_study(scratch / "input"), scratch / "output"
    output.mkdir()
    # All of it is said: what the MAP chooses for its own studies (select, outputs) is not the case's.
    stage = replace(
        stage,
        settings={
            **golden.settings,
            "select": "",
            "outputs": ["seg"],
            "accept": {} if golden.inputs else ANYTHING,
        },
    )
    bundle = golden.document.get("bundle")
    named = bundle if isinstance(bundle, Mapping) else {}
    task = Task(
        stage=stage,
        pipeline=Pipeline(name="verify", stages=(stage,)),
        request=RunRequest(
            job_identity=f"verify {stage.release}",
            arrival_id="verify",
            release=stage.release,
            release_name=str(named.get("name", "")),
            release_version=str(named.get("version", "")),
            content_at=CONTENT_AT,
            **request_settings(stage),
        ),
        input=study,
        output=output,
    )
    outcome = runner.run(task, progress)
    masks, numbers = answer_of(outcome, output, golden.sop_instance_uids)
    agreements = tuple(_agreement(name, mask, masks.get(name)) for name, mask in golden.masks.items())
    differences = {
        name: abs(numbers.get(name, float("inf")) - value) for name, value in golden.numbers.items()
    }
    return Verdict(
        release=stage.release,
        agreements=agreements,
        differences=differences,
        same_input=digest_of(study) == golden.input_digest,
        problems=(
            *_problems(agreements, differences, least_dice),
            *(
                f"label {name!r} is new"
                for name, mask in masks.items()
                if name not in golden.masks and mask.any()
            ),
        ),
        timings_s=outcome.timings_s,
    )


def _agreement(name: str, expected: NDArray[np.bool_], found: NDArray[np.bool_] | None) -> Agreement:
    if found is None or found.shape != expected.shape:
        found = np.zeros_like(expected)
    return Agreement(
        label=name,
        dice=dice(expected, found),
        differing=int(np.count_nonzero(expected != found)),
        expected=int(np.count_nonzero(expected)),
    )


def _problems(
    agreements: tuple[Agreement, ...], differences: Mapping[str, float], least_dice: float
) -> tuple[str, ...]:
    masks = [
        f"label {one.label!r}: Dice {one.dice:.5f} is below {least_dice:g}, "
        f"{one.differing} voxels differ of {one.expected} expected"
        for one in agreements
        if one.dice < least_dice
    ]
    numbers = [
        f"number {name!r} differs by {difference:.5f}, more than {MOST_DIFFERENCE:g}"
        for name, difference in differences.items()
        if difference > MOST_DIFFERENCE
    ]
    return (*masks, *numbers)
