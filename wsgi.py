"""The WSGI application, for `gunicorn -c gunicorn.conf.py wsgi:app`."""

from gateway import Config, create_app

app = create_app(Config.load())
