"""What is fast, measured against a floor, a smaller lake or a limit. Run with ``python -m benchmarks``; see README.md.

Measured work runs in child processes (:mod:`benchmarks.jobs`), this process only prepares, orders and reports. Nothing
here is a test: whether a target is met is shown, never asserted.
"""
