"""Measurements: one question a file, one JSON line last."""
