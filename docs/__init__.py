"""The documentation site: its pages, the drawings and tables made for them, and a check of all links."""
