"""Larger last feature maps for small pictures."""

from torch import nn

from models.stages import HEAD, NECK, parts


def keep_last_resolution(net: nn.Module) -> None:
    """Let the last stage that halves the feature map leave it as it is: 7x7 instead of 4x4 for pictures of 112 px.

    The weights stay; only strides change. Known from person re-identification as "last stride 1" (Luo et al. 2019,
    arXiv 1903.07071, section 3.4). Raises ValueError for a network without such a stage.
    """
    for name, part in reversed(parts(net).items()):
        convolutions = [module for module in part.modules() if isinstance(module, nn.Conv2d) and max(module.stride) > 1]
        if name in (NECK, HEAD) or not convolutions:
            continue
        for convolution in convolutions:
            convolution.stride = (1, 1)
        return
    raise ValueError(f"{type(net).__name__} has no convolution that halves its feature map")
