"""The turns in progress: greenlets that read an upstream, feed a turn and write to a client.

relay, turns, run           opens a run, the upstream's half of a turn in progress; ends it
pump, callback_driver       read the upstream: the two drivers
event_queue, delivery       the events on their way to the client
sweeper, reporter           what happens once a second: time limits, heartbeats, metrics
summary_writer              calls the summary model
thinking, handed_back       the bodies of requests: budgets, cuts, thoughts of earlier turns
thoughts, shared_thoughts   the memory of these thoughts
kept, event_log, streams    streams that can be read again, also from other workers
"""
