"""Is this rule right? No sleep, no patch, no network.

Owns: tests of one noun at a time, against its public face.
Never: code that the program uses.
Source: ARCHITECTURE.md, "Tests".
"""
