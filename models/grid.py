"""Features that know where in the picture they were seen."""

from torch import nn


def keep_places(backbone: nn.Module, cells: int) -> None:
    """Let a backbone average its last feature map to cells x cells places a channel, not to one number.

    Its features are then (N, C x cells x cells), channel by channel: in aligned faces the same place always shows the
    same part of the face, which an average over the whole map forgets. ArcFace flattens its last map for that reason
    (Deng et al. 2019, arXiv 1801.07698, section 3.1). A map of any size serves, and the weights' names stay. Raises
    ValueError for fewer than two cells, and for a network that does not end in a `global_pool` as timm's ResNets and
    EfficientNets and our MobileNetV2 do.
    """
    if cells < 2:
        raise ValueError(f"grid {cells}: expected 2 cells a side or more; one is what stands without a grid")
    if not isinstance(getattr(backbone, "global_pool", None), nn.Module):
        raise ValueError(
            f"model.grid={cells}: {type(backbone).__name__} does not end in a pooling that a grid could stand for; "
            "leave it out, or take a backbone such as resnet18 or efficientnet_b0"
        )
    backbone.global_pool = nn.Sequential(nn.AdaptiveAvgPool2d(cells), nn.Flatten())
