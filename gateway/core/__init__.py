"""One turn, without I/O and without a clock: parts of the answer go in, events come out.

:mod:`.parts` says what a model server said, :mod:`.events` what a client is told; :mod:`.turn`
turns the one into the other. Time is an argument; what needs I/O goes out as a value.
"""
