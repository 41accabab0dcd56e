"""Real workers on a real Kafka that are killed, stopped and cut off, and must show nothing of it.

Owns: faults, and the comparison with a run that had none.
Never: a promise of one part; unit and contract hold those.
Source: ARCHITECTURE.md, "What never happens".
"""
