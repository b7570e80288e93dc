"""The WSGI application, for `gunicorn -c gunicorn.conf.py wsgi:app`."""

from gateway import create_app
from gateway.loaded import loaded_config

app = create_app(loaded_config())
