"""The WSGI application, for `gunicorn -c gunicorn.conf.py wsgi:app`."""

from gateway import create_app
from gateway.loaded import current

app = create_app(current())
