"""mytorch against PyTorch: the same work, timed alternately in one process. `faces bench` runs it."""
