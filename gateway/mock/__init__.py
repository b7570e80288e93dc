"""A scripted model server that speaks the OpenAI chat API, for tests and demos.

    python mock_upstream.py                          # http://127.0.0.1:9000, or MOCK_PORT
    python mock_upstream.py --port 0                 # a free port; the address is printed
    python mock_upstream.py --help                   # every option, every model
    python mock_upstream.py --model PATH_OR_NAME     # a real model instead of the scripts

    curl -N http://127.0.0.1:9000/v1/chat/completions -d '{
      "model": "default", "stream": true, "messages": [{"role": "user", "content": "hi"}]}'

Endpoints: POST /v1/chat/completions, GET /v1/models (both also without /v1), GET /health, and
GET /stats, which counts requests, open_streams, finished, aborted (the client left) and
tokens_sent, and shows the last request's path, header names and body.

The same request always gets the same answer. Ten prompts (the table DEMOS) have replies that were
written for them; so have `hi`, arithmetic, and questions about streaming and recursion. To all
other prompts the models answer that they are scripted, with a list of the ten.

The model's name selects the script; the table MODELS describes each:

    answers   default labelled labelled-reasoning starts-inside no-reasoning tags-reasoning
              tags-thinking mock-magistral mock-natural long-thinking tool-call tool-calls unicode
    thinking  thinker thinker-ignores-budget thinker-refuses-budget thinker-refuses-prefill
              thinker-repeats-marker thinker-mislabels thinker-breaks
    summaries summarizer summarizer-edits summarizer-invents (slow: summarizer@delay=9;
              failing: error-500)
    timing    slow-start silent bursts
    agents    agent deepseek-v4-agent agent-cut
    endings   cut cut-thinking never-ends-thinking error-in-stream
    errors    error-400 error-401 error-500 rate-limited
    wire      garbage crlf html json-body

The request can set the playback in an object "mock". A client that can set only the model's name
appends it after an @, as in "default@tps=200,delay=1.5"; the object wins.

    tokens_per_second, tps    80   0 sends as fast as the client reads
    delay_s, delay             0   seconds before the first byte
    silence_s, silence         0   seconds without a byte in the middle of the reasoning
    tokens_per_frame           1   tokens in one delta
    frames_per_write           1   frames in one write to the socket
    repeat                     1   how many times the answer is repeated

Tokens are words with the space before them, groups of up to three digits, single punctuation marks,
runs of newlines, and a few markers that are one token in real models (<think>, [THINK] …). Usage
counts these tokens, which is the same order of magnitude as a real tokenizer's count. Reasoning
tokens include the markers.

A request becomes bytes in four steps:

    request     reads the body: a ChatRequest, the model's Script and the Playback
    deltas      makes the answer token by token; its words come from replies, demo and texts
    answer      plans the body as frames and lets the script's fault change the plan
    delivery    yields the bytes of each frame when it is due

`server` is the Flask app around them, `command` the command line. With --model, local_model and
local_answer replace deltas and answer.

Below /kinds/<kind>/v1 the mock limits and ends the thinking as servers of this kind do: vllm,
sglang, llama.cpp, ollama, deepseek, dashscope, openrouter.

The package imports nothing from the rest of the gateway, so that the two cannot share a bug.
"""
