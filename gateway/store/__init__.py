"""Kept streams outside of the worker that runs them: in Redis, for several hosts.

    a worker's event logs → writer → Redis → reader → the deliveries of other workers

:mod:`.base` says what a store does. :mod:`.layout` says how a stream lies in Redis, and why no
event is lost, doubled, or written by a worker that counts as dead.
"""
