"""The chart on a real Kubernetes API server, see `python -m tests.kubernetes`."""
