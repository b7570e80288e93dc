"""The WSGI application with the settings of the environment and of `gateway.toml`."""

from gateway import create_app
from gateway.loaded import loaded_config

app = create_app(loaded_config())
