"""Typed recipes and what they say."""
