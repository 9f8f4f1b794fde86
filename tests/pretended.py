"""A CUDA device that is not there: tensors say they lie on it, mix with no others, and memory runs out.

For what bedside does on an accelerator (where things lie, what it does when memory runs out) on a machine
without one. The arithmetic is the CPU's, so a result can be held against the CPU's bit for bit. Says
nothing about CUDA itself.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode

CUDA = torch.device("cuda")

#: What may take tensors of two devices: copies, and places within a tensor.
_ACROSS = {"copy_", "__setitem__", "__getitem__", "_has_compatible_shallow_copy_type", "__set__"}


class PretendedCuda(TorchFunctionMode):
    """While entered, ``cuda`` is a device with little memory.

    Args:
        most_bytes: The largest single tensor that fits.

    Attributes:
        refused: Shapes that did not fit, in order.
    """

    def __init__(self, most_bytes: float) -> None:
        super().__init__()
        self.most_bytes = most_bytes
        self.refused: list[tuple[int, ...]] = []
        # By storage, since a view lies where its base lies; the reference keeps its address from reuse.
        self._storages: dict[int, StorageWeakRef] = {}

    def holds(self, tensor: torch.Tensor) -> bool:
        """Return whether a tensor lies on the device."""
        return tensor.untyped_storage()._cdata in self._storages

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        if args and isinstance(args[0], torch.Tensor):
            there = self.holds(args[0])
            if func == torch.Tensor.device.__get__:
                return CUDA if there else func(*args)
            if func == torch.Tensor.is_cuda.__get__:
                return there
            if name in {"numpy", "__array__"} and there:
                raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first")
            if name == "cpu":
                return self._moved(args[0], False, {})
            if name == "to":
                return self._to(args[0], args[1:], options)
        return self._computed(func, name, args, options)

    def _to(self, tensor: torch.Tensor, args: tuple[Any, ...], options: dict[str, Any]) -> torch.Tensor:
        there = self.holds(tensor)
        for arg in (*args, options.pop("device", None)):
            if isinstance(arg, torch.Tensor):
                there = self.holds(arg)
                options["dtype"] = arg.dtype
            elif isinstance(arg, (torch.device, str)):
                there = torch.device(arg).type == "cuda"
            elif isinstance(arg, torch.dtype):
                options["dtype"] = arg
        options.pop("non_blocking", None)
        return self._moved(tensor, there, {key: value for key, value in options.items() if value is not None})

    def _moved(self, tensor: torch.Tensor, there: bool, options: dict[str, Any]) -> torch.Tensor:
        across = there != self.holds(tensor)
        result = tensor.to(**options | ({"copy": True} if across else {}))
        return self._placed(result, there)

    def _computed(
        self, func: Callable[..., Any], name: str, args: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        given = list(_tensors((args, options)))
        places = {self.holds(tensor) for tensor in given if tensor.ndim}
        if len(places) > 1 and name not in _ACROSS:
            raise RuntimeError(f"Expected all tensors to be on the same device, but {name} got two")
        there = True in places
        if isinstance(wanted := options.get("device"), (torch.device, str)):
            there = torch.device(wanted).type == "cuda"
            options["device"] = torch.device("cpu")
        result = func(*args, **options)
        ours = {tensor.untyped_storage()._cdata for tensor in given}
        for tensor in _tensors(result):
            if tensor.untyped_storage()._cdata not in ours:
                self._placed(tensor, there)
        return result

    def _placed(self, tensor: torch.Tensor, there: bool) -> torch.Tensor:
        """Note where a tensor lies, if there is room for it."""
        storage = tensor.untyped_storage()
        if there and storage._cdata not in self._storages:
            if storage.nbytes() > self.most_bytes:
                self.refused.append(tuple(tensor.shape))
                raise torch.OutOfMemoryError(
                    f"CUDA out of memory. Tried to allocate {storage.nbytes()} bytes"
                )
            self._storages[storage._cdata] = StorageWeakRef(storage)
        return tensor


def _tensors(content: Any) -> Iterator[torch.Tensor]:
    if isinstance(content, torch.Tensor):
        yield content
    elif isinstance(content, Mapping):
        yield from _tensors(tuple(content.values()))
    elif isinstance(content, (list, tuple)):
        for part in content:
            yield from _tensors(part)
