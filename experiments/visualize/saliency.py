"""Which pixels speak for a class: the gradient of its logit, plain and averaged.

Simonyan, Vedaldi and Zisserman, arXiv 1312.6034; the average over noisy copies: Smilkov et al., arXiv 1706.03825.
"""

from difflib import get_close_matches

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from experiments.errors import FacesError
from experiments.inference.model import Trained
from experiments.visualize.film import DPI
from experiments.visualize.network import logits_of, pixel_gradient
from experiments.visualize.stage import Stage

SALIENCY_SIZE, SALIENCY_GAP = 2.5, 0.25
NOISE = 0.12
"""Standard deviation of the noise, of pixels from 0 to 1."""

BATCH = 256


def draw_gradient(
    trained: Trained, image: np.ndarray, name: str | None = None, copies: int = 24, seed: int = 0
) -> Figure:
    """A picture (H, W, 3) uint8 beside its gradient maps.

    name: of whom, the likeliest person unless told. copies: how many noisy ones the average is of. Raises FacesError
    for a person that the run does not know.
    """
    if not 1 <= copies <= BATCH:
        raise FacesError(f"--copies {copies}: expected 1 to {BATCH} noisy copies")
    logits = logits_of(trained, image)
    label = label_of(trained, name, logits)
    plain = pixel_gradient(trained, image, label)
    smooth = smoothed(trained, image, label, copies, seed)
    width, height = 0.6 + 4 * SALIENCY_SIZE + 3 * SALIENCY_GAP, 4.15
    drawing = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(drawing)
    stage = Stage(drawing, width, height)
    share = np.exp(logits - logits.max())
    stage.heading(
        f"Which pixels speak for {trained.classes[label]}? ({share[label] / share.sum():.0%} sure)",
        f"The gradient of the logit, {logits[label]:.2f}, at the pixels: where a little change would change it most.",
    )
    grey = np.asarray(Image.fromarray(image).convert("L"))
    signed = smooth.sum(2)
    reach = float(np.quantile(np.abs(signed), 0.995)) or 1.0
    for number, title in enumerate(
        (
            "picture",
            "gradient, magnitude",
            f"mean magnitude, {copies} noisy copies",
            "brighter helps (red) or harms (blue)",
        )
    ):
        axis = stage.axes((0.3 + number * (SALIENCY_SIZE + SALIENCY_GAP), 1.15, SALIENCY_SIZE, SALIENCY_SIZE))
        stage.words(0.3 + number * (SALIENCY_SIZE + SALIENCY_GAP) + SALIENCY_SIZE / 2, 0.93, title, 9.5, "center")
        match number:
            case 0:
                axis.imshow(image)
            case 1 | 2:
                shown = magnitude(plain if number == 1 else smooth)
                axis.imshow(shown, cmap="inferno", vmin=0, vmax=float(np.quantile(shown, 0.995)) or 1.0)
            case 3:
                axis.imshow(grey, cmap="gray")
                axis.imshow(signed, cmap="RdBu_r", vmin=-reach, vmax=reach, alpha=0.6)
        axis.axis("off")
    stage.words(0.3, 3.78, "The strongest half per cent of the pixels look alike.", 9, color="#4a5568")
    return drawing


def label_of(trained: Trained, name: str | None, logits: np.ndarray) -> int:
    """A person's label, the likeliest's unless told. Raises FacesError for a name that the run does not know."""
    if name is None:
        return int(np.argmax(logits))
    if name not in trained.classes:
        near = get_close_matches(name, trained.classes, 1)
        hint = f"did you mean {near[0]}?" if near else f"it knows {len(trained.classes)}, listed in classes.json"
        raise FacesError(f"--class {name}: nobody whom {trained.run.folder} knows; {hint}")
    return trained.classes.index(name)


def smoothed(trained: Trained, image: np.ndarray, label: int, copies: int, seed: int) -> np.ndarray:
    """The mean of the gradients (H, W, 3) at noisy copies of a picture."""
    rng = np.random.default_rng(seed)
    total = np.zeros(image.shape)
    for _ in range(copies):
        total += pixel_gradient(trained, image, label, rng.normal(0, NOISE, image.shape))
    return total / copies


def magnitude(grad: np.ndarray) -> np.ndarray:
    """Of (H, W, 3) the largest of the three colours, (H, W), without sign."""
    return np.abs(grad).max(2)
