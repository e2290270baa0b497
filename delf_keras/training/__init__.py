"""Training: what turns labelled photographs into a preset."""
