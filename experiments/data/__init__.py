"""Faces in: reading folders of images, checking them, splitting them, and drawing synthetic ones."""
