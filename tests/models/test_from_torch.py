"""Networks converted from PyTorch: same outputs, gradients, names and losses, and one error for all that cannot be."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn as theirs
from torch.nn import functional as F

import mytorch
from models.from_torch import from_torch
from mytorch import nn
from mytorch.nn.describe import known_layers
from tests.conversion.compare import one_pass, training
from tests.conversion.networks import NETWORKS, build

PAGE = Path(__file__).parents[2] / "docs" / "pages" / "reference" / "conversion.md"
LIGHT = [
    "ShuffleNetV2 (torchvision)",
    "MobileNetV2 (torchvision)",
    "MobileNetV3 large (torchvision)",
    "EfficientNet-B0 (timm)",
    "GoogLeNet (torchvision)",
]
"""Networks that are compared in seconds. `python -m tests.conversion` compares all, and results/conversion has it."""


@pytest.mark.parametrize("name", LIGHT)
def test_a_network_has_pytorchs_outputs_gradients_and_names(name):
    module = build(name, seed=1)
    for mode in (True, False):
        errors, _ = one_pass(module, NETWORKS[name].size, mode, np.float64, seed=1)
        assert max(errors.values()) <= 1e-9, (mode, errors)


@pytest.mark.parametrize("name", ["ShuffleNetV2 (torchvision)", "MobileNetV3 large (torchvision)"])
def test_a_network_in_float32(name):
    module = build(name, seed=1)
    errors, rounded = one_pass(module, NETWORKS[name].size, False, np.float32, seed=1)
    assert all(errors[part] <= max(1e-3, 2 * rounded[part]) for part in errors), errors


def test_twenty_steps_of_sgd_have_pytorchs_losses():
    module = build("ShuffleNetV2 (torchvision)", seed=1, perturbed=False)
    difference, change = training(module, (48, 64), batch=4, steps=20, seed=1)
    assert difference <= 1e-8
    assert change >= 1e-4


def check(module, *shapes, batch=2, example=True, tolerance=1e-12):
    """Convert a module and compare it with PyTorch at a batch of another size; return the graph."""
    module.double()
    rng = np.random.default_rng(0)
    graph = from_torch(module, [torch.zeros(batch, *shape) for shape in shapes] if example else None)
    arrays = [rng.standard_normal((batch + 1, *shape)) for shape in shapes]
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    ours, expected = graph(*arrays), module(*tensors)
    ours, expected = (list(y) if isinstance(y, tuple | list) else [y] for y in (ours, expected))
    grads = [rng.standard_normal(y.shape) for y in ours]
    torch.autograd.backward(expected, [torch.from_numpy(grad) for grad in grads])
    back = graph.backward(*grads)
    pairs = list(zip(ours, expected, strict=True))
    pairs += zip(back if isinstance(back, tuple) else [back], [tensor.grad for tensor in tensors], strict=True)
    gradients = dict(module.named_parameters())
    pairs += [(parameter.grad, gradients[name].grad) for name, parameter in graph.named_parameters()]
    for mine, its in pairs:
        its = its.detach().numpy()
        assert mine.shape == its.shape
        assert np.abs(mine - its).max() <= tolerance * max(np.abs(its).max(), 0.1)
    assert set(graph.state_dict()) == set(module.state_dict())
    return graph


class Calls(theirs.Module):
    """A function of tensors as a module, with what it needs."""

    def __init__(self, function, **parts):
        super().__init__()
        self.function = function
        for name, part in parts.items():
            if isinstance(part, theirs.Module | theirs.Parameter):
                setattr(self, name, part)
            else:
                self.register_buffer(name, part)

    def forward(self, x):
        return self.function(self, x)


def two_parts(self, x):
    first, second = x.chunk(2, dim=1)
    return torch.cat([second, first * 2, x.split([1, 3], 1)[-1]], 1)


def shapes(self, x):
    n, c, h, w = x.size()
    y = x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, -1, h, w)
    y = y.permute(0, 2, 3, 1).reshape(n * h, w, c) if h > 2 else y
    return y.reshape(x.shape[0], -1).unsqueeze(1).squeeze(1).flatten(1)


FUNCTIONS = {
    "arithmetic of tensors": lambda self, x: (x + x * x) / (x * x + 2.0) - x.sub(x.mean(1, keepdim=True)),
    "arithmetic of numbers": lambda self, x: 1 - (2 * x + 3 - 0.5) / 4 + -x,
    "squares": lambda self, x: x**2 + torch.square(x) + x.pow(2),
    "in place": lambda self, x: two_users(x),
    "activations": lambda self, x: F.silu(x) + torch.sigmoid(x) * x.tanh() + F.leaky_relu(x, 0.2) + F.softmax(x, dim=1),
    "activations of mobile networks": lambda self, x: F.relu6(x) * F.hardsigmoid(x) + F.hardswish(x) + x.clamp(-1, 1),
    "the gelus": lambda self, x: F.gelu(x) + F.gelu(x, approximate="tanh"),
    "pooling": lambda self, x: F.max_pool2d(x, 2, stride=1) + F.avg_pool2d(x, (2, 2), 1) + F.adaptive_avg_pool2d(x, 1),
    "means": lambda self, x: x.mean([2, 3], keepdim=True) + x.mean(dim=(2, 3), keepdim=True) * torch.mean(x, 1, True),
    "parts": two_parts,
    "ranges": lambda self, x: torch.cat([x[:, :1], x[..., 1:, :][:, 2:, :3, ::2].mean((2, 3), keepdim=True)
                                         + x[:, 1:3]], 1),
    "shapes": shapes,
    "normalize": lambda self, x: F.normalize(x.flatten(1)),
    "padding": lambda self, x: F.pad(x, (1, 2, 0, 1)) + F.pad(x, (1, 2, 0, 1), mode="reflect"),
    "interpolation": lambda self, x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False),
    "dropout that is off": lambda self, x: F.dropout(x, 0.5, training=False) + F.dropout(x, 0.0),
    "several results": lambda self, x: (x * 2, [x.tanh()]),
}  # fmt: skip


def two_users(x):
    y = x * 2
    z = y + 1
    y.add_(1)
    y += x
    F.relu(y, inplace=True)
    return y * z


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_and_methods(name):
    flat = (lambda y: (y[0], *y[1])) if name == "several results" else (lambda y: y)
    graph = check(Calls(lambda self, x: flat(FUNCTIONS[name](self, x))), (4, 5, 6))
    assert nn.Graph.from_structure(graph.structure(), known_layers()).structure() == graph.structure()


def test_parameters_and_buffers_of_the_network_itself():
    module = Calls(
        lambda self, x: x.mul(self.gamma.reshape(1, -1, 1, 1)) * self.scale + self.shift,
        gamma=theirs.Parameter(torch.randn(4)), scale=theirs.Parameter(torch.randn(4, 1, 1)),
        shift=torch.randn(1, 4, 1, 1),
    )  # fmt: skip
    module.register_buffer("temporary", torch.ones(1), persistent=False)
    graph = check(module, (4, 3, 2))
    assert isinstance(graph["gamma"], nn.Parameter)
    assert list(graph.state_dict()) == ["gamma", "scale", "shift"]


def test_functions_with_the_weights_of_a_module():
    module = Calls(
        lambda self, x: F.linear(
            F.layer_norm(F.conv2d(x, self.conv.weight, self.conv.bias, padding=1), (5,), self.norm.weight,
                         self.norm.bias), self.fc.weight,
        ),
        conv=theirs.Conv2d(3, 4, 3), norm=theirs.LayerNorm(5), fc=theirs.Linear(5, 2, bias=False),
    )  # fmt: skip
    check(module, (3, 4, 5))


def test_a_module_that_is_called_twice_shares_its_weights():
    module = Calls(lambda self, x: self.act(self.fc(self.act(self.fc(x)))), fc=theirs.Linear(4, 4), act=theirs.Tanh())
    graph = check(module, (4,))
    assert [node.layer for node in graph.nodes] == ["fc", "act", "fc", "act_again"]


@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 2, 1), ((4, 3), 2, 1), (2, 1, 3), (5, (3, 2), 1)])
def test_timms_convolutions_with_tensorflows_padding(kernel, stride, dilation):
    """Where an odd number of pixels is added, TensorFlow adds the one more at the end."""
    layer = pytest.importorskip("timm.layers").create_conv2d(
        3, 4, kernel, stride=stride, dilation=dilation, padding="same"
    )
    check(theirs.Sequential(layer), (3, 8, 7))


def test_several_inputs():
    class Sum(theirs.Module):
        def __init__(self):
            super().__init__()
            self.fc = theirs.Linear(3, 4)

        def forward(self, x, other):
            return self.fc(x) + other

    check(Sum(), (3,), (4,))


def test_each_layer_keeps_its_mode_and_the_original_is_not_changed():
    module = theirs.Sequential(
        theirs.BatchNorm2d(3), theirs.Conv2d(3, 3, 1), theirs.BatchNorm2d(3), theirs.Dropout(0.3)
    )
    module[0].eval()
    before = set(vars(module))
    graph = from_torch(module)
    assert [graph[name].training for name in ("0", "2", "3")] == [False, True, True]
    assert graph["3"].p == 0.3
    assert set(vars(module)) == before
    graph["1"].weight.data += 1
    assert not np.allclose(graph["1"].weight.data, module[1].weight.detach())


def test_without_an_example_the_batch_and_the_image_are_free():
    module = Calls(
        lambda self, x: self.fc(self.pool(self.conv(x)).view(x.size(0), -1)).view(x.shape[0], 4),
        conv=theirs.Conv2d(3, 3, 3), pool=theirs.AdaptiveAvgPool2d(1), fc=theirs.Linear(3, 4),
    )  # fmt: skip
    check(module, (3, 6, 5), example=False)


@pytest.mark.parametrize(("dtype", "expected"), [(None, np.float32), (np.float64, np.float64), ("float32", np.float32)])
def test_the_dtype_is_that_of_the_module_or_the_one_given(dtype, expected):
    module = theirs.Sequential(theirs.Linear(3, 2), theirs.BatchNorm1d(2)).half()
    graph = from_torch(module, dtype=dtype)
    assert {array.dtype for array in graph.state_dict().values()} == {np.dtype(expected), np.dtype(np.int64)}
    with pytest.raises(TypeError, match=r"dtype=<class 'int'>: networks compute in float32 or float64"):
        from_torch(module, dtype=int)


def test_everything_that_cannot_be_converted_is_listed_at_once():
    module = Calls(
        lambda self, x: torch.fft.fft(self.rnn(self.act(x)) + self.conv(x).cumsum(1)),
        act=theirs.Hardtanh(), conv=theirs.Conv1d(3, 3, 1), rnn=theirs.GRU(4, 4),
    )  # fmt: skip
    with pytest.raises(ValueError, match="Calls has what mytorch cannot compute") as caught:
        from_torch(module)
    lines = str(caught.value).splitlines()[1:]
    assert [line.strip() for line in lines] == [
        "rnn (GRU): mytorch has no layer GRU",
        "cumsum (cumsum): mytorch has no layer that computes it",
        "fft_fft (fft_fft): mytorch has no layer that computes it",
    ]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda self, x: torch.add(x, x, alpha=2), "add (add): alpha or rounding_mode"),
        (lambda self, x: x**3, "pow_1 (pow): only the power 2"),
        (lambda self, x: 1 / x, "truediv (truediv): a number divided by a tensor"),
        (lambda self, x: x[:, 0], "getitem (getitem): "),
        (lambda self, x: F.normalize(x, p=1), "normalize (normalize): only the length with p=2"),
        (lambda self, x: F.conv2d(x, self.weight * 2), "conv2d (conv2d): its weights are computed"),
        (lambda self, x: F.conv2d(x, self.weight, self.other), "its weights are not the attributes weight and bias"),
        (lambda self, x: x.flatten(0, 1) if x.sum() > 0 else x, "forward must not depend on the values of tensors"),
        (lambda self, x: x + (1 if len(x) > 2 else x), "add (add): it has other arguments for another batch size"),
        (lambda self, x: x if len(x) > 2 else x * 2, "computes something else for another batch size"),
        (lambda self, x: x @ 3, "cannot be traced: "),
    ],
)
def test_what_is_refused_and_why(function, message):
    parameters = {
        name: theirs.Parameter(torch.ones(shape)) for name, shape in {"weight": (3, 3, 1, 1), "other": 3}.items()
    }
    with pytest.raises(ValueError, match=re.escape(message)):
        from_torch(Calls(function, **parameters), torch.zeros(2, 3, 4, 5))


@pytest.mark.parametrize("given", ["resnet18", theirs.Linear(2, 2).state_dict(), theirs.Linear, nn.ReLU()])
def test_what_is_not_a_network_of_pytorch_is_refused(given):
    with pytest.raises(TypeError, match=r"from_torch got .*: expected a torch\.nn\.Module"):
        from_torch(given)


def test_a_network_that_needs_shapes_asks_for_an_example():
    for function in (lambda self, x: x if x.shape[2] > 3 else -x, lambda self, x: x.view(x.size(0), x.size(1) * 2, -1)):
        with pytest.raises(ValueError, match="an example"):
            from_torch(Calls(function))
    with pytest.raises(TypeError, match="expected a tensor with a batch"):
        from_torch(Calls(lambda self, x: x), [3])


def test_an_example_that_does_not_fit_is_refused_with_the_networks_own_words():
    from models.mobilefacenet import MobileFaceNet

    with pytest.raises(ValueError, match=r"MobileFaceNet cannot be traced: ValueError: .*112"):
        from_torch(MobileFaceNet(), torch.zeros(2, 3, 64, 64))


def test_a_converted_network_is_saved_and_summed_up(tmp_path):
    module = build("ShuffleNetV2 (torchvision)", seed=0).float().eval()
    graph = from_torch(module, torch.zeros(2, 3, 64, 64))
    graph.save(tmp_path / "g.safetensors")
    x = np.random.default_rng(0).standard_normal((1, 3, 64, 64)).astype("f")
    np.testing.assert_array_equal(nn.Graph.load(tmp_path / "g.safetensors").eval()(x), graph(x))
    assert mytorch.summary(graph, (3, 64, 64)).parameters == sum(p.numel() for p in module.parameters())


def test_the_example_of_the_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(code, {})
    assert "layer4.1.conv2" in capsys.readouterr().out
