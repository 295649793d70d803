"""Inside a trained network, mytorch's or PyTorch's: its kernels, what its layers make of a picture, its gradient."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from experiments.data.batches import normalised
from experiments.data.images import fit_image, read_image
from experiments.inference.model import Trained
from models.stages import HEAD, Part, parts


def picture_for(trained: Trained, path: Path) -> np.ndarray:
    """A picture as the network takes it, (H, W, 3) uint8. Raises ImageError for one that cannot be read."""
    return fit_image(read_image(path), trained.size, trained.recipe.data.fit)


def convolutions(trained: Trained) -> dict[str, np.ndarray]:
    """The kernels (F, C, KH, KW) of every convolution that sees more than a pixel, by its layer's name, in order."""
    if isinstance(trained.network, nn.Module):
        weights = {
            name: module.weight.detach().float().cpu().numpy()
            for name, module in trained.network.named_modules()
            if isinstance(module, nn.Conv2d)
        }
    else:
        weights = {
            name.removesuffix(".weight"): parameter.data for name, parameter in trained.network.named_parameters()
        }
    return {name: weight for name, weight in weights.items() if weight.ndim == 4 and max(weight.shape[2:]) > 1}


def feature_maps(trained: Trained, image: np.ndarray) -> dict[str, np.ndarray]:
    """What the layers make of a picture (H, W, 3) uint8: (C, h, w) by name, from the input on.

    Of mytorch's networks after each ReLU; of PyTorch's after each stage.
    """
    pixels = _pixels(trained, image)
    if isinstance(trained.network, nn.Module):
        return _outputs_of_stages(trained.network, torch.from_numpy(pixels))
    found, x = {}, pixels
    for number, layer in enumerate(trained.network):
        x = layer(x)
        if type(layer).__name__ == "ReLU" and x.ndim == 4:
            found[f"layer {number}, ReLU"] = x[0]
    return found


def logits_of(trained: Trained, image: np.ndarray) -> np.ndarray:
    """Logits (classes,) of one picture (H, W, 3) uint8."""
    return trained.logits(image[None])[0]


def pixel_gradient(trained: Trained, image: np.ndarray, label: int, noise: np.ndarray | None = None) -> np.ndarray:
    """Gradient of a class's logit at the pixels, (H, W, 3): of pixels from 0 to 1, whatever the network's scale.

    noise: added to the pixels first, (H, W, 3), for an average over several gradients.
    """
    scale = np.broadcast_to(np.asarray(trained.recipe.data.std, np.float32), (3,))
    pixels = _pixels(trained, image)
    if noise is not None:
        pixels = pixels + np.moveaxis(noise.astype(np.float32) / scale, -1, 0)[None]
    network = trained.network
    if isinstance(network, nn.Module):
        x = torch.from_numpy(pixels).to(next(network.parameters()).device).requires_grad_()
        (found,) = torch.autograd.grad(network(x)[0, label], x)
        grad = found.cpu().numpy()
    else:
        chosen = np.zeros_like(network(pixels))
        chosen[0, label] = 1
        grad = network.backward(chosen)
        network.zero_grad()
    return np.moveaxis(grad[0], 0, -1) / scale


def _pixels(trained: Trained, image: np.ndarray) -> np.ndarray:
    """The picture as the network's input, (1, 3, H, W)."""
    return normalised(image[None], trained.recipe.data)


def _outputs_of_stages(network: nn.Module, pixels: torch.Tensor) -> dict[str, np.ndarray]:
    """Outputs (C, h, w) of a network's stages, as they pass by."""
    found: dict[str, np.ndarray] = {}
    hooks = []
    for name, part in parts(network).items():
        last = list(part.children())[-1] if isinstance(part, Part) and any(True for _ in part.children()) else part

        def keep(module: nn.Module, inputs: object, output: object, name: str = name) -> None:
            if isinstance(output, torch.Tensor) and output.ndim == 4 and min(output.shape[2:]) > 1:
                found[name] = output[0].float().cpu().numpy()

        if name != HEAD:
            hooks.append(last.register_forward_hook(keep))
    try:
        with torch.inference_mode():
            network(pixels.to(next(network.parameters()).device))
    finally:
        for hook in hooks:
            hook.remove()
    return found
