"""Reports in the formats that people and platforms read; one file a format."""
