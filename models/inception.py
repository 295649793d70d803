"""InceptionResNetV1 of facenet-pytorch, without its final normalization or without its last layers."""

from facenet_pytorch import InceptionResnetV1
from torch import Tensor, nn


class _UnnormalizedInception(InceptionResnetV1):
    """The library's network, returning its embedding before normalization.

    Its own forward pass returns vectors of length one. A linear layer on those would get inputs of a thirtieth of the
    spread that it is initialized for.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return embeddings (N, 512) of (N, 3, H, W), 75 px or more; without the last layers, averages (N, 1792)."""
        x = self.maxpool_3a(self.conv2d_2b(self.conv2d_2a(self.conv2d_1a(x))))
        x = self.repeat_1(self.conv2d_4b(self.conv2d_4a(self.conv2d_3b(x))))
        x = self.repeat_3(self.mixed_7a(self.repeat_2(self.mixed_6a(x))))
        x = self.dropout(self.avgpool_1a(self.block8(x)).flatten(1))
        return self.last_bn(self.last_linear(x))


def inception_resnet_v1(pooled: bool) -> nn.Module:
    """Return the network with random weights: embeddings of 512, or, pooled, the averages of its last 1,792 channels.

    The library's dropout of 0.6 before the embedding is off, because necks and heads have their own.
    """
    network = _UnnormalizedInception(dropout_prob=0.0)
    if pooled:
        network.last_linear, network.last_bn = nn.Identity(), nn.Identity()
    return network
