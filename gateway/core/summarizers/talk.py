"""Talk about the work of answering rather than about the matter. English and Chinese.

Such sentences make no statement. As in the lexicon, every pattern takes linear time and is for text
in small letters.
"""

import re

from gateway.core.summarizers.lexicon import Cue
from gateway.core.summarizers.phrases import Phrases
from gateway.core.summarizers.text import in_small, stems

META = re.compile(
    r"""^(?:
     (?:the\s+)?answer\s+is\s+ready|constraints?\s+check\b
    |(?:i'll|i\s+will)\s+use\s+(?:\w+\s+)?
       (?:markdown|headers|headings|bullet|bold|emojis?|tables?)\b
    |(?:just|only)\s+the\b|ensure\s+no\b
    |i(?:'m|\s+am)\s+(?:excited|nervous|not\s+(?:entirely\s+)?sure)
    |i(?:'ve|\s+have)\s+(?:also\s+|already\s+)?(?:heard|read|seen|covered|included|added)\b
    |the\s+(?:\w+\s+){1,2}(?:is|seems)\s+(?:straightforward|simple|clear|manageable|good|fine)\W*$
    |it\s+seems\s+\w+\W*$|that\s+(?:sounds|feels)\b
    |(?:that|this|it)\s+(?:doesn't|does\s+not)\s+(?:look|seem|sound|feel)\b
    |(?:let(?:'s|\s+me|\s+us)\s+(?!x\b|n\b|k\b|f\b))
    |(?:the\s+|this\s+|my\s+)?user(?:'s|s)?\b\s+(?:is\s+|are\s+|didn't\s+|doesn't\s+)?(?:\w+ly\s+)?
       (?:ask|want|need|request|say|said|wrote|mention|provid|gave|give|seem|query|question|message
       |specif|may|might|would|could|has|have|had|just|also|likely|probably|here|appear|input|prompt
       |did\b|didn|doesn|is\b|was\b|are\b|will\b|should\b|expect|intend|intent|explicit|instruct)
    |i\s+(?:need|have|want|am\s+(?:trying|supposed|asked)|'?m\s+(?:trying|supposed|asked))\s+to\s+
       (?:figure|find|solve|determine|understand|think|answer|respond|make\s+sure|be\s+careful
       |consider|check|verify|recall|remember|know|explain|analy[sz]e|address|come\s+up|craft|create
       |generate|write|produce|provide|evaluate|do|see|break|start|look|decide|ensure|double|confirm
       |re-?read|re-?check|go|work|identify|structure|present|tackle|approach|clarify)
    |i\s+(?:should|must|will|can|could|'ll)\s+(?:also\s+|first\s+|probably\s+)?
       (?:think|start|begin|check|verify|double|consider|make\s+sure|be\s+careful|recall|look|try|see
       |analy[sz]e|remember|answer|respond|reply|produce|write|output|present|provide\s+the|go\s+with
       |keep|structure|ensure|stick|craft|finali[sz]e|proceed|now|just)
    |i(?:'m|\s+am)\s+(?:not\s+|a\s+bit|going\s+to|confused|wondering|thinking|pretty|overthinking
       |overcomplicating|just|getting|trying|supposed|asked|stuck|confident|satisfied|curious)
    |(?:likely|probably)\s+(?:just\s+)?needs?\s+to\b
    |i'll\s|i\s+now\s+|i(?:'m|\s+am)\s+now\s+\w+ing\b|i'd\s+better\b|i\s+wonder\b|i\s+want\s+to\s+be\b
    |i\s+(?:should|must|will|can|could|need\s+to)\s+(?:also\s+|first\s+|then\s+)?
       (?:give|explain|show|list|describe|mention|compare|close|end|begin)\s+
       (?:the|some|how|why|what|with|each|both|all|them|it|its)\b[^0-9]*$
    |i\s+(?:don't\s+think|thought|might\s+have|made)\b
    |i\s+(?:think|guess|remember|recall|believe|suppose|feel)\b(?:\s+(?:so|it|this|i|about|from))?
       (?:\s+(?:right|correct|it|good|covers|makes\s+sense))?\W*$
    |(?:that|this|it|which|everything|all)\s+(?:all\s+)?
       (?:makes\s+sense|seems?\s+(?:right|correct|good|reasonable|straightforward|tricky|odd|strange
       |like\s+a|fine|consistent|ok)|sounds\s+\w+|is\s+(?:a\s+)?(?:bit\s+|very\s+|pretty\s+)?
       (?:interesting|tricky|confusing|straightforward|right|correct|good|fine|classic|simple|clear
       |consistent|it|the\s+(?:final|plan|best)\b)|checks\s+out|looks?\s+(?:right|good|correct|fine)
       |fits?|works?|should\s+(?:work|do|cover|be\s+(?:good|fine|enough)))\b\W*(?:\w+\W*){0,2}$
    |they(?:\s+(?:\w+ly\s+|just\s+|also\s+)?(?:want|ask|need|are\s+asking|said|specif|mention|gave
       |provid|might|may|would|could|didn't)|'re\s+(?:\w+ly\s+)?(?:asking|looking\s+for|expecting))
    |(?:task|topic|constraints?|format|goal|intent|instructions?|role|language|tone|audience
       |requirements?)\s*:
    |(?:just|simply|only)\s+(?:format|output|comply|answer|respond|return|reply|say|give|provide
       |write|list|need)\b
    |no\s+(?:markdown|words|comments|polic(?:y|ies)|emojis?|need\s+(?:for|to)|explanations?
       |formatting|code\s+fences|(?:extra|additional|other)\s+(?:text|words?|characters?|punctuation|explanations?|steps))\b
    |(?:should|must|needs?\s+to)\s+be\b|keep(?:ing)?\s+(?:it|this|that|things)\b
    |(?:maybe|perhaps)\s+(?:i\s+(?:can|could|should)\s+)?(?:say|start|begin|add|mention|include|ask
       |offer|use|give|end|something|note)\b
    |(?:so\s+)?(?:i\s+have|i've\s+got|there's|there\s+is|we\s+have|here's)\s+(?:this|a|the)\s+
       (?:\w+\s+){0,2}(?:problem|riddle|question|puzzle|scenario)\b
    |ready\s+to\b|time\s+to\b|will\s+keep\b|final\s+output\b|everything\s+(?:is|checks|adds)\b
    |(?:the\s+|all\s+|my\s+)*(?:calculations?|numbers|steps|logic|math|reasoning)\s+
       (?:is|are|seems?|looks?|checks?|holds?)\s+(?:accurate|correct|right|good|fine|out|up|sound|solid)
    |(?:the\s+)?scenario\s+(?:is|here)\b|explain\s+(?:the\s+)?reasoning
    |(?:since|as)\s+the\s+(?:question|query|request|message|prompt)\s+
    |(?:the\s+|this\s+)?(?:system\s+)?(?:question|problem|prompt|task|query|request|instructions?
       |riddle|message)\s+(?:\w+ly\s+)?
       (?:is\s+asking|asks?|asked|is|says?|said|states?|stated|here|seems|wants|mentions?|specif
       |doesn't|might|could|requires?|gives?|gave)\b
    |we\s+(?:are|have\s+to|need\s+to|must|should|can|'re)\s+(?:also\s+|now\s+)?
       (?:asked|given|to\s+|figure|answer|produce|respond|output|write|provide|think|consider|check
       |craft|make\s+sure|follow|ensure|decide|be\s+careful|start|begin|just|trying|told)
    |(?:looking|going)\s+(?:back\s+)?(?:at|through|over)\b[^,]*\W*$
    |(?:yes|no|correct|right|good|done|exactly|ok|okay|got\s+it|great|perfect|maybe\s+not|not\s+sure
       |hmm+|wait|ready|proceed|alternatively|next|first|finally|all\s+good|sounds\s+good)\W*$
    |(?:(?:i|we)(?:'ll|\s+will|\s+can|\s+should)?\s+|let's\s+|just\s+)?
       (?:now\s+|then\s+|also\s+)?(?:will\s+)?
       (?:produce|deliver|state|provide|present|finali[sz]e|output|proceed|answer|respond|craft
       |go\s+with\s+that|write\s+(?:the|a|it|out|up|final))\b(?:\s+\w+){0,6}\W*$
    |(?:ready|done|now\s+answer|final\s+(?:answer|output|response|decision|version))\W*$
    |here(?:'s|\s+is)\s+(?:my|the|a|how)\s+(?:thinking|thought|response|draft|plan|attempt)
    |(?:thinking\s+process|analy[sz]e\s+the\s+|understand(?:ing)?\s+the\s+|draft(?:ing)?\s+the\s+
       |formulat(?:e|ing)\s+the\s+|review(?:ing)?\s+the\s+|construct(?:ing)?\s+the\s+
       |refin(?:e|ing)\s+the\s+|final\s+(?:polish|check|review|plan|decision)
       |determine\s+the\s+(?:output|format|response)|self-correction|check(?:ing)?\s+(?:the\s+)?
       (?:constraints?|format|instructions?))
    |one\s+(?:last|final|more|minor|small|other)\s+(?:check|verification|thing|detail|note|point)\b
    |(?:did|do|does)\s+i\b|any(?:thing)?\s+(?:else|other)\b|not\s+sure\b|to\s+be\s+(?:sure|safe)\b
    |用户|让我|看来用户|可能用户|这(?:个问题|是一个)(?:看起来|很|问题|比较)
    |我(?:们)?(?:需要|得|应该|要|现在|想|可以|会|记得)
    |(?:首先|接下来|然后|最后|现在|再)[，,]?\s*(?:我|再|仔细)?(?:们)?(?:需要|得|应该|要)?(?:先|再)?
       (?:想|看|确认|考虑|理解|分析|回忆|检查|确定|明确|弄清|回顾|整理|组织)
    |(?:分析|识别|理解|检查|确定|构建|完善|最终润色|起草)(?:用户|意图|安全|解释|最终|和|请求|内容|回)
    )""",
    re.VERBOSE,
)
"""Sentences about the work of answering rather than about the matter."""

_FORM = Cue(
    r"\b(?:last|final|answer|required) (?:line|message)\b"
    r"|\bthe (?:response|output|reply) (?:should|must|needs?|is|has)\b"
    r"|\b(?:first|second|third|last|final|next) (?:sentence|paragraph)\s*(?::|should|must|is)"
    r"|\btone\b.{0,20}\b(?:polite|supportive|neutral|helpful|professional|friendly|respectful)"
    r"|\b(?:required|requested|exact|correct|desired|right) format\b|\bmust not include\b"
    r"|\b(?:meets?|follows?|fits?|satisf\w+) (?:the|all) (?:user|request|format|constraints?"
    r"|instructions?|requirements?)"
    r"|\bthe (?:language|wording|tone|style|sentence|last line|format) (?:should|must|would|needs?)"
    r"\b|\b(?:code block|json|markdown|code|text|plain text) only\b"
    r"|\bwe (?:need|must|should) (?:\w+ )?(?:json|code|output|markdown)\b"
    r"|\b(?:developer|system|user) (?:instructions?|message|prompt)\b",
    (
        *("line", "message", "response", "output", "reply", "format", "must not include", "user"),
        *("request", "constraint", "instruction", "requirement", "sentence", "paragraph", "tone"),
        *("the language", "wording", "the style", " only", "json", "code", "markdown", "prompt"),
    ),
    starts=r"(?:(?:(?:i|we) )?(?:also )?needs? to )?(?:provide|ensure|write|state|include|give"
    r"|explain|keep|present|add|output|format|end|start|begin|uses?|return|stick|match)\b"
    r"[^.]{0,60}\b(?:answers?|response|reply|line|format(?:ting)?|sentences?|style|indentation"
    r"|code block|exact|wording|fluff|comments?|steps?|reasoning|output|question|tone|bullet"
    r"|trailing|periods?|commas?|spaces?|punctuation|capitals?|concise|clear(?:ly)?|bold|headings?"
    r"|markdown)\b",
)
"""Notes on the form of the answer."""

_BOASTS = re.compile(
    r"(?:this|that) way,? (?:i'm|i am|i|we|we're|it|my|the user|they)\b"
    r"|that should (?!be\b|have\b)"
    r"|(?:this|that|it|which|the) ?(?:\w+ ){0,2}(?:approach|response|answer|way|reply)?"
    r" ?(?:also )?(?:should )?(?:aligns? with|adheres? to|compl(?:y|ies) with"
    r"|covers? (?:all|the|everything)"
    r"|ensures? (?:that )?(?:the|i|we|my|clarity|safety|compliance)|meets? (?:all|the)"
    r"|satisf\w+ (?:all|the)|should (?:cover|address|satisf\w+|meet|suffice|help the))\b"
    r"|(?:(?:i|we) )?(?:also )?(?:(?:need|have|want) to |should |must )?make sure\b"
    r"|(?:the code(?: block)?|this|that|it) is the final answer\b"
    r"|(?:that|this|it) (?:flows|sounds|reads|looks|feels|works)(?: (?:pretty|quite|very|really))?"
    r" (?:nice|nicely|good|great|right|well|fine|natural|perfect)\b"
    r"|(?:the |all |my )*(?:calculations?|numbers|steps|logic|math|reasoning) (?:is|are|seems?"
    r"|looks?|checks?|holds?) (?:accurate|correct|right|good|fine|out|up|sound|solid)",
)
"""Praise of the answer that is planned."""

_RULES = Cue(
    r"\b(?:the|our|usage|safety|content|misinformation|privacy|\w+-harm|these|those|any|all)"
    r" (?:\w+ )?(?:polic(?:y|ies)|guidelines?)\b"
    r"|\bpolicy (?:says?|states?|section|also)\b|\bdisallowed\b|\bsection \d+ says"
    r"|\bit says (?:that )?(?:i|we|the ai) (?:can|must|should)",
    ("polic", "guideline", "disallowed", "section", "it says"),
)
"""The rules that the model works under."""
_RULES_TERMS = stems(["policy", "policies", "guideline", "guidelines", "disallowed"])

_OBLIGES = re.compile(r"we (?:need|should)\b|we must (?!have|be)")
_INTENDS = re.compile(r"(?:we|i)(?:'ll| will| should| need)\b")

_GUESSES = Cue(
    r"\b(?:maybe|perhaps|probably|likely)(?: that)? (?:the|this|it's a) (?:user|problem|question"
    r"|riddle|prompt|puzzle)\b",
    ("maybe", "perhaps", "probably", "likely"),
)
"""A guess at what the prompt means."""

_ASIDE = re.compile(r"[(（][^()（）=]*[)）]\W*$")
"""A sentence in brackets: what the model thinks of its own draft."""

_CHINESE_PLANS = re.compile(
    r"(?:最后|结尾|开头|然后|接着|首先)[，,]?.{0,8}?"
    r"(?:留个|用|加上|确保|提供|提醒|总结|强调|说明|提问|补充|检查|给出|列出|使用)"
    r"|检查|确保|避免|作为(?:思考|回答)|为了确保|结尾|保持|注意|强调|语气|结构|还[要需得]|同时要"
    r"|这样.{0,6}(?:逻辑|结构|条理|用户|读者|回答)"
)
"""What the answer is going to have."""

DEFERS = re.compile(
    r"(?:i(?:'ll| will| think i'll| should|'d)?|let(?:'s| me)) (?:go|stick|settle|stay) with"
    r" (?:that|it|this|the (?:\w+ )?(?:answer|interpretation|assumption|approach|version|one))\W*$"
    r"|final (?:code|answer|version|output|response)\W*$",
)
"""A choice that names nothing: what is chosen was said before."""

PLANS = re.compile(
    r"(?:i|we)(?:'ll| will| should| need| must| can| could| have to| want| might| would|'d"
    r"| am going)\b",
)
"""What the model is going to do."""

_VERBS = (
    "acknowledge add address aim analyze ask avoid be begin box brainstorm briefly calculate "
    "check choose clarify compare conclude confirm consider cover craft decline define "
    "deliver describe determine discuss do don't double draft eliminate emphasize encourage "
    "end ensure explain express flesh focus follow format frame gently give help highlight "
    "identify include incorporate introduce keep link list maintain make mention never note "
    "offer outline output polish politely present process provide recommend redirect refine "
    "reiterate remind respond return review set show state stick structure suggest summarize "
    "tie use validate verify weave wrap write"
)
IMPERATIVES = frozenset(_VERBS.split())
"""First words of a sentence that says what the answer should do."""
PROMISES = frozenset(f"{verb}es" if verb.endswith("ss") else f"{verb}s" for verb in IMPERATIVES)
"""First words of a point on a list of what the answer does: "Explains the concept."."""

_IS_NO_ORDER = re.compile(r"\S+ (?:that|is|are|was|has|[A-Z])\b|\S+: [A-Z]|[^\d=]*[\d=]")
"""A statement that begins with such a word, or a step of a calculation."""


def talks(small: str, phrases: Phrases) -> bool:
    """Whether a sentence is about the work of answering, in English, Chinese or this language."""
    return META.match(small) is not None or phrases.talks(small)


def plans(small: str, phrases: Phrases) -> bool:
    """Whether a sentence says what the model is going to do, in the same languages."""
    return PLANS.match(small) is not None or phrases.plans(small)


def cites_rules(small: str, prompt_terms: frozenset[str]) -> bool:
    """Whether a sentence cites the rules that the model works under, and the prompt does not."""
    return _RULES.search(small) and prompt_terms.isdisjoint(_RULES_TERMS)


def obliges(plan: str, *, states: bool) -> bool:
    """Whether a plan says what is to be done for the answer rather than what was found.

    states: it has a number or follows from what was found.
    """
    return _OBLIGES.match(plan) is not None or (not states and _INTENDS.match(plan) is not None)


def is_order(text: str) -> bool:
    """Whether a sentence only tells its writer what to do."""
    first = in_small(text.partition(" ")[0].rstrip(",:"))
    return first in IMPERATIVES and _IS_NO_ORDER.match(text) is None


def is_about_the_answer(small: str) -> bool:
    """Whether a sentence is a note on the answer: its form, praise of it, a guess at the ask."""
    return (
        _FORM.search(small)
        or _BOASTS.match(small) is not None
        or _GUESSES.search(small)
        or _ASIDE.match(small) is not None
        or (not small.isascii() and _CHINESE_PLANS.match(small) is not None)
    )
