"""The texts that the models recite. Constants only.

`{topic}` stands for the prompt's subject, `{demos}` for the list of the demo's prompts.
"""

from typing import NamedTuple


class Reply(NamedTuple):
    """What a model says to one prompt."""

    reasoning: str
    answer: str


HI = Reply("I should greet in one sentence and keep it short.", "Hi! Nice to meet you.")

STREAMING = Reply(
    """\
The user wants streaming APIs explained. I should begin with what streaming changes for the person \
who waits: the total time stays the same, but the first words arrive early. Then I need the \
mechanics: one HTTP response that stays open, and server-sent events as the usual framing. Two or \
three real events will be clearer than a definition. I must say what goes wrong, because that is \
where people lose time: proxies that buffer, reads that end inside a character, streams that stop \
without saying so. I will close with a rule for when streaming is worth it.""",
    """\
A streaming API sends its answer in pieces, as they are produced, over a response that stays open. \
A plain API computes the whole result first, and the client sees nothing until the end. Streaming \
does not make the work faster. It makes the first useful part arrive early, often within a \
fraction of a second, and that is what a person who waits notices.

Most streaming APIs over HTTP use server-sent events. The server answers with the content type \
text/event-stream and writes one small event after another. Each event is a line or more of text, \
closed by a blank line. A language model's answer travels like this:

```
data: {"choices":[{"delta":{"content":"Hello"}}]}

data: {"choices":[{"delta":{"content":" world"}}]}

data: [DONE]
```

The client collects bytes until it has seen a blank line, decodes that one event, and shows its \
delta. The network cuts the stream wherever it likes: one read may hold half an event or ten of \
them, and may end in the middle of a character. A correct client never assumes that one read is \
one message.

Four things go wrong in practice:

- A proxy or a compressor holds the events back until its buffer is full.
- Nobody notices a connection that died quietly; heartbeats and timeouts are the cure.
- A stream that stops without its end marker is taken for a complete answer.
- The reader is slower than the writer, so the server has to slow down or let the reader go.

Errors need thought too. The status line was sent long before the failure, so an error in the \
middle has to be an event of its own, and the client must be able to tell it from text.

Use a streaming API when results are useful before they are complete: chat, progress, logs, \
prices. When the answer is small, or useful only as a whole, a plain response is simpler to write, \
to cache and to retry.""",
)

RECURSION = Reply(
    """\
The user asks about recursion. The heart of it is a function that solves a problem by handing a \
smaller one to itself. I need the two parts that every recursion has: a base case and a step that \
comes closer to it. Factorial is the usual example, but a folder tree shows better why anyone \
wants this. I should also say what it costs, since each call stays on the stack until it returns. \
Then the typical mistakes and when a loop is the better choice.""",
    """\
Recursion means that a function solves a problem by calling itself on a smaller piece of the same \
problem. It needs two parts. The base case is so small that the answer is known at once. The \
recursive step makes the problem smaller and trusts the same function with the rest.

Take the size of a folder. The size of a file is known: that is the base case. The size of a \
folder is the sum of the sizes of what is inside, and what is inside may be folders again:

```
def size(path):
    if path.is_file():
        return path.stat().st_size
    return sum(size(child) for child in path.iterdir())
```

Nothing in this code says how deep the folders go. Each call looks after one level only, and the \
shape of the calls follows the shape of the data. This is why recursion suits trees, nested lists, \
grammars and every problem that splits into smaller copies of itself.

To work it through, follow one branch by hand. The call for the outer folder waits for the inner \
folder, which waits for its file. The file answers 300, the inner folder adds its second file of \
200 and answers 500, and the outer folder goes on from there. Every waiting call keeps its place \
on the call stack, so the depth of the recursion costs memory.

Three mistakes are common. Without a base case, or with a step that does not come closer to it, \
the calls never end and the stack overflows. A step that solves the same small problem again and \
again, as the naive Fibonacci function does, takes exponential time until its results are \
remembered. And a very long list is the wrong shape: there a loop does the same work in constant \
space.

In short: name the smallest case, trust the function with a smaller one, and check that every \
step comes closer to the end.""",
)

GENERAL = Reply(
    """\
The prompt is about {topic}. I am a script that plays a model, so I should look for a reply that \
was written for this prompt. None of my replies fits this prompt, so I must not invent one: \
nothing here would be thought through. The ten prompts that I do know have reasoning of their own, \
so the next try works. I should list them, and end with how to get a real answer to this prompt.""",
    """\
I am a scripted model: I recite replies that were written beforehand, and none of them is about \
{topic}.

**Try one of these ten.** Each has reasoning of its own and an answer worth reading:

{demos}

I also do arithmetic, such as “What is 17 × (23 + 4)?”, and I can explain streaming APIs and \
recursion.

**What is real here.** Only the words are scripted. The stream, its phases, the summary of the \
reasoning, the times and the tools around this answer are those of the gateway, as they would be \
with any model.

**For a real answer to your prompt,** point the gateway at a model server: set UPSTREAM_URL to the \
address of vLLM, SGLang, llama.cpp, Ollama or any other server that speaks the chat completions \
API, and start it again.""",
)

LONG_THINKING = """\
The subject here is {topic}. Before I write anything I should decide who reads this, how long the \
answer may be, and in which order its parts come. The request names no audience, so I assume a \
careful reader who is new to it and wants to use it soon.

First, a plan. I see five parts: what it is, how to approach it, one example worked to its end, \
the usual mistakes, and a summary. The example is the heart of it. If the reader remembers one \
thing only, it should be the example, so the other parts should prepare it or follow from it.

Next, the length. People read about 240 words a minute, and someone who asks this will give it two \
minutes. That is 2 * 240 = 480 words for everything. With five equal parts, each would get \
480 / 5 = 96 words. The example needs twice as much as the others, so I give it 2 * 96 = 192 words \
and leave 96 words for each of the other four.

Wait, that does not fit. 192 + 4 * 96 = 192 + 384 = 576 words, and that is 96 words over the \
limit. I doubled one part without taking anything from the others. Let me redo this with shares: \
the example counts twice and the other four count once, so there are 2 + 4 = 6 shares. One share \
is 480 / 6 = 80 words. The example then gets 2 * 80 = 160 words, and every other part gets 80.

Let me check: 160 + 4 * 80 = 160 + 320 = 480. That is exactly the limit, and at 240 words a minute \
it takes two minutes to read, as intended.

Now the content. I could begin with a definition, or with the problem behind {topic}. A definition \
is shorter, but it helps only a reader who already knows the words in it. The problem is better, \
because it gives a reason for everything after it. Of the mistakes I should pick those that I can \
explain together with a way to notice them. Three are enough; a longer list would not be read.

Should I add history, or a comparison? Either would be interesting, but 80 words are not enough \
for it, and the request does not ask for it. I leave both out.

So the decision is: five parts in this order, 160 words for the example and 80 for every other \
part, beginning with the problem behind {topic} and ending with a summary that can be remembered. \
I can write the answer now."""
LONG_THINKING_LINE = """\
Two minutes of reading allow 480 words; 96 for each of five equal parts and twice that for the \
example is 96 words too many."""
"""What an editor would write of its first two thirds."""

UNICODE = Reply(
    "用户想看各种文字。我先用中文思考，然后检查表情符号 🤔。 A line separator\u2028is here, "
    "and a next-line\u0085too. שלום, then back to the left.",
    "你好，世界！Grüße, Ελλάδα, नमस्ते.\u2028After U+2028 the line goes on.\n\n"
    "Emoji: 😀 👩\u200d👩\u200d👧 🇯🇵 👍🏽. مرحبا بالعالم, and e\u0301 is two code points. Done ✅.",
)

AGENT_STEP = Reply(
    "The task needs a look at the machine before anything can be said about it. "
    "A command shows what is there, so I run command number {step} and read what it prints. "
    "After that I can decide what comes next.",
    "",
)
AGENT_ANSWER = Reply(
    "All commands have run, and each of them printed what it should. "
    "Nothing is left to do, so I can report the result in one line.",
    "Done after {step} commands.",
)
