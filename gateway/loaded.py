"""The settings that a server runs with.

On SIGHUP gunicorn executes its own settings file anew, and starts new workers. Those have to run
with what the master has read and found good, whatever the file says by then: a worker that can't
start takes the whole server down. So it is kept here, in the memory that a worker inherits.
"""

from msgspec.structs import replace

from gateway.config import Config
from gateway.core.families import Families
from gateway.core.summarizers import SUMMARIZERS, Summarizers
from gateway.errors import ConfigError

_kept: list[Config] = []


def reread() -> ConfigError | None:
    """Reads the settings. Gives what is wrong with them, if those from before can stay.

    The address stays in any case: a master that can't listen at a new one would end. Raises
    ConfigError when there are no settings from before.
    """
    try:
        config = Config.load()
        Families(config)
        Summarizers(config, SUMMARIZERS)
    except ConfigError as error:
        if not _kept:
            raise
        return error
    if _kept:
        config = replace(config, host=_kept[0].host, port=_kept[0].port)
    _kept[:] = [config]
    return None


def current() -> Config:
    """The settings that were read last and were good. Raises ConfigError."""
    if not _kept:
        reread()
    return _kept[0]
