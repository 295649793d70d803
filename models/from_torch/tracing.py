"""What a PyTorch network computes, as a graph of calls: torch.fx, with the shapes of an example input.

Because shapes are numbers and not symbols, networks may compute with them and branch on them, as most do.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import fx, nn
from torch.fx.node import map_aggregate

CONSTANT_METHODS = ("size", "dim", "numel", "is_floating_point", "is_complex")
"""Methods of a tensor that depend on its shape and dtype alone."""

CONSTANT_ATTRIBUTES = ("shape", "ndim", "dtype", "device", "is_cuda")


class ShapedProxy(fx.Proxy):
    """A value of the traced network. example: a tensor without data, or None if no example input was given."""

    example: Any = None

    def __getattr__(self, name: str) -> Any:
        if isinstance(self.example, torch.Tensor) and name in CONSTANT_METHODS + CONSTANT_ATTRIBUTES:
            return getattr(self.example, name)
        return super().__getattr__(name)

    def __iter__(self) -> Any:
        if isinstance(self.example, list | tuple | torch.Tensor):
            return (self[index] for index in range(len(self.example)))  # type: ignore[index]
        return super().__iter__()

    def __len__(self) -> int:
        if self.example is None:
            return super().__len__()
        return len(self.example)


class ShapeTracer(fx.Tracer):
    """A tracer whose nodes have the example's tensor, without its data, as `node.meta["example"]`.

    is_leaf: whether a module is one node, and not traced into. wrapped: Python functions that are one node.
    """

    def __init__(
        self,
        is_leaf: Callable[[nn.Module], bool],
        wrapped: Sequence[Callable[..., Any]] = (),
    ):
        super().__init__(autowrap_functions=tuple(wrapped))
        self.is_leaf = is_leaf
        self.proxy_buffer_attributes = True
        self.shadow: nn.Module | None = None
        self.examples: list[Any] = []
        self.is_evaluating = False

    def trace_with(self, module: nn.Module, examples: Sequence[torch.Tensor] | None) -> fx.Graph:
        """Return the graph of `module`. examples: one tensor for each input; only their shape and dtype count."""
        self.shadow = None
        if examples is not None:
            self.shadow = copy_structure(module, "meta").eval()  # in training it would need two images
            self.examples = [torch.empty_like(example, device="meta") for example in examples]
        return self.trace(module)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Return True for modules that become one node."""
        return self.is_leaf(m)

    def proxy(self, node: fx.Node) -> fx.Proxy:
        """Return the value of a node."""
        return ShapedProxy(node, self)

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        """Record the call of a module, unless a shadow's is evaluated."""
        return forward(*args, **kwargs) if self.is_evaluating else super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: Any) -> Any:
        """Record the use of a parameter, unless it is a shadow's."""
        return attr_val if self.is_evaluating else super().getattr(attr, attr_val, parameter_proxy_cache)

    def create_proxy(self, kind: str, target: Any, args: Any, kwargs: Any, *rest: Any, **named: Any) -> Any:
        """Record a node, and compute the shape of its value."""
        proxy: Any = super().create_proxy(kind, target, args, kwargs, *rest, **named)
        if self.shadow is not None and kind != "output":
            proxy.example = proxy.node.meta["example"] = self._evaluate(kind, target, args, kwargs)
        return proxy

    def _evaluate(self, kind: str, target: Any, args: Any, kwargs: Any) -> Any:
        assert self.shadow is not None
        if kind == "placeholder":
            return self.examples.pop(0) if self.examples else (args[0] if args else None)
        args, kwargs = map_aggregate((args, kwargs), lambda one: one.example if isinstance(one, fx.Proxy) else one)
        self.is_evaluating = True
        try:
            with torch.no_grad():
                if kind == "get_attr":
                    return attribute(self.shadow, target)
                if kind == "call_method":
                    return getattr(args[0], target)(*args[1:], **kwargs)
                return (self.shadow.get_submodule(target) if kind == "call_module" else target)(*args, **kwargs)
        finally:
            self.is_evaluating = False


def copy_structure(module: nn.Module, device: str | None = None) -> nn.Module:
    """Return a copy of a module with the same tensors, or with tensors without data on the device "meta"."""
    tensors: dict[int, Any] = {id(one): one for one in (*module.parameters(), *module.buffers())}
    if device is not None:
        for key, one in tensors.items():
            empty = torch.empty_like(one, device=device)
            tensors[key] = nn.Parameter(empty) if isinstance(one, nn.Parameter) else empty
    return copy.deepcopy(module, tensors)


def attribute(module: nn.Module, name: str) -> Any:
    """Return a parameter or buffer by its dotted name."""
    owner, _, attribute = name.rpartition(".")
    return getattr(module.get_submodule(owner), attribute)
