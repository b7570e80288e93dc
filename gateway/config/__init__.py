"""The settings, read once at the start. :class:`Config` holds them all."""

from gateway.config.keys import ANONYMOUS, KeyConfig, Principal
from gateway.config.models import ModelConfig
from gateway.config.settings import Config, setting_names, worker_number
from gateway.config.upstreams import UpstreamConfig, UpstreamKind
from gateway.config.values import (
    LATEST,
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
    "is_glob",
    "plain_name",
    "setting_names",
    "worker_number",
]
