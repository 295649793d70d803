"""Comparing, exporting, tuning and previewing runs."""
