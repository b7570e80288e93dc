"""What vLLM and SGLang make of a prefill: transformers renders it, as they do.

The templates are small, and have the logic of the families' public ones in what matters here.
"""

from typing import Any

import pytest

from gateway.upstreams.kinds import KINDS
from gateway.upstreams.thinking import prefilled_body, taken_over_body

WHY = "needs requirements-real.txt: make test-real"
chat_templates = pytest.importorskip("transformers.utils.chat_template_utils", reason=WHY)

QWEN3 = """\
{%- for m in messages -%}
{%- if m.role == 'assistant' -%}
{%- set reasoning = m.reasoning_content if m.reasoning_content is string else '' -%}
{{- '<|im_start|>assistant\n' -}}
{%- if loop.last or reasoning -%}
{{- '<think>\n' + reasoning.strip('\n') + '\n</think>\n\n' -}}
{%- endif -%}
{{- m.content.lstrip('\n') + '<|im_end|>\n' -}}
{%- else -%}{{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' -}}{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}
"""
GLM = """\
[gMASK]<sop>{%- for m in messages -%}
{%- if m.role == 'assistant' -%}
{{- '<|assistant|>\n<think>' + (m.reasoning_content or '').strip() + '</think>' -}}
{%- if m.content.strip() -%}{{- '\n' + m.content.strip() -}}{%- endif -%}
{%- else -%}{{- '<|' + m.role + '|>\n' + m.content -}}{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}
"""
NEMOTRON = """\
{%- for m in messages -%}
{{- '<SPECIAL_10>' + m.role + '\n' -}}
{%- if m.role == 'assistant' -%}
{{- '<think>\n' + (m.reasoning or m.reasoning_content or '') + '\n</think>\n' -}}
{%- endif -%}
{{- m.content + '\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<SPECIAL_10>assistant\n<think>\n' -}}{%- endif -%}
"""
TEMPLATES = {"qwen3": QWEN3, "glm": GLM, "nemotron": NEMOTRON}
THOUGHTS = "Two and two.\n\nI have to give the solution."
BODY = {"messages": [{"role": "user", "content": "2+2?"}]}


def prompt_of(body: dict[str, Any], template: str) -> str:
    """The prompt that the model sees."""
    [[prompt], _] = chat_templates.render_jinja_template(
        conversations=[body["messages"]],
        chat_template=template,
        add_generation_prompt=body["add_generation_prompt"],
        continue_final_message=body["continue_final_message"],
    )
    return str(prompt)


@pytest.mark.parametrize("kind", ["vllm", "sglang"])
@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_a_prefill_ends_the_thinking_and_begins_the_answer(kind: Any, template: str) -> None:
    body = prefilled_body(KINDS[kind], BODY, THOUGHTS, {})
    prompt = prompt_of(body, template)
    assert prompt.count(THOUGHTS) == 1
    thoughts, _, answer = prompt.rpartition("</think>")
    assert thoughts.rstrip().endswith(THOUGHTS)
    assert prompt.count("<think>") == 1
    assert not answer.strip()


@pytest.mark.parametrize("kind", ["vllm", "sglang"])
@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_an_answer_goes_on_where_it_has_broken_off(kind: Any, template: str) -> None:
    body = taken_over_body(KINDS[kind], BODY, THOUGHTS, "It is", {})
    prompt = prompt_of(body, template)
    assert prompt.endswith("It is")
    assert prompt.count(THOUGHTS) == 1
