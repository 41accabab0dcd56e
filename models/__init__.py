"""The folds: what scoring and learning do to arrays, and nothing else.

Owns: profiles, features, open examples, scores and learners.
Never: I/O, a clock, a thread or unseeded randomness.
Source: ARCHITECTURE.md.
"""
