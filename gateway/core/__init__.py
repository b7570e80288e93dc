"""One turn, without I/O and without a clock: parts of the answer go in, events come out.

:mod:`.parts` has a model server's output and :mod:`.events` the client's answer; :mod:`.turn` turns
one into the other. The time is an argument, and a need for I/O is a return value.
"""
