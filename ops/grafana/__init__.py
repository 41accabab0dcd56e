"""The dashboards, as code that makes their JSON.

Owns: `python -m ops.grafana`.
Never: needed to run anything: Grafana reads the JSON.
Source: ARCHITECTURE.md, "Code map".
"""
