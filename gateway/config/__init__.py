"""The settings, read once at the start. :class:`Config` holds them all."""

from gateway.config.keys import ANONYMOUS, KeyConfig, Principal
from gateway.config.mistakes import nearest
from gateway.config.models import ModelConfig
from gateway.config.settings import (
    Config,
    ignored,
    runtime_directory,
    setting_names,
    worker_number,
    workers_directory,
)
from gateway.config.upstreams import UpstreamConfig, UpstreamKind
from gateway.config.values import (
    LATEST,
    Detail,
    Format,
    OtherTools,
    ReasoningMode,
    SummaryRule,
    host_in_url,
    is_glob,
    plain_name,
)

__all__ = [
    "ANONYMOUS",
    "LATEST",
    "Config",
    "Detail",
    "Format",
    "KeyConfig",
    "ModelConfig",
    "OtherTools",
    "Principal",
    "ReasoningMode",
    "SummaryRule",
    "UpstreamConfig",
    "UpstreamKind",
    "host_in_url",
    "ignored",
    "is_glob",
    "nearest",
    "plain_name",
    "runtime_directory",
    "setting_names",
    "worker_number",
    "workers_directory",
]
