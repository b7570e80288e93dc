"""The command-line client, behind `client.py` and :mod:`.cli`.

What arrives goes one way: the gateway (:mod:`.door`) -> events (:mod:`.stream`, a form for each of
:mod:`.formats`) -> an output: lines for programs (:mod:`.output`), text under headings
(:mod:`.sections`) or a live screen (:mod:`.screen`, :mod:`.markdown`, :mod:`.region`).
:mod:`.turns` joins them, :mod:`.timeline` times them.
"""
