"""The API for platforms: JSON over HTTP, bearer tokens, errors as problem+json (RFC 9457).

problem.py    errors
callers.py    who calls, and what they may
server.py     the server of a process, to which roles add their routes
document.py   the OpenAPI document of these routes
"""
