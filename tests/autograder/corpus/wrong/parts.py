"""The parts of a class's test, by their initials."""

F, G, W, B, S, E = "forward", "input gradient", "weight gradient", "bias gradient", "shape", "edge cases"
RUN, EVAL = "running statistics", "evaluation"
P, N, D, INIT = "padding", "non-square input", "other depths", "initializers"
FIRST, LATER, BIASES, STEP = "first step", "later steps", "biases", "step"
