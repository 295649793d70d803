"""Synthetic faces: people with random features, drawn with varying pose, light, expression and camera.

identity = draw_identity(seed=1, number=0)
pixels = draw_image(identity, seed=1, image=0, size=160)
"""

from experiments.data.synthetic.dataset import SyntheticDataset, write_dataset
from experiments.data.synthetic.identity import Identity, draw_identity
from experiments.data.synthetic.render import draw_image

__all__ = ["Identity", "SyntheticDataset", "draw_identity", "draw_image", "write_dataset"]
