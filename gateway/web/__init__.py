"""What Flask serves: the API, the demo page, and what operators ask for.

:mod:`.api` has the routes, :mod:`.ops` what operators ask for, :mod:`.page` the demo page. Only
this room and :mod:`gateway.app` import Flask.
"""
