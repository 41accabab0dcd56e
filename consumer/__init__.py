"""The shell around the folds: Kafka, files, configuration, telemetry and commands.

Owns: everything that touches the world.
Never: decides what a customer's score is; that is the business of ``models``.
Source: ARCHITECTURE.md.
"""

__version__ = "0.1.0"
