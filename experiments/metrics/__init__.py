"""Metrics as pure functions of arrays: classification, calibration, verification and identification."""
