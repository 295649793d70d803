"""mytorch against PyTorch: the same work, timed in turn in one process. `faces bench` runs it."""
