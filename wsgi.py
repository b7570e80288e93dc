"""The WSGI application, for `gunicorn -c gunicorn.conf.py wsgi:app`."""

from gateway.wsgi import app

__all__ = ["app"]
