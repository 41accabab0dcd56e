"""The programs that are measured, one process each."""
