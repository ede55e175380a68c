"""Pure functions on arrays and data frames: no orchestration, no SQL, no files, no clock."""
