"""Galleries: people enrolled, and photos identified as one of them or as a stranger."""
