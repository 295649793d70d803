"""Activations from the table of `mytorch.ops.pointwise`: a layer names its function and its settings."""

from math import isfinite
from typing import ClassVar

from mytorch.device import Array
from mytorch.nn.module import Module
from mytorch.nn.validate import check_input
from mytorch.ops import pointwise as ops


class _Pointwise(Module):
    """Base of these activations. A subclass sets `function` and, in `__init__`, the attributes named in `settings`."""

    function: ClassVar[ops.Pointwise]
    settings: ClassVar[tuple[str, ...]] = ()
    inplace: bool = False

    def forward(self, input: Array) -> Array:
        """Any shape, to the same."""
        y = self.function.forward(check_input(self, input, "(*)"), *self._settings())
        self.save_for_backward(input, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        (x,) = self.saved(grad)
        return self.function.gradient(grad, x, *self._settings())

    def _settings(self) -> tuple[float, ...]:
        """Return what the function needs besides x."""
        return tuple(getattr(self, name) for name in self.settings)

    def _set(self, **settings: float) -> None:
        """Set attributes to finite numbers. Raises ValueError for others."""
        for name, value in settings.items():
            if not isfinite(value):
                raise ValueError(f"{type(self).__name__} got {name}={value}: expected a finite number")
            setattr(self, name, float(value))  # NumPy's float64 would turn float32 arrays into float64

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        shown = [f"{name}={getattr(self, name)}" for name in self.settings]
        return ", ".join([*shown, "inplace=True"] if self.inplace else shown)


class Hardtanh(_Pointwise):
    """x, limited to min_val ... max_val. As torch.nn.Hardtanh."""

    function = ops.hardtanh
    settings = ("min_val", "max_val")
    min_val: float
    max_val: float

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False):
        self._set(min_val=min_val, max_val=max_val)
        if not min_val <= max_val:
            raise ValueError(f"min_val={min_val}, max_val={max_val}: expected the smaller number first")
        self.inplace = bool(inplace)


class ReLU6(Hardtanh):
    """min(max(x, 0), 6) (Howard et al., arXiv 1704.04861). As torch.nn.ReLU6."""

    def __init__(self, inplace: bool = False):
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        return "inplace=True" if self.inplace else ""


class _WithoutSettings(_Pointwise):
    """Base of the activations whose only argument is `inplace`."""

    def __init__(self, inplace: bool = False):
        self.inplace = bool(inplace)


class Hardsigmoid(_WithoutSettings):
    """0 below -3, 1 above 3, and a straight line in between. As torch.nn.Hardsigmoid."""

    function = ops.hardsigmoid


class Hardswish(_WithoutSettings):
    """x * hardsigmoid(x), the activation of MobileNetV3 (Howard et al., arXiv 1905.02244). As torch.nn.Hardswish."""

    function = ops.hardswish


class Mish(_WithoutSettings):
    """x * tanh(softplus(x)) (Misra, arXiv 1908.08681). As torch.nn.Mish."""

    function = ops.mish


class ELU(_Pointwise):
    """x if it is positive, otherwise alpha * (exp(x) - 1) (Clevert et al., arXiv 1511.07289). As torch.nn.ELU."""

    function = ops.elu
    settings = ("alpha",)
    alpha: float

    def __init__(self, alpha: float = 1.0, inplace: bool = False):
        self._set(alpha=alpha)
        self.inplace = bool(inplace)

    def _settings(self) -> tuple[float, ...]:
        return self.alpha, 1.0, 1.0


class CELU(ELU):
    """x if it is positive, otherwise alpha * (exp(x / alpha) - 1) (Barron, arXiv 1704.07483). As torch.nn.CELU."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False):
        if not alpha:
            raise ValueError("alpha=0: CELU divides by it; expected another number")
        super().__init__(alpha, inplace)

    def _settings(self) -> tuple[float, ...]:
        return self.alpha, 1.0, 1 / self.alpha


class SELU(_WithoutSettings):
    """A scaled ELU that keeps mean 0 and variance 1 (Klambauer et al., arXiv 1706.02515). As torch.nn.SELU."""

    function = ops.elu

    def _settings(self) -> tuple[float, ...]:
        return ops.SELU_ALPHA, ops.SELU_SCALE, 1.0


class Softplus(_Pointwise):
    """log(1 + exp(beta x)) / beta, and x itself where beta x exceeds `threshold`. As torch.nn.Softplus."""

    function = ops.softplus
    settings = ("beta", "threshold")
    beta: float
    threshold: float

    def __init__(self, beta: float = 1.0, threshold: float = 20.0):
        self._set(beta=beta, threshold=threshold)
        if not beta:
            raise ValueError("beta=0: Softplus divides by it; expected another number")


class Softsign(_Pointwise):
    """x / (1 + |x|). As torch.nn.Softsign."""

    function = ops.softsign


class LogSigmoid(_Pointwise):
    """log(1 / (1 + exp(-x))), precise also where the sigmoid is tiny. As torch.nn.LogSigmoid."""

    function = ops.log_sigmoid


class Threshold(_Pointwise):
    """x where it exceeds `threshold`, otherwise `value`. As torch.nn.Threshold."""

    function = ops.threshold
    settings = ("threshold", "value")
    threshold: float
    value: float

    def __init__(self, threshold: float, value: float, inplace: bool = False):
        self._set(threshold=threshold, value=value)
        self.inplace = bool(inplace)


class Tanhshrink(_Pointwise):
    """x - tanh(x). As torch.nn.Tanhshrink."""

    function = ops.tanhshrink


class _Shrink(_Pointwise):
    """Base of the activations that are zero from -lambd to lambd."""

    settings = ("lambd",)
    lambd: float

    def __init__(self, lambd: float = 0.5):
        self._set(lambd=lambd)


class Softshrink(_Shrink):
    """x moved towards zero by lambd, and zero where |x| is smaller. As torch.nn.Softshrink."""

    function = ops.softshrink

    def __init__(self, lambd: float = 0.5):
        if lambd < 0:
            raise ValueError(f"lambd={lambd}: expected a number of at least 0")
        super().__init__(lambd)


class Hardshrink(_Shrink):
    """x where |x| exceeds lambd, otherwise zero. As torch.nn.Hardshrink."""

    function = ops.hardshrink
