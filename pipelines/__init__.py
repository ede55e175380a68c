"""How and when things run: settings, lake, ingestion, orchestration and the command line."""
