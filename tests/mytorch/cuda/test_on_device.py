"""Networks on "cuda", with the stand-in for CuPy: the same numbers, and every result stays on its device."""

import sys

import numpy as np
import pytest

import mytorch
from mytorch import nn, optim
from mytorch.device import device_of, to_device
from mytorch.ops.cuda import loader

from ..launchers import HOST_AND_GPU, launcher_for
from ..nn.every_layer import IMAGES as PIXELS
from ..nn.every_layer import LAYERS
from .stand_in import module

RNG = np.random.default_rng(0)
IMAGES, CLASSES = RNG.standard_normal((6, 3, 9, 8)), RNG.integers(0, 5, 6)


@pytest.fixture(scope="module", autouse=True, params=HOST_AND_GPU)
def cuda(request, tmp_path_factory):
    """A GPU if there is one, and the stand-in instead of CuPy, with the kernels on the host."""
    launcher = launcher_for(request.param, tmp_path_factory)
    if request.param == "cuda":
        yield
        return
    sources = {loader.source_text(path.stem): path.stem for path in loader.FOLDER.glob("*.cu")}

    def run(code, kernel, kind, *launch):
        launcher(sources[code], kernel, kind, *launch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "cupy", module(run))
        forget()
        yield
    forget()


def forget():
    """The kernels that CuPy or the stand-in compiled."""
    loader._module.cache_clear()
    loader._function.cache_clear()


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_computes_on_the_gpu_what_it_does_on_the_cpu(name):
    given = {}
    for device in ("cpu", "cuda"):
        mytorch.manual_seed(0)
        layer = LAYERS[name]().to(float).to(device)
        mytorch.manual_seed(1)
        y = layer(to_device(PIXELS, device))
        back = layer.backward(to_device(np.cos(np.arange(y.size, dtype=float)).reshape(y.shape), device))
        arrays = {"output": y, "gradient": back, **layer.state_dict()}
        arrays |= {f"gradient of {key}": parameter.grad for key, parameter in layer.named_parameters()}
        assert {device_of(array) for array in arrays.values()} == {device}
        given[device] = {key: to_device(array, "cpu") for key, array in arrays.items()}
        layer.eval()(to_device(PIXELS, device))
    for key, array in given["cuda"].items():
        np.testing.assert_allclose(array, given["cpu"][key], rtol=1e-10, atol=1e-12, err_msg=key)


TARGETS = np.random.default_rng(2)
LOSSES = {
    "CrossEntropyLoss": (lambda: nn.CrossEntropyLoss(label_smoothing=0.1), TARGETS.integers(0, 5, 6)),
    "CrossEntropyLoss, soft": (
        lambda: nn.CrossEntropyLoss(label_smoothing=0.1, reduction="sum"),
        TARGETS.random((6, 5)),
    ),
    "CrossEntropyLoss, weighted": (
        lambda: nn.CrossEntropyLoss(np.arange(1.0, 6), ignore_index=1, label_smoothing=0.1),
        TARGETS.integers(0, 5, 6),
    ),
    "NLLLoss, weighted": (lambda: nn.NLLLoss(np.arange(1.0, 6), ignore_index=1), TARGETS.integers(0, 5, 6)),
    "HuberLoss": (nn.HuberLoss, TARGETS.standard_normal((6, 5))),
    "KLDivLoss": (nn.KLDivLoss, TARGETS.random((6, 5))),
    "PoissonNLLLoss": (lambda: nn.PoissonNLLLoss(full=True), TARGETS.random((6, 5))),
    "HingeEmbeddingLoss": (nn.HingeEmbeddingLoss, TARGETS.choice([-1.0, 1.0], (6, 5))),
    "SoftMarginLoss": (nn.SoftMarginLoss, TARGETS.choice([-1.0, 1.0], (6, 5))),
    "MultiMarginLoss": (lambda: nn.MultiMarginLoss(2), TARGETS.integers(0, 5, 6)),
    "MultiLabelMarginLoss": (nn.MultiLabelMarginLoss, TARGETS.integers(-1, 5, (6, 5))),
    "MultiLabelSoftMarginLoss": (nn.MultiLabelSoftMarginLoss, TARGETS.random((6, 5))),
    "BCEWithLogitsLoss, weighted": (
        lambda: nn.BCEWithLogitsLoss(np.arange(1.0, 6), pos_weight=np.arange(2.0, 7)),
        TARGETS.random((6, 5)),
    ),
    "NLLLoss": (nn.NLLLoss, TARGETS.integers(0, 5, 6)),
    "MSELoss": (nn.MSELoss, TARGETS.standard_normal((6, 5))),
    "L1Loss": (nn.L1Loss, TARGETS.standard_normal((6, 5))),
    "SmoothL1Loss": (nn.SmoothL1Loss, TARGETS.standard_normal((6, 5))),
    "BCEWithLogitsLoss": (nn.BCEWithLogitsLoss, TARGETS.random((6, 5))),
}


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_computes_on_the_gpu_what_it_does_on_the_cpu(name):
    build, target = LOSSES[name]
    x, given = np.random.default_rng(1).standard_normal((6, 5)), {}
    for device in ("cpu", "cuda"):
        loss = build().to(device)
        value = loss(to_device(x, device), to_device(target, device))
        grad = loss.backward()
        assert type(value) is float
        assert device_of(grad) == device
        given[device] = value, to_device(grad, "cpu")
    np.testing.assert_allclose(given["cuda"][0], given["cpu"][0], rtol=1e-12)
    np.testing.assert_allclose(given["cuda"][1], given["cpu"][1], rtol=1e-12, atol=1e-14)


PAIRS = {
    "CosineEmbeddingLoss": (nn.CosineEmbeddingLoss, [(6, 5), (6, 5)], TARGETS.choice([-1.0, 1.0], 6)),
    "MarginRankingLoss": (nn.MarginRankingLoss, [(6,), (6,)], TARGETS.choice([-1.0, 1.0], 6)),
    "TripletMarginLoss": (lambda: nn.TripletMarginLoss(swap=True), [(6, 5), (6, 5), (6, 5)], None),
    "GaussianNLLLoss": (nn.GaussianNLLLoss, [(6, 5), (6, 5)], TARGETS.uniform(1, 2, 6)),
    "CosineSimilarity": (nn.CosineSimilarity, [(6, 5), (6, 5)], None),
    "PairwiseDistance": (nn.PairwiseDistance, [(6, 5), (6, 5)], None),
    "Bilinear": (lambda: nn.Bilinear(5, 5, 3), [(6, 5), (6, 5)], None),
}


@pytest.mark.parametrize("name", PAIRS)
def test_everything_with_several_inputs_computes_on_the_gpu_what_it_does_on_the_cpu(name):
    build, shapes, target = PAIRS[name]
    draw, given = np.random.default_rng(1), {}
    inputs = [draw.standard_normal(shape) for shape in shapes] + ([] if target is None else [target])
    for device in ("cpu", "cuda"):
        mytorch.manual_seed(0)
        layer = build().to(float).to(device)
        y = layer(*(to_device(x, device) for x in inputs))
        grads = layer.backward() if isinstance(y, float) else layer.backward(y)
        assert {device_of(grad) for grad in grads} == {device}
        value = y if isinstance(y, float) else to_device(y, "cpu")
        given[device] = [value, *(to_device(grad, "cpu") for grad in grads)]
    for ours, theirs in zip(given["cuda"], given["cpu"], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "layer", [nn.MaxPool2d(3, 2, 1, 2, True, True), nn.AdaptiveMaxPool2d((3, 4), True)], ids=["windows", "adaptive"]
)
def test_places_of_maxima_are_those_on_the_cpu_and_stay_on_the_gpu(layer):
    x = RNG.integers(0, 3, IMAGES.shape).astype(float)
    x[RNG.random(x.shape) < 0.1] = np.nan
    moved = layer(to_device(x, "cuda"))
    assert {device_of(array) for array in moved} == {"cuda"}
    for ours, expected in zip(moved, layer(x), strict=True):
        np.testing.assert_array_equal(to_device(ours, "cpu"), expected)


def test_gradients_are_checked_on_the_gpu_too():
    layer = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.SiLU()).to(float).to("cuda")
    assert max(mytorch.gradcheck(layer, to_device(IMAGES, "cuda")).values()) < 1e-6


def network():
    mytorch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Residual(nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=2), nn.LeakyReLU()), nn.Conv2d(8, 8, 1)),
        nn.AvgPool2d(2),
        nn.GlobalAvgPool2d(),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(8, 5),
    ).to(float)


OPTIMIZERS = {
    "SGD": lambda parameters: optim.SGD(parameters, 0.1),
    "SGD with momentum": lambda parameters: optim.SGD(parameters, 0.1, 0.9, weight_decay=1e-3, nesterov=True),
    "SGD with dampening": lambda parameters: optim.SGD(parameters, 0.1, 0.9, 0.3, maximize=True),
    "Adam with amsgrad": lambda parameters: optim.Adam(parameters, 0.01, weight_decay=0.1, amsgrad=True),
    "NAdam": lambda parameters: optim.NAdam(parameters, 0.01, weight_decay=0.1),
    "LAMB": lambda parameters: optim.LAMB(parameters, 0.01),
    "RMSprop": lambda parameters: optim.RMSprop(parameters, 0.001, momentum=0.9, centered=True),
    "Adagrad": lambda parameters: optim.Adagrad(parameters, 0.01, weight_decay=0.1),
    "Adam": lambda parameters: optim.Adam(parameters, 0.01, weight_decay=0.1),
    "AdamW": lambda parameters: optim.AdamW(parameters, 0.01),
}


def trained(device, build, steps=3):
    """The network and its optimizer after some steps, and the losses."""
    model, loss = network().to(device), nn.CrossEntropyLoss(label_smoothing=0.1)
    optimizer, losses = build(model.parameters()), []
    x, target = to_device(IMAGES, device), to_device(CLASSES, device)
    mytorch.manual_seed(1)
    for _ in range(steps):
        losses.append(loss(model(x), target))
        optimizer.zero_grad()
        model.backward(loss.backward())
        optimizer.step()
    return model, optimizer, losses


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_on_the_gpu_is_that_on_the_cpu_dropout_included(name):
    model, _, losses = trained("cpu", OPTIMIZERS[name])
    moved, _, same = trained("cuda", OPTIMIZERS[name])
    np.testing.assert_allclose(same, losses, rtol=1e-12)
    assert all(type(loss) is float for loss in same)
    for (key, ours), theirs in zip(moved.state_dict().items(), model.state_dict().values(), strict=True):
        assert device_of(ours) == "cuda", key
        np.testing.assert_allclose(to_device(ours, "cpu"), theirs, rtol=1e-9, atol=1e-12, err_msg=key)


def test_results_stay_on_their_device():
    for device in ("cpu", "cuda", "cpu"):
        model = network().to(device)
        y = model(to_device(IMAGES, device))
        assert device_of(y) == device
        assert device_of(model.backward(y)) == device
        assert {device_of(parameter.grad) for parameter in model.parameters()} == {device}
        assert {device_of(array) for array in model.state_dict().values()} == {device}


def test_weights_are_saved_and_loaded_from_either_device(tmp_path):
    model, optimizer, _ = trained("cuda", OPTIMIZERS["Adam"])
    mytorch.save(model.state_dict(), tmp_path / "weights.safetensors")
    arrays, _ = mytorch.load(tmp_path / "weights.safetensors")
    for device in ("cpu", "cuda"):
        other = network().to(device)
        other.load_state_dict(arrays)
        other.load_state_dict(model.state_dict())
        for name, array in other.state_dict().items():
            assert device_of(array) == device
            np.testing.assert_array_equal(to_device(array, "cpu"), arrays[name])
        resumed = optim.Adam(other.parameters())
        resumed.load_state_dict(optimizer.state_dict())
        assert {device_of(state["exp_avg"]) for state in resumed.state} == {device}


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("cuda", r"got a NumPy array \(cpu\) as its input and a CuPy array \(cuda\) as its parameters"),
        ("cpu", r"got a CuPy array \(cuda\) as its input and a NumPy array \(cpu\) as its parameters"),
    ],
)
@pytest.mark.parametrize(
    "layer", [lambda: nn.Conv2d(3, 2, 3), lambda: nn.BatchNorm2d(3, affine=False), lambda: nn.Linear(8, 2)]
)
def test_input_on_another_device_than_the_parameters_is_refused(layer, device, message):
    x = to_device(IMAGES, "cpu" if device == "cuda" else "cuda")
    with pytest.raises(TypeError, match=message):
        layer().to(float).to(device)(x)


def test_gradient_on_another_device_than_the_output_is_refused():
    layer = nn.ReLU()
    y = layer(to_device(IMAGES, "cuda"))
    with pytest.raises(
        TypeError, match=r"NumPy array \(cpu\) as the gradient, but its output was a CuPy array \(cuda\)"
    ):
        layer.backward(np.ones(y.shape))


def test_target_on_another_device_than_the_logits_is_refused():
    logits = np.zeros((6, 5))
    with pytest.raises(TypeError, match=r"a CuPy array \(cuda\) as its logits and a NumPy array \(cpu\) as its target"):
        nn.CrossEntropyLoss()(to_device(logits, "cuda"), CLASSES)


def test_moving_there_and_back_changes_nothing():
    model = network()
    before = {name: array.copy() for name, array in model.state_dict().items()}
    for name, array in model.to("cuda").to("cpu").state_dict().items():
        np.testing.assert_array_equal(array, before[name])
        assert array.dtype == before[name].dtype


def test_dtype_changes_on_the_gpu_too():
    model = network().to("cuda").to("f")
    assert {str(array.dtype) for array in model.state_dict().values()} == {"float32", "int64"}
    assert model(to_device(IMAGES.astype("f"), "cuda")).dtype == np.float32


def test_kernel_on_a_numpy_array_is_refused_outside_of_tests():
    with pytest.raises(TypeError, match=r"the CUDA kernel relu got a NumPy array: expected a CuPy array; move it with"):
        loader.launch("elementwise", "relu", IMAGES, IMAGES, IMAGES, IMAGES.size, count=IMAGES.size)
