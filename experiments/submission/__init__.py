"""A competition's files: submissions written, checked and compared, and pseudo-labels made from them."""
