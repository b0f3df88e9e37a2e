"""The vendors' control APIs, from their own documents: start, query, stop, kick, with state, limits and faults."""
