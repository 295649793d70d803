"""The operations: pure functions on arrays, each forward next to its gradients, one family per file."""
