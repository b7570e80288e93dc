"""The settings of the running server, kept in the master's memory for workers that start later.

On SIGHUP gunicorn 27.0 runs its configuration file again and starts new workers. If the settings
file is broken by then, or breaks later, each new worker must still start: a worker that fails to
start makes gunicorn stop the whole server. So workers do not read the file. They inherit the last
settings that the master has read and found valid.
"""

from msgspec.structs import replace

from gateway.config import Config
from gateway.core.families import Families
from gateway.core.summarizers import SUMMARIZERS, Summarizers
from gateway.errors import ConfigError

_loaded: list[Config] = []


def reload_config() -> ConfigError | None:
    """Reads the settings. If they are invalid, keeps the previous ones and returns the error.

    HOST, PORT and ADMIN_BIND stay as they were: gunicorn's master ends when it can't listen at a
    new address.
    Raises ConfigError when there are no previous settings.
    """
    try:
        config = load_config()
    except ConfigError as error:
        if not _loaded:
            raise
        return error
    if _loaded:
        first = _loaded[0]
        config = replace(config, host=first.host, port=first.port, admin_bind=first.admin_bind)
    _loaded[:] = [config]
    return None


def load_config() -> Config:
    """Reads the settings, and checks the names in them. Raises ConfigError."""
    return Config.load(check=_check_names)


def _check_names(config: Config) -> None:
    """Raises ConfigError if a setting names a family or summarizer that the tables don't hold."""
    Families(config)
    Summarizers(config, SUMMARIZERS)


def loaded_config() -> Config:
    """Returns the last valid settings. The first call reads them, and raises ConfigError."""
    if not _loaded:
        reload_config()
    return _loaded[0]
