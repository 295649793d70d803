"""The documentation site: its pages, what is drawn and read for them as it is built, and the check of its links."""
