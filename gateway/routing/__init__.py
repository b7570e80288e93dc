"""Chooses the upstream for a request. Knows which are healthy and which models they serve."""
