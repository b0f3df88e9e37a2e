"""Shumei audio stream: see `shumei` for what both of its streams share."""

from ingest.callbacks.shumei import CALLBACK

__all__ = ["CALLBACK"]
