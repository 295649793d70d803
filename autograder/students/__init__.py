"""Files that are copied into the handout unchanged."""
