"""TensorFlow's padding, against the definition and against PyTorch where they agree."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from models.backbones import build_backbone
from models.mobilenet import SameConv2d


@settings(max_examples=20)
@given(
    height=st.integers(3, 12),
    width=st.integers(3, 12),
    kernel=st.sampled_from([1, 3, 5]),
    stride=st.sampled_from([1, 2, 3]),
)
def test_same_padding_puts_windows_where_tensorflow_does(height, width, kernel, stride):
    torch.manual_seed(0)
    conv = SameConv2d(1, 1, kernel, stride, bias=False)
    x = torch.randn(1, 1, height, width)
    out = conv(x)
    assert out.shape[2:] == (-(-height // stride), -(-width // stride))
    # a window by its definition: the first starts half the missing pixels, rounded down, before the map
    missing = [max((n - 1) * stride + kernel - size, 0) for n, size in zip(out.shape[2:], x.shape[2:], strict=True)]
    for row in range(out.shape[2]):
        for column in range(out.shape[3]):
            total = torch.zeros(())
            for a in range(kernel):
                for b in range(kernel):
                    at = (row * stride - missing[0] // 2 + a, column * stride - missing[1] // 2 + b)
                    if 0 <= at[0] < height and 0 <= at[1] < width:
                        total = total + x[0, 0, at[0], at[1]] * conv.weight[0, 0, a, b]
            torch.testing.assert_close(out[0, 0, row, column], total, rtol=1e-4, atol=1e-5)


def test_on_odd_maps_it_is_pytorchs_padding():
    torch.manual_seed(0)
    conv, x = SameConv2d(4, 4, 3, 2, groups=4), torch.randn(2, 4, 7, 9)
    torch.testing.assert_close(conv(x), F.conv2d(x, conv.weight, conv.bias, 2, 1, groups=4))


def test_both_kinds_share_names_and_differ_in_what_they_see():
    torch.manual_seed(0)
    plain, shifted = build_backbone("mobilenet_v2").eval(), build_backbone("mobilenet_v2_tf").eval()
    shifted.load_state_dict(plain.state_dict())
    assert sum(isinstance(module, SameConv2d) for module in shifted.modules()) == 5
    even, odd = torch.randn(2, 3, 64, 64), torch.randn(2, 3, 65, 65)  # 65, 33, 17, 9, 5, 3: odd all the way
    with torch.no_grad():
        assert not torch.equal(plain(even), shifted(even))
        torch.testing.assert_close(plain(odd), shifted(odd))


@pytest.mark.real
@pytest.mark.slow
def test_real_weights_are_surer_of_photographs_with_tensorflows_padding(shared_data):
    from PIL import Image
    from torchvision.transforms.v2.functional import pil_to_tensor

    from models.backbones import BACKBONES
    from models.weights import load_weights, read_weights

    state = read_weights(shared_data.parent / "weights" / "mobilenet_v2_imagenet1001.safetensors")
    photographs = []
    for path in sorted((shared_data / "raw").glob("*/*"))[::2]:
        with Image.open(path) as image:
            side = min(image.size)
            left, top = ((n - side) // 2 for n in image.size)
            square = image.convert("RGB").resize(
                (224, 224), Image.Resampling.BICUBIC, (left, top, left + side, top + side)
            )
        photographs.append(pil_to_tensor(square).float() / 127.5 - 1)
    sure = {}
    for name in ("mobilenet_v2", "mobilenet_v2_tf"):
        network = BACKBONES[name].builder().eval()
        load_weights(network, state, name, BACKBONES[name].classifier)
        with torch.no_grad():
            logits = network(torch.stack(photographs)) @ state["classifier.1.weight"].T + state["classifier.1.bias"]
        sure[name] = logits.softmax(1).amax(1).mean().item()
    assert sure["mobilenet_v2_tf"] > sure["mobilenet_v2"] + 0.02, sure
