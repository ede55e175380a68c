"""Models that are trained on what the lake holds: which, on what, and where the trained ones are kept."""
