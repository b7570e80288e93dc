"""Serves a GGUF model with llama.cpp's own server (PyPI: xllamacpp) on a free port.

python llama_server.py MODEL ALIAS [own]

own: with the template of the model itself, which opens no thinking
"""

import signal
import sys

import xllamacpp

TEMPLATE = """\
{%- for m in messages -%}
{{- '<|im_start|>' + m.role + '\n' -}}
{%- if m.role == 'assistant' and loop.last and m.reasoning_content -%}
{{- '<think>\n' + m.reasoning_content.strip('\n') + '\n</think>\n\n' -}}
{%- endif -%}
{{- m.content -}}
{%- if add_generation_prompt or not loop.last %}{{ '<|im_end|>\n' }}{% endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|im_start|>assistant\n' -}}
{%- if enable_thinking is defined and not enable_thinking -%}
{{- '<think>\n\n</think>\n\n' -}}
{%- else -%}
{{- '<think>\n' -}}
{%- endif -%}
{%- endif -%}
"""
"""As Qwen3.5's: the prompt opens the thinking, so even a model that knows none begins inside."""


def main(model: str, alias: str, template: str = "") -> None:
    """Serves until it is stopped."""
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.model_alias = {alias}
    params.use_jinja = True
    if template != "own":
        params.chat_template = TEMPLATE
    params.n_ctx = 4096
    params.n_parallel = 2
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    server = xllamacpp.Server(params)
    sys.stdout.write(f"Serving at {server.listening_address}\n")
    sys.stdout.flush()
    signal.sigwait([signal.SIGTERM, signal.SIGINT])


if __name__ == "__main__":
    main(*sys.argv[1:])
