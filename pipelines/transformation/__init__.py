"""Runs dbt: the connection it shares with the lake, the build and its results."""
