"""The platform's own operations: how its published views answer, and what it runs."""
