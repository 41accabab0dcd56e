"""Do the parts work together, on a real Kafka?

Owns: whole workers, started as an operator starts them.
Never: code that the program uses.
Source: ARCHITECTURE.md, "Tests".
"""
