"""Does it hold for every input that Hypothesis can think of?

Owns: the laws, each as a statement over generated input.
Never: code that the program uses.
Source: ARCHITECTURE.md, "Tests".
"""
