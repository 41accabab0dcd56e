"""Configuration of what stands around the worker, and what makes the dashboards.

Owns: nothing that runs in production.
Never: part of the wheel.
Source: ARCHITECTURE.md, "Code map".
"""
