"""Shapes and bytes: records, the campaign file, settings. Imports nothing of ours."""
