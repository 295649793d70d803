"""The course's CNN equals the same network in PyTorch, to 1e-8, and draws its weights layer by layer."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from models.scratch import CNN
from mytorch import course

TORCH = {course.Tanh: torch.tanh, course.ReLU: torch.relu, course.Sigmoid: torch.sigmoid, course.GELU: F.gelu}


def normal(*shape):
    return np.random.normal(0, 0.5, shape)


def build(width=23, C=3, channels=(4, 5), kernels=(3, 2), strides=(2, 1), out=6, activations=None, **changes):
    settings = {
        "conv_weight_init_fn": normal,
        "bias_init_fn": normal,
        "linear_weight_init_fn": normal,
        "criterion": course.CrossEntropyLoss(),
        "lr": 0.1,
    } | changes
    activations = [course.Tanh(), course.ReLU()] if activations is None else activations
    return CNN(width, C, channels, kernels, strides, out, activations, *settings.values())


def in_torch(net, x, labels):
    """Logits, loss, and the gradients at x and at every parameter, of the same network in PyTorch."""
    holders = [*(conv.conv1d_stride1 for conv in net.convolutional_layers), net.linear_layer]
    parameters = [torch.tensor(array, requires_grad=True) for h in holders for array in (h.W, h.b)]
    tx = torch.tensor(x, requires_grad=True)
    z = tx
    for n, (conv, activation) in enumerate(zip(net.convolutional_layers, net.activations, strict=True)):
        z = TORCH[type(activation)](F.conv1d(z, parameters[2 * n], parameters[2 * n + 1], conv.stride))
    logits = F.linear(z.flatten(1), parameters[-2], parameters[-1][:, 0])
    loss = F.cross_entropy(logits, torch.tensor(labels))
    loss.backward()
    return logits.detach(), loss.detach(), tx.grad, [p.grad for p in parameters]


def gradients(net):
    holders = [*(conv.conv1d_stride1 for conv in net.convolutional_layers), net.linear_layer]
    return [array for holder in holders for array in (holder.dLdW, holder.dLdb)]


layer = st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.sampled_from(list(TORCH)))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 3), st.integers(1, 4), st.lists(layer, min_size=1, max_size=3), st.integers(2, 5), st.integers(0, 99)
)
def test_logits_loss_and_gradients_are_pytorchs(N, C, layers, out, seed):
    np.random.seed(seed)
    channels, kernels, strides, activations = map(list, zip(*layers, strict=True))
    net = build(60, C, channels, kernels, strides, out, activations)
    x, labels = np.random.normal(size=(N, C, 60)), np.eye(out)[np.random.randint(0, out, N)]
    logits = net(x)
    gradient = net.backward(labels)
    right_logits, right_loss, right_gradient, right_parameters = in_torch(net, x, labels)
    np.testing.assert_allclose(logits, right_logits, rtol=0, atol=1e-8)
    np.testing.assert_allclose(net.loss, right_loss, rtol=0, atol=1e-8)
    np.testing.assert_allclose(gradient, right_gradient, rtol=0, atol=1e-8)
    for answer, right in zip(gradients(net), right_parameters, strict=True):
        np.testing.assert_allclose(answer, right, rtol=0, atol=1e-8)


def test_attributes_and_shapes_are_the_contracts():
    net = build()
    assert [type(conv) for conv in net.convolutional_layers] == [course.Conv1d, course.Conv1d]
    assert [type(activation) for activation in net.activations] == [course.Tanh, course.ReLU]
    assert isinstance(net.flatten, course.Flatten)
    assert net.linear_layer.W.shape == (6, 50)
    assert net.linear_layer.b.shape == (6, 1)
    assert isinstance(net.criterion, course.CrossEntropyLoss)
    assert net.lr == 0.1


def test_weights_are_drawn_layer_by_layer_and_nothing_else_is():
    np.random.seed(3)
    net = build()
    after = np.random.random()
    np.random.seed(3)
    for conv, shape in zip(net.convolutional_layers, [(4, 3, 3), (5, 4, 2)], strict=True):
        np.testing.assert_array_equal(conv.conv1d_stride1.W, normal(*shape))
        np.testing.assert_array_equal(conv.conv1d_stride1.b, normal(shape[0]))
    np.testing.assert_array_equal(net.linear_layer.W, normal(6, 50))
    np.testing.assert_array_equal(net.linear_layer.b[:, 0], normal(6))
    assert after == np.random.random()


def test_a_step_is_plain_gradient_descent_and_zero_grads_clears():
    net = build()
    x, labels = np.random.normal(size=(2, 3, 23)), np.eye(6)[[1, 4]]
    net(x)
    net.backward(labels)
    holders = [net.convolutional_layers[0].conv1d_stride1, net.linear_layer]
    expected = [(h.W - 0.1 * h.dLdW, h.b - 0.1 * h.dLdb) for h in holders]
    net.step()
    for holder, (W, b) in zip(holders, expected, strict=True):
        np.testing.assert_array_equal(holder.W, W)
        np.testing.assert_array_equal(holder.b, b)
    net.zero_grads()
    assert not any(gradient.any() for gradient in gradients(net))


def test_it_learns_the_betas_of_its_swishes_too():
    np.random.seed(0)
    net = build(activations=[course.Swish, course.Swish])
    x, labels = np.random.normal(size=(4, 3, 23)), np.eye(6)[[0, 1, 2, 3]]
    losses = []
    for _ in range(30):
        net(x)
        net.backward(labels)
        net.step()
        losses.append(net.loss)
    assert losses[-1] < losses[0] / 2
    assert all(activation.beta != 1 for activation in net.activations)


def test_one_activation_listed_twice_still_has_the_right_gradient():
    np.random.seed(0)
    net = build(activations=[course.Tanh()] * 2)
    x, labels = np.random.normal(size=(2, 3, 23)), np.eye(6)[[1, 4]]
    net(x)
    np.testing.assert_allclose(net.backward(labels), in_torch(net, x, labels)[2], rtol=0, atol=1e-8)


def test_a_criterion_may_be_a_class():
    assert isinstance(build(criterion=course.MSELoss).criterion, course.MSELoss)


def test_train_and_eval_set_the_mode():
    net = build()
    net.eval()
    assert not net.train_mode
    net.train()
    assert net.train_mode


def test_float32_stays():
    net = build()
    assert net(np.zeros((2, 3, 23), np.float32)).dtype == np.float32
    assert net.backward(np.eye(6)[[1, 4]]).dtype == np.float32


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="four lists equally long"):
        build(strides=(2,))
    with pytest.raises(ValueError, match="convolution 1 has a kernel of 9 but only 3 samples"):
        build(width=8, kernels=(3, 9))
    with pytest.raises(RuntimeError, match="call forward"):
        build().backward(np.eye(6))
    with pytest.raises(ValueError, match="returned"):
        build(linear_weight_init_fn=lambda out, into: np.zeros((into, out)))
