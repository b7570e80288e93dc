"""One turn, without I/O and without a clock: parts of the answer go in, events come out.

:mod:`.parts` defines a model server's output, and :mod:`.events` the client's answer. :mod:`.turn`
turns one into the other. The time is an argument. If a turn needs I/O, it returns a value of
:mod:`.effects`.
"""
