"""What data must look like: contracts of events and artifacts, suites of expectations, checks."""
