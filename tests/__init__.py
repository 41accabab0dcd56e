"""The tests, by the question that they answer.

Owns: unit/, property/, contract/, integration/, and the tests of the house itself.
Never: code that the program uses.
Source: ARCHITECTURE.md, "Tests".
"""
