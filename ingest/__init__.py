"""Brings the vendors' raw payloads in: receives their callbacks, authenticates them, and publishes them unchanged."""
