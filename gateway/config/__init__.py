"""The settings, read once at the start. :class:`Config` holds them all."""

from gateway.config.keys import ANONYMOUS, KeyConfig, Principal
from gateway.config.mistakes import nearest
from gateway.config.models import ModelConfig
from gateway.config.settings import Config, ignored, setting_names, worker_number
from gateway.config.upstreams import UpstreamConfig, UpstreamKind
from gateway.config.values import (
    Detail,
    Format,
    OtherTools,
    ReasoningMode,
    SummaryRule,
    is_glob,
    plain_name,
)

__all__ = [
    "ANONYMOUS",
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
    "ignored",
    "is_glob",
    "nearest",
    "plain_name",
    "setting_names",
    "worker_number",
]
