"""gunicorn's configuration, for `gunicorn -c gunicorn.conf.py wsgi:app`."""

from gateway.server.gunicorn_settings import settings

globals().update(settings())
