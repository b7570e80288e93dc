"""gunicorn's configuration, for `reasoning-gateway serve`. gunicorn runs it again on SIGHUP."""

from gateway.server.gunicorn_settings import settings

globals().update(settings())
