"""Lessons: notebooks that run from top to bottom on synthetic faces, and the code that runs and checks them."""
