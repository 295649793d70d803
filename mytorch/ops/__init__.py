"""The arithmetic: pure functions on arrays, each forward beside its gradients, one family a file."""
