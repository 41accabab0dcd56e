"""Snapshots: the state of a partition's fold, kept in a folder or in S3.

Owns: their format, their writing beside the loop, their reading and their pruning.
Never: knows what a fold remembers; that is `models`.
Source: ARCHITECTURE.md, "Snapshots".
"""
