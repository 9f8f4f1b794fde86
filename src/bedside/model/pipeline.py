"""One study through a bundle's program: prepare, predict, finish.

Owns the order of calls that MONAI's `SupervisedEvaluator` makes round a network (collate, forward,
decollate, postprocessing), without Ignite, and the choice of faster equivalents for single steps. It
refuses to guess: whatever is not recognised exactly runs as MONAI runs it.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from monai.data.meta_tensor import MetaTensor
from monai.data.utils import decollate_batch, list_data_collate
from monai.engines.utils import default_prepare_batch, engine_apply_transform
from monai.inferers.inferer import SlidingWindowInferer

from bedside.domain.volume import Label, Segmentation, Volume
from bedside.errors import ModelFailed
from bedside.model.bundle import Bundle
from bedside.model.capture import Captured, captured_in
from bedside.model.fast_post import finished
from bedside.model.fast_pre import prepared
from bedside.model.forward import Effort, Progress, Windows, inference, is_out_of_memory, predict
from bedside.model.outcome import final_array, numbers_of, segmentation_of
from bedside.model.program import Program

#: Keys of captured results that are the prediction, best first.
_PREDICTIONS = ("pred", "prediction", "preds", "label", "mask", "seg")


class Pipeline:
    """A program with one way of running its network.

    Args:
        program: What runs.
        device: Where the network runs.
        runner: Runs the network's forward pass by another engine; None is the network itself.
        fast: Use the equivalents of well-known transforms.
    """

    def __init__(
        self, program: Program, device: torch.device, runner: Callable[..., Any] | None, *, fast: bool
    ) -> None:
        self._program = program
        self._device = device
        self._windows = Windows(program.network, runner)
        self._fast = fast

    def run(
        self,
        volume: Volume,
        *,
        bundle: Bundle,
        labels: tuple[Label, ...],
        progress: Progress | None,
        lap: Callable[[str], None],
    ) -> tuple[Segmentation | None, dict[str, float], Effort]:
        """Run one volume; see `bedside.model.session.Session.run`.

        Args:
            volume: The series.
            bundle: Says what outputs mean.
            labels: What to call them.
            progress: Told what is done now.
            lap: Told when a step has ended.
        """
        tell = progress or (lambda _doing, _fraction: None)
        tell("pre", 0.0)
        item = self._prepared(volume)
        self._windows.see(item)
        if self._program.evaluator:
            output, effort = self._by_evaluator(list_data_collate([item]), tell, lap)
        elif self._fast and self._is_usual(item):
            output, effort = self._by_equivalents(item, tell, lap)
        else:
            output, effort = self._by_parts(list_data_collate([item]), tell, lap)
        result = interpreted(output, volume, bundle, labels)
        lap("post")
        tell("post", 1.0)
        return (*result, effort)

    def _by_parts(self, batch: Any, tell: Progress, lap: Callable[[str], None]) -> tuple[Any, Effort]:
        """Do what `SupervisedEvaluator` does."""
        inputs, targets = default_prepare_batch(batch, self._device)
        prediction, effort = self._predicted(inputs, tell, lap)
        return self._finished(batch, {"image": inputs, "label": targets, "pred": prediction}), effort

    def _predicted(self, inputs: Any, tell: Progress, lap: Callable[[str], None]) -> tuple[Any, Effort]:
        program = self._program
        lap("pre")
        tell("forward", 0.0)

        def call() -> Any:
            self._windows.train(program.training_mode)
            with inference(program.amp):
                return program.inferer(inputs, self._windows)

        prediction, effort = predict(program.inferer, self._windows, inputs, call, progress=tell)
        lap("forward")
        tell("post", 0.0)
        return prediction, effort

    def _is_usual(self, item: Any) -> bool:
        """Return whether collating and decollating would only copy."""
        return (
            self._device.type == "cpu"
            and self._program.decollate
            and type(self._program.inferer) is SlidingWindowInferer
            and isinstance(item, dict)
            and set(item) == {"image"}
            and isinstance(item["image"], MetaTensor)
            and item["image"].ndim == 4
        )

    def _by_equivalents(
        self, item: dict[str, Any], tell: Progress, lap: Callable[[str], None]
    ) -> tuple[Any, Effort]:
        """Do what `_by_parts` does, without copies."""
        image = item["image"]
        inputs = image.as_tensor()[None].to(self._device)
        prediction, effort = self._predicted(inputs, tell, lap)
        del inputs
        if not isinstance(prediction, torch.Tensor):
            batch = list_data_collate([item])
            output = {"image": batch["image"], "label": None, "pred": _like(prediction, batch["image"])}
            return self._finished(batch, output), effort
        predicted = MetaTensor(
            prediction[0],
            meta=deepcopy(image.meta),
            applied_operations=deepcopy(image.applied_operations),
        )
        data = {"image": image, "label": None, "pred": predicted}
        del prediction, predicted
        post = self._program.postprocessing
        return (finished(post, data) if post else data), effort

    def _by_evaluator(self, batch: Any, tell: Progress, lap: Callable[[str], None]) -> tuple[Any, Effort]:
        """Run the bundle's own evaluator on a batch of one; postprocessing is part of it."""
        evaluator = self._program.evaluator
        lap("pre")
        tell("forward", 0.0)
        evaluator.data_loader = [batch]
        evaluator.network = self._windows
        images = [value for value in batch.values() if isinstance(value, torch.Tensor)]
        inputs = images[0].to(self._device)
        _, effort = predict(self._program.inferer, self._windows, inputs, evaluator.run, progress=tell)
        lap("forward")
        output = evaluator.state.output
        return output[0] if isinstance(output, list) else output, effort

    def _prepared(self, volume: Volume) -> Any:
        data = dict.fromkeys(self._program.keys, volume) if self._program.keys else volume
        return (
            prepared(self._program.preprocessing, data) if self._fast else self._program.preprocessing(data)
        )

    def _finished(self, batch: Any, output: dict[str, Any]) -> Any:
        """Run the postprocessing, in the machine's memory where the device's runs out."""
        try:
            return self._post(batch, output)
        except RuntimeError as exc:
            if self._device.type == "cpu" or not is_out_of_memory(exc):
                raise
        torch.cuda.empty_cache()
        return self._post(_to_cpu(batch), _to_cpu(output))

    def _post(self, batch: Any, output: dict[str, Any]) -> Any:
        post = self._program.postprocessing
        if not self._program.decollate:
            return engine_apply_transform(batch, output, post)[1] if post else output
        items, outputs = decollate_batch(batch), decollate_batch(output)
        return engine_apply_transform(items[0], outputs[0], post)[1] if post else outputs[0]


def _to_cpu(content: Any) -> Any:
    if isinstance(content, torch.Tensor):
        return content.cpu()
    if isinstance(content, dict):
        return {key: _to_cpu(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return type(content)(_to_cpu(value) for value in content)
    return content


def _like(prediction: Any, inputs: Any) -> Any:
    """Return a network's several outputs with the batch's metadata, as MONAI's inferer gives them."""
    if isinstance(prediction, torch.Tensor):
        result = MetaTensor(prediction).copy_meta_from(inputs, copy_attr=False)
        result.is_batch = True
        return result
    if isinstance(prediction, dict):
        return {key: _like(value, inputs) for key, value in prediction.items()}
    return tuple(_like(value, inputs) for value in prediction)


def interpreted(
    output: Any, volume: Volume, bundle: Bundle, labels: tuple[Label, ...]
) -> tuple[Segmentation | None, dict[str, float]]:
    """Return what a pipeline left behind as masks, or as numbers.

    Args:
        output: Its last dictionary or tensor.
        volume: The source.
        bundle: Says what outputs mean.
        labels: What to call them.

    Raises:
        ModelFailed: It left nothing, or something that is neither.
    """
    captured = captured_in(output)
    if captured:
        chosen = _chosen(captured)
        if chosen.affine is None:
            raise ModelFailed("output lost its place in space: it has no affine")
        return segmentation_of(chosen.array, chosen.affine, volume, bundle, labels), {}
    left = final_array(output)
    if left is None:
        raise ModelFailed("bundle left no prediction", hint="docs/bundles.md says what a bundle needs")
    if sum(size > 1 for size in left.shape) <= 1 and not bundle.labels:
        return None, numbers_of(left, bundle)
    affine = _affine_of(output)
    if left.ndim < 3 or affine is None:
        return None, numbers_of(left, bundle)
    from bedside.model.capture import CaptureImage  # noqa: PLC0415 - used here alone

    image = output["pred"] if isinstance(output, dict) else output
    saved = CaptureImage(resample=True).capture(image.cpu(), None)
    return segmentation_of(saved.array, saved.affine, volume, bundle, labels), {}


def _chosen(captured: dict[str, Captured]) -> Captured:
    for key in _PREDICTIONS:
        if key in captured:
            return captured[key]
    others = [key for key in captured if key != "image"]
    return captured[others[0] if others else next(iter(captured))]


def _affine_of(output: Any) -> Any:
    image = output.get("pred") if isinstance(output, dict) else output
    return getattr(image, "affine", None)
