"""Kept streams in Redis, where other workers and hosts can read them.

    a worker's event logs → writer → Redis → reader → the deliveries of other workers

:mod:`.base` defines what the relay needs of a store. :mod:`.layout` explains how a stream is stored
in Redis, and why no event is lost, doubled, or written by a worker that counts as dead.
"""
