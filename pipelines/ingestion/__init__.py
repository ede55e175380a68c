"""Event and reference files in: read, judged line by line, deduplicated and stored exactly once."""
