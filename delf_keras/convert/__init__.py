"""Weights from elsewhere, turned into presets."""
