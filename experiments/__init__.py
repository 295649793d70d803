"""Face classification and verification: the pipelines behind the `faces` command."""
