"""One suite of promises, run against every transport.

Owns: what the in-memory log and the real Kafka must both do.
Never: code that the program uses.
Source: ARCHITECTURE.md, "Tests".
"""
