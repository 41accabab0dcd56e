"""Measurements: seeded workloads, public data sets, and what the program is compared with."""
