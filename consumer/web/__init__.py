"""What is served over HTTP: metrics, health, scores as a service, and the page.

Owns: every use of starlette and uvicorn.
Never: touches a fold; what it knows of one it has asked for (`consumer/enquiries.py`).
Source: docs/contract.md, "HTTP".
"""
