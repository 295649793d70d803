"""Mistakes in scanning MLPs and the CNN."""

from corpus.planting import Mistake as M
from corpus.wrong.parts import B, E, F, G, W

MISTAKES = [
    M(
        "scanning: reshaped at once",
        "CNN_SimpleScanningMLP",
        "    def __init__(self) -> None:\n",
        "    def init_weights(self, matrices):\n"
        "        for layer, m in zip(self.convolutions, matrices):\n"
        "            layer.W, layer.b = m.T.reshape(layer.W.shape).copy(), np.zeros(len(layer.W))\n\n"
        "    def __init__(self) -> None:\n",
        (F,),
        ("scan_channel_major",),
    ),
    M(
        "scanning: kernel back to front",
        "CNN_SimpleScanningMLP",
        "layer.W, layer.b = weight.copy()",
        "layer.W, layer.b = weight[:, :, ::-1].copy()",
        (F,),
        ("kernel_flipped",),
    ),
    M(
        "scanning: no activations",
        "CNN_DistributedScanningMLP",
        "weight_init_fn=weight_init_fn), activation()]",
        "weight_init_fn=weight_init_fn), "
        "type('I', (Layer,), dict.fromkeys(['forward', 'backward'], lambda s, A: A))()]",
        (F,),
        ("activations_missing",),
    ),
    M(
        "scanning: ReLU at the end",
        "CNN_DistributedScanningMLP",
        "        self.layers.pop()\n",
        "",
        (F,),
        ("scan_relu_last",),
    ),
    M(
        "cnn: flattened in the other order",
        "CNN",
        "self.flatten.forward(A))",
        "self.flatten.forward(A.transpose(0, 2, 1)))",
        (F,),
        ("flatten_order",),
        also=(
            (
                "grad = self.flatten.backward(self.linear_layer.backward(grad))",
                "grad = self.flatten.backward(self.linear_layer.backward(grad)).transpose(0, 2, 1)",
            ),
        ),
    ),
    M(
        "cnn: no activations",
        "CNN",
        "A = activation.forward(convolution.forward(A))",
        "A = convolution.forward(A); activation.forward(A)",
        (F,),
        ("activations_missing",),
    ),
    M(
        "cnn: loss not averaged",
        "CNN",
        "grad: Array = self.criterion.backward()",
        "grad = self.criterion.backward() * len(labels)",
        (G, W, B),
        ("batch_not_divided",),
    ),
    M(
        "cnn: steps upwards",
        "CNN",
        "getattr(layer, name) - self.lr",
        "getattr(layer, name) + self.lr",
        ("step",),
        ("step_upwards",),
    ),
    M("cnn: learning rate forgotten", "CNN", "- self.lr * getattr", "- getattr", ("step",), ("lr_forgotten",)),
    M(
        "cnn: zero_grads does nothing",
        "CNN",
        'setattr(layer, f"dLd{name}", np.zeros_like(getattr(layer, name)))',
        "pass",
        (E,),
        ("zero_grads",),
    ),
]
