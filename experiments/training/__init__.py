"""Training: what learns, the loop that lets it, and the folder that remembers."""
