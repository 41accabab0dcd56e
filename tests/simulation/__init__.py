"""A deterministic simulator: from a number, a life of the whole group, faults and all.

Owns: nothing itself; `python -m tests.simulation` runs seeds.
Never: unseeded randomness or wall time: a seed that failed fails again.
Source: FoundationDB's simulation and TigerBeetle's VOPR; swarm testing, Groce et al. (2012).
"""
