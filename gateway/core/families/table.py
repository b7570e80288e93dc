"""The table of families, one row each.

To add a family, add a row: the table in `docs/models.md` is generated from this one, and the
contract tests run for each row. The sources are the models' chat templates and the parsers of vLLM
(`vllm/reasoning`), SGLang (`python/sglang/srt/parser/reasoning_parser.py`), llama.cpp
(`common/chat.cpp`) and Ollama (`model/parsers`).
"""

from dataclasses import replace

from gateway.core.families.family import Block, Family, tag, tag_in_any_case
from gateway.core.families.harmony import harmony

_THINK = (tag("think"),)
_BRACKETS = Block(("[THINK]",), ("[/THINK]",))
_ANSWER = Block(("<answer>",), ("</answer>",))
_TOOL_CALL = ("<tool_call>",)
_DSML = "<｜DSML｜"
_PLAMO = "<|plamo:{}_think:plamo|>"

UNKNOWN = Family(
    "tags",
    ("*",),
    (
        *map(tag_in_any_case, ("think", "thinking", "thought", "reason", "reasoning")),
        *map(tag, ("budget:thinking", "seed:think", "mm:think", "think:opensource")),
        tag("longcat_think"),
        _BRACKETS,
        Block(("◁think▷",), ("◁/think▷",)),
        Block(("<|begin_of_thought|>",), ("<|end_of_thought|>",)),
        Block(("<|START_THINKING|>",), ("<|END_THINKING|>",)),
        Block(("<|inner_prefix|>",), ("<|inner_suffix|>",)),
        Block(("<|think:start|>",), ("<|think:end|>",)),
        Block((_PLAMO.format("begin"),), (_PLAMO.format("end"),)),
    ),
    wrappers=(Block(("<|begin_of_solution|>",), ("<|end_of_solution|>",)),),
    note="for models that no other row matches",
)

_ROWS = (
    UNKNOWN,
    # <think> … </think>, both written by the model.
    Family(
        "think",
        (
            *("granite-4*", "phi-4*reasoning*", "magistral*2506*"),
            *("*llama*nemotron*", "deephermes*"),
        ),
        _THINK,
    ),
    Family(
        "think-tools",
        (
            *("qwen3*", "glm-4.5*", "glm-4.6*", "exaone-4*"),
            *("dots*", "holo2*", "intern-s1*", "laguna*", "lfm2*", "ling-3*", "ling3*"),
            *("mimo*", "minicpm*", "nanbeige*", "rwkv*", "telechat*"),
        ),
        _THINK,
        tools=_TOOL_CALL,
    ),
    # <think> … </think>, opened by the chat template.
    Family(
        "think-opened",
        (
            *("deepseek-r1*", "qwq*", "glm-z1*", "step3*", "olmo-3*think*"),
            *("cogito*", "gigachat3.5*", "iquest-q1*", "hyperclovax*think*"),
            *("*nemotron-3*", "*nemotron*nano*v2*"),
        ),
        _THINK,
        starts_inside=True,
        always_thinks=(
            *("deepseek-r1*", "qwq*", "glm-z1*", "step3*", "olmo-3*think*", "iquest-q1*"),
        ),
    ),
    Family(
        "think-opened-tools",
        (
            *("qwen3*thinking*", "qwen3.5*", "qwen3.6*", "qwen3.7*", "qwen3.8*", "qwen3.9*"),
            *("glm-4.7*", "glm-5*"),
        ),
        _THINK,
        starts_inside=True,
        always_thinks=("qwen3*thinking*",),
        tools=_TOOL_CALL,
    ),
    Family(
        "deepseek-v3",
        ("deepseek-v3.1*", "deepseek-v3.2*"),
        _THINK,
        starts_inside=True,
        tools=("<｜tool▁calls▁begin｜>", f"{_DSML}function_calls>"),
        note="the template opens the block unless the request turns thinking off",
    ),
    Family(
        "deepseek-v4",
        ("deepseek-v4*",),
        _THINK,
        starts_inside=True,
        tools=(f"\n{_DSML}tool_calls>", f"\n{_DSML} calls>"),
        note="a tool call starts on a new line",
    ),
    Family(
        "kimi-k2",
        ("kimi-k2-thinking*", "kimi-k2.5*", "kimi-k2.6*"),
        _THINK,
        starts_inside=True,
        always_thinks=("kimi-k2-thinking*",),
        tools=("<|tool_calls_section_begin|>",),
    ),
    Family(
        "minimax-m2",
        ("minimax-m2*",),
        _THINK,
        starts_inside=True,
        tools=("<minimax:tool_call>", "<invoke name="),
        anywhere=True,
        note="thinks again between parts of the answer, and repeats end markers",
    ),
    Family(
        "step-3.5",
        ("step-3.5*", "step3.5*"),
        _THINK,
        starts_inside=True,
        preface=True,
        note="text may precede the block",
    ),
    Family(
        "ernie-4.5",
        ("ernie-4.5*thinking*",),
        _THINK,
        starts_inside=True,
        always_thinks=("*",),
        wrappers=(Block(("<response>",), ("</response>",)),),
    ),
    Family(
        "zero",
        ("*zero*",),
        _THINK,
        starts_inside=True,
        always_thinks=("*",),
        wrappers=(_ANSWER,),
    ),
    Family("hunyuan-a13b", ("hunyuan-a13b*",), _THINK, wrappers=(_ANSWER,)),
    Family(
        "hy3",
        ("hy3*", "hunyuan*3*"),
        (tag("think:opensource"), *_THINK),
        tools=("<tool_calls", *_TOOL_CALL),
    ),
    # Other pairs of tags.
    Family(
        "mistral",
        ("magistral*", "ministral*", "mistral*"),
        (_BRACKETS,),
    ),
    Family("seed-oss", ("seed-oss*",), (tag("seed:think"),), tools=("<seed:tool_call>",)),
    Family("minimax-m3", ("minimax-m3*",), (tag("mm:think"),), anywhere=True),
    Family("kimi-vl", ("kimi-vl*thinking*",), (Block(("◁think▷",), ("◁/think▷",)),)),
    Family(
        "exaone-deep",
        ("exaone-deep*",),
        (tag("thought"),),
        starts_inside=True,
        always_thinks=("*",),
    ),
    Family(
        "longcat",
        ("longcat*thinking*",),
        (tag("longcat_think"),),
        starts_inside=True,
        always_thinks=("*",),
    ),
    Family("gemini", ("gemini*",), (tag("thought"),), note="Google's OpenAI-compatible API"),
    Family("plamo-3", ("plamo-3*",), (Block((_PLAMO.format("begin"),), (_PLAMO.format("end"),)),)),
    Family("openpangu", ("*pangu*",), (Block(("[unused16]",), ("[unused17]",)),)),
    Family(
        "openthinker",
        ("openthinker*",),
        (Block(("<|begin_of_thought|>",), ("<|end_of_thought|>",)),),
        wrappers=(Block(("<|begin_of_solution|>",), ("<|end_of_solution|>",)),),
    ),
    Family(
        "k2-horizon",
        ("k2-horizon*", "k2-v3*"),
        (
            Block(
                ("<ifm|think>", "<ifm|think_fast>", "<ifm|think_faster>"),
                ("</ifm|think>", "</ifm|think_fast>", "</ifm|think_faster>"),
            ),
        ),
        starts_inside=True,
        note="the effort selects the tag, and the tag of another effort may close it",
    ),
    Family(
        "solar-open2",
        ("solar-open2*",),
        (Block(("<|think:start|>",), ("<|think:end|>",)),),
        starts_inside=True,
    ),
    Family(
        "hyperclovax-14b",
        ("hyperclovax*think*14b*",),
        (Block(("/think\n",), ("<|im_end|>\n<|im_start|>assistant\n",)),),
    ),
    # Special tokens, which count wherever they occur.
    Family(
        "apertus",
        ("apertus*",),
        (Block(("<|inner_prefix|>",), ("<|inner_suffix|>",)),),
        anywhere=True,
        note="several blocks in one answer",
    ),
    Family(
        "gemma-4",
        ("gemma-4*",),
        (Block(("<|channel>thought\n", "<|channel>"), ("<channel|>",)),),
        tools=("<|tool_call>",),
        anywhere=True,
        note="the block's label is dropped if it is exactly `thought`",
    ),
    Family(
        "command-a",
        ("command-a*",),
        (Block(("<|START_THINKING|>",), ("<|END_THINKING|>",)),),
        starts_inside=True,
        tools=("<|START_ACTION|>",),
        wrappers=(
            Block(("<|START_TEXT|>",), ("<|END_TEXT|>",)),
            Block(("<|START_RESPONSE|>",), ("<|END_RESPONSE|>",)),
        ),
        anywhere=True,
    ),
    Family(
        "kimi-k3",
        ("kimi-k3*",),
        (Block(("<|open|>think<|sep|>",), ("<|close|>think<|sep|>",)),),
        starts_inside=True,
        tools=("<|open|>tools<|sep|>",),
        wrappers=(
            Block(("<|open|>response<|sep|>",), ("<|close|>response<|sep|>",)),
            Block(("<|open|>message<|sep|>",), ("<|close|>message<|sep|>",)),
        ),
        anywhere=True,
        note="may leave the block open; the next channel then ends it",
    ),
    Family(
        "inkling",
        ("inkling*",),
        (Block(("<|message_model|><|content_thinking|>",), ("<|end_message|>",)),),
        wrappers=(Block(("<|message_model|><|content_text|>",), ("<|end_message|>",)),),
        anywhere=True,
        note="typed messages, any number of them",
    ),
    Family(
        "muse",
        ("muse*",),
        (
            Block(
                ("to=self<|message|>", "<|start|>assistant to=self<|message|>"),
                ("<|eom|>",),
            ),
        ),
        wrappers=(
            Block(
                ("to=user<|message|>", "<|start|>assistant to=user<|message|>"),
                ("<|eot|>", "<|eom|>"),
            ),
        ),
        anywhere=True,
    ),
    Family(
        "solar-open",
        ("solar-open*",),
        (Block(("<|think|>",), ("<|end|><|begin|>assistant<|content|>",)),),
        wrappers=(Block((), ("<|end|>",)),),
        anywhere=True,
    ),
    # Phrases and channels.
    Family(
        "granite-3.2",
        ("granite-3.2*", "granite-3.3*"),
        (
            Block(
                ("Here is my thought process:", "Here's my thought process:"),
                ("Here is my response:", "Here's my response:"),
            ),
        ),
    ),
    Family(
        "apriel",
        ("apriel*",),
        (Block(("Here are my reasoning steps:",), ("[BEGIN FINAL RESPONSE]",)),),
        starts_inside=True,
        always_thinks=("*",),
        wrappers=(Block((), ("[END FINAL RESPONSE]", "<|end|>")),),
    ),
    Family(
        "harmony",
        ("gpt-oss*", "llm-jp-4*thinking*"),
        grammar=harmony,
        note="messages in channels: `analysis` is reasoning, `final` the answer",
    ),
    # For models that are prompted to think aloud in plain words. No model is known to do so without
    # being told, so an operator chooses this family in gateway.toml; the mock has a model for it.
    Family(
        "natural",
        ("mock-natural*",),
        (
            Block(
                (
                    *("Let me think", "Let's think", "Let me analyze", "Let's analyze"),
                    *("Let me break", "Let's break", "Let me consider", "Let's consider"),
                    *("Let me reason", "Let's reason", "Let me work", "Let's work"),
                    *("I need to think", "Thinking step by step"),
                ),
                (
                    *("Therefore,", "In conclusion,", "To conclude,", "In summary,"),
                    *("The answer is", "The final answer is", "Final answer:"),
                ),
            ),
        ),
        phrases=True,
        note="only by configuration; the phrases stay in the text",
    ),
)

FAMILIES = tuple(
    family if family is UNKNOWN else replace(family, general=UNKNOWN.blocks) for family in _ROWS
)
"""All rows. The tags of unknown models count at the head for every model."""
