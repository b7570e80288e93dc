"""What phrases do in reasoning: talk, conclude, suppose, take back. English and Chinese.

Other languages have data files; see :mod:`gateway.core.summarizers.phrases`. Each pattern is
anchored or has words that must be there, and no nested repetition: its time is linear.
"""

import re
from collections.abc import Iterable


class Cue:
    """A pattern that may match anywhere in a sentence, and one that matches at its start.

    Most sentences have none of the words that every match needs. Looking for those words takes an
    eighth of the time of the pattern, which tries each alternative at each letter.
    """

    def __init__(self, pattern: str, words: Iterable[str], starts: str = "") -> None:
        """words: every match of `pattern` has one, in small letters; starts: a further pattern."""
        self.pattern = re.compile(pattern, re.IGNORECASE)
        self.words = tuple(words)
        self._start = re.compile(starts, re.IGNORECASE).match if starts else None

    def search(self, text: str, folded: str | None = None) -> bool:
        """Whether it is in the text. folded: the text after casefold(), if that is known."""
        if self._start is not None and self._start(text):
            return True
        if folded is None:
            folded = text.casefold()
        has_word = any(map(folded.__contains__, self.words))
        return has_word and self.pattern.search(text) is not None


_SMALL_WORDS = (
    "a an the and or but if then so of in on at to for from by with as is are was "
    "were be been being it its this that these those i i'm i'll i'd you he she they "
    "we me my your our their his her them us not no do does did done have has had "
    "having will would can could should may might must there here what which who whom "
    "how when where why all any some each every both few more most other than too "
    "very just also only own same such into over under again further once out up down "
    "about because while until let let's that's it's there's what's don't doesn't "
    "isn't aren't okay hmm wait 的 了 是 我 在 和 有 就 不 也 都 要 这 那 一 个 可 以 能 会 "
    "们 他 她 它 你 用 户 到 说 吧 呢 吗 啊 嗯 好 "
)
STOP = frozenset(_SMALL_WORDS.split())
"""Words without meaning of their own."""

LIST_MARK = re.compile(r"^[\s>]*(?:(?:[-*•·–—+]|#{1,6}|\(?\d{1,2}[.)]|\(?[a-zA-Z][.)])\s+)+")

OPENER = re.compile(
    r"^[\s,.…—–-]*(?:"
    r"(?:ok(?:ay)?|alright|all right|hmm+|hm|mm|um+|uh|wait|well|so|now|oh|ah|aha|yeah"
    r"|yep|actually"
    r"|but|and|also|then|therefore|thus|hence)(?:\s*[,.:;!…—–-]+\s*|\s+)"
    r"|(?:yes|no|right|good|great|cool|perfect|correct|got it|sure|hold on|first(?:ly"
    r"| off| of all)?"
    r"|second(?:ly)?|third(?:ly)?|next|finally|lastly|let's see|let me (?:see|think|check|verify)"
    r"|let's (?:think|check)|anyway|i mean|like|then again|still|again|indeed|of course"
    r"|interesting(?:ly)?|similarly|besides|however|additionally|moreover|furthermore|in fact"
    r"|basically|essentially|importantly|for now|to be (?:clear|sure|thorough)|q|a)"
    r"\s*[,.:;!…—–-]+\s*"
    r"|(?:i(?: still)? (?:think|guess|believe|suppose|know|recall|remember|see|realize|notice)"
    r"|it seems|it looks like|it's clear|it is clear|that means|which means|this means"
    r"|(?:i|we) (?:should|could|can|might|will|must|need to|have to|want to)(?: also)?"
    r" (?:mention|note|say|add|state|point out|emphasi[sz]e|highlight|remember"
    r"|acknowledge|explain))"
    r" that\s+"
    r"|(?:嗯+|好的?|那么?|啊|哦|等等|等一下|对了|对|不过|另外|然后|接下来|首先|所以说|也就是说|没错)"
    r"[，,。、！…\s]+|(?:所以|那么|那|而且|但是|但|不过)(?=[\u4e00-\u9fff\d])"
    r")",
    re.IGNORECASE,
)
"""One opener of thinking aloud; a sentence may have several."""

META = re.compile(
    r"""^(?:
     (?:let(?:'s|\s+me|\s+us)\s+(?!x\b|n\b|k\b|f\b))
    |(?:the\s+|this\s+|my\s+)?user(?:'s|s)?\b\s+(?:is\s+|are\s+|didn't\s+|doesn't\s+)?(?:\w+ly\s+)?
       (?:ask|want|need|request|say|said|wrote|mention|provid|gave|give|seem|query|question|message
       |specif|may|might|would|could|has|have|had|just|also|likely|probably|here|appear|input|prompt
       |didn|doesn|is\b|was\b|are\b|will\b|should\b|expect|intend|intent|explicit|instruct)
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
    |i'll\s|i\s+now\s+|i'd\s+better\b|i\s+wonder\b|i\s+want\s+to\s+be\b
    |i\s+(?:don't\s+think|thought|might\s+have|made)\b
    |i\s+(?:think|guess|remember|recall|believe|suppose|feel)\b(?:\s+(?:so|it|this|i|about|from))?
       (?:\s+(?:right|correct|it|good|covers|makes\s+sense))?\W*$
    |(?:that|this|it|which|everything|all)\s+(?:all\s+)?
       (?:makes\s+sense|seems?\s+(?:right|correct|good|reasonable|straightforward|tricky|odd|strange
       |like\s+a|fine|consistent|ok)|sounds\s+\w+|is\s+(?:a\s+)?(?:bit\s+|very\s+|pretty\s+)?
       (?:interesting|tricky|confusing|straightforward|right|correct|good|fine|classic|simple|clear
       |consistent|it|the\s+(?:final|plan|best)\b)|checks\s+out|looks?\s+(?:right|good|correct|fine)
       |fits?|works?|should\s+(?:work|do|cover|be\s+(?:good|fine|enough)))\b\W*(?:\w+\W*){0,2}$
    |they\s+(?:want|ask|need|are\s+asking|said|specif|mention|gave|provid|might|may|would|could|'re)
    |(?:so\s+)?(?:i\s+have|i've\s+got|there's|there\s+is|we\s+have|here's)\s+(?:this|a|the)\s+
       (?:\w+\s+){0,2}(?:problem|riddle|question|puzzle|scenario)\b
    |ready\s+to\b|time\s+to\b|will\s+keep\b|final\s+output\b|everything\s+(?:is|checks|adds)\b
    |(?:the\s+|all\s+|my\s+)*(?:calculations?|numbers|steps|logic|math|reasoning)\s+
       (?:is|are|seems?|looks?|checks?|holds?)\s+(?:accurate|correct|right|good|fine|out|up|sound|solid)
    |(?:the\s+)?scenario\s+(?:is|here)\b|explain\s+(?:the\s+)?reasoning
    |(?:the\s+|this\s+)?(?:question|problem|prompt|task|query|request|instructions?|riddle)\s+
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
    |(?:did|do|does)\s+i\b|any(?:thing)?\s+(?:else|other)\b|not\s+sure\b|to\s+be\s+(?:sure|safe)\b
    |用户|让我|看来用户|可能用户|这(?:个问题|是一个)(?:看起来|很|问题|比较)
    |我(?:们)?(?:需要|得|应该|要|现在|想|可以|会|记得)
    |(?:首先|接下来|然后|最后|现在|再)[，,]?\s*(?:我|再|仔细)?(?:们)?(?:需要|得|应该|要)?(?:先|再)?
       (?:想|看|确认|考虑|理解|分析|回忆|检查|确定|明确|弄清|回顾|整理|组织)
    |(?:分析|识别|理解|检查|确定|构建|完善|最终润色|起草)(?:用户|意图|安全|解释|最终|和|请求|内容|回)
    )""",
    re.IGNORECASE | re.VERBOSE,
)
"""Sentences about the work of answering rather than about the matter."""

ANSWERS = Cue(
    r"\banswer\s+(?:is|should be|would be|must be)\b|\banswer\s?:\s*[\w$\\*(`]|\\boxed"
    r"|\bfinal answer\W*(?:is\b|[:=])|\bthe result is\b|答案[是为应：:]",
    ("answer", "boxed", "the result is", "答案"),
    starts=r"(?:answer|result|final (?:score|rating|grade|verdict|line))\s*:"
    r"|(?:结论|结果)[是为：:]",
)
"""A statement of the answer."""

PLACEHOLDER = re.compile(r"<\w{2,20}>")
"""The form of an answer rather than an answer."""

SETTLES = Cue(
    r"\b(?:i(?:'ll| will| think i'll| should) (?:go|stick|settle|stay) with\b|i(?:'ll| will) use\b"
    r"|i(?:'ll| will| am going to)? (?:choose|pick|conclude|rate|decline|refuse)\b"
    r"|we(?:'ll| will| can)? (?:choose|pick|go with|use|conclude)\b"
    r"|(?:response|answer) (?:should|must|will) (?:be|politely)"
    r"|i can(?:'t|not) (?:help|assist|comply)"
    r"|i'd (?:say|rate|go|give)\b|(?:final )?(?:score|rating|grade|verdict)\W{1,4}\d)",
    (
        *("go with", "stick with", "settle with", "stay with", "use", "choose", "pick", "conclude"),
        *("rate", "decline", "refuse", "response", "answer", "help", "assist", "comply", "i'd"),
        *("score", "rating", "grade", "verdict"),
    ),
    starts=r"(?:therefore|thus|hence|in conclusion|in summary|to summari[sz]e|overall"
    r"|ultimately)\b|so,? (?:the |it's |yes|no\b|that's )|因此|综上|总之|结论|所以",
)
"""What the reasoning settles on: a conclusion, a choice, a score, a verdict, a refusal."""

SUPPOSES = Cue(
    r"\bwould (?:be|have|mean|imply|work)\b|\bcould have\b|\bif i\b|\bif we\b",
    ("would ", "could have", "if i", "if we"),
    starts=r"(?:if|suppose|supposing|assume|assuming|say|imagine|what if|even if|unless|in case"
    r"|case \d|option \d|scenario \d|were|had|如果|假如|假设|要是)\b",
)
"""A supposition."""

OTHERWISE = re.compile(
    r"^(?:alternatively|maybe|perhaps|or|another (?:way|possib|thought|angle|approach|idea)"
    r"|也许|或许|可能|或者)",
    re.IGNORECASE,
)
"""A possibility that is only mentioned."""

BEGINS = re.compile(
    r"(?:(?P<so>so)|(?P<therefore>therefore|thus|hence|as a result|in conclusion|overall"
    r"|ultimately|in summary|因此|所以|综上|总之)"
    r"|(?P<since>since|because|given|as)"
    r"|(?P<wait>wait|hmm|hold on|no|oh|oops|hm|等等)"
    r"|(?P<maybe>maybe|perhaps|alternatively|or|也许|或许|可能)"
    r"|(?P<ok>ok|okay|alright|yes|yeah|right))(?:\b|(?=[\u3400-\u9fff]))",
    re.IGNORECASE,
)
"""The word that joins a sentence to those before it."""

PLANS = re.compile(
    r"(?:i|we)(?:'ll| will| should| need| must| can| could| have to| want| might| would|'d"
    r"| am going)\b",
    re.IGNORECASE,
)
"""What the model is going to do."""

SHOULD = frozenset(["should", "must", "need", "needs"])
"""What has to be done rather than what is so."""
BECAUSE = frozenset(["because", "since", "due", "therefore", "thus", "hence"])
FINAL = frozenset(["final", "conclusion", "overall", "ultimately", "settle", "go", "stick"])

LEANS = re.compile(
    r"(?:it|this|that|they|these|those|he|she|its|their|his|her|both|neither|in (?:that|this|such)"
    r" (?:case|scenario|situation)|such|the (?:former|latter|other|same|rest)\b)(?!\s+(?:is|seems)"
    r" (?:not )?(?:possible|impossible|clear|important|likely|true that|known|said)\b)\b"
    r"|(?:他|她|它|这|那)(?!里|个问题)",
    re.IGNORECASE,
)
"""A sentence whose subject stands in an earlier one."""

RETRACTS = re.compile(
    r"^(?:(?:oh|ah|hmm+|ok(?:ay)?|but|and|so|well|therefore|thus|hence)[,.!\s]+)*(?:"
    r"wait[,.!…\s—–-]+(?:no\b|not\b|that(?:'s|\s+is)\s+(?:not|wrong|incorrect)"
    r"|(?:that|this)\s+(?:can't|doesn't|isn't|contradicts)|this\s+is\s+(?:not|wrong)|actually"
    r"|i\s+(?:made|think\s+i|messed|mis|was\s+wrong)|maybe\s+(?:not|i\s))"
    r"|no[,.!]\s+(?:wait|that|this|it|not|the|because)\b"
    r"|(?:that|this)(?:'s|\s+is)\s+(?:not\s+(?:right|correct|possible|true)|wrong"
    r"|incorrect|a\s+contra"
    r"|impossible|not\s+possible|invalid|contradict)"
    r"|that\s+(?:can't|cannot)\s+be|(?:that|this)\s+(?:doesn't|does\s+not|won't|wouldn't)"
    r"\s+(?:seem|make|work|add|help|fit|match)"
    r"|scratch\s+that|oops|i\s+(?:made\s+a\s+mistake|was\s+wrong|misread|miscounted|messed\s+up)"
    r"|never\s*mind|contradiction"
    r"|不对|等等[，,]?\s*不|等一下[，,]?\s*不|错了|好像不对|这不对|不是这样)",
    re.IGNORECASE,
)
"""What takes back the sentence before it."""

DRAFTS = re.compile(
    r"\bdraft|\bi(?:'ll| will| can| could| should| would) (?:say|answer|write|respond"
    r"|reply|produce)"
    r"|\b(?:final|my|the) (?:response|answer|output|text|reply|version|plan|line"
    r"|verdict)\b[^.]{0,30}:"
    r"|^(?:response|answer|output|text|verdict|feedback|final \w+)\s*:|refin(?:e|ing|ed)\b.{0,30}:"
    r"|草稿|起草|最终输出|回复[:：]|构建.{0,6}回",
    re.IGNORECASE,
)
"""A heading or a phrase that a draft of the answer follows."""

RESTATES = re.compile(
    r"\b(?:analy[sz]e|analy[sz]ing|understand|understanding|deconstruct|identify|parse"
    r"|break down)\b"
    r".{0,12}\b(?:request|prompt|input|question|task|problem|query|constraint)s?\b"
    r"|分析用户|理解(?:用户|问题|请求)|识别意图",
    re.IGNORECASE,
)
"""A heading under which the prompt is restated."""

FORM = Cue(
    r"\b(?:last|final|answer|required) (?:line|message)\b"
    r"|\bthe (?:response|output|reply) (?:should|must|needs?|is|has)\b"
    r"|\b(?:first|second|third|last|final|next) (?:sentence|paragraph)\s*(?::|should|must|is)"
    r"|\btone\b.{0,20}\b(?:polite|supportive|neutral|helpful|professional|friendly|respectful)"
    r"|\b(?:required|requested|exact|correct|desired|right) format\b|\bmust not include\b"
    r"|\b(?:meets?|follows?|fits?|satisf\w+) (?:the|all) (?:user|request|format|constraints?"
    r"|instructions?|requirements?)",
    (
        *("line", "message", "response", "output", "reply", "format", "must not include", "user"),
        *("request", "constraint", "instruction", "requirement", "sentence", "paragraph", "tone"),
    ),
    starts=r"(?:provide|ensure|write|state|include|give|explain|keep|present|add|output|format|end"
    r"|start|begin|use)\b[^.]{0,60}\b(?:answers?|response|reply|line|format(?:ting)?|sentences?"
    r"|steps?|reasoning|output|question|tone|bullet|trailing|periods?|commas?|spaces?|punctuation"
    r"|capitals?|concise|clear(?:ly)?|bold|headings?|markdown)\b",
)
"""Notes on the form of the answer."""

TALKS = Cue(
    r"\b(?:the|my|this|your|a) (?:response|output|reply|last line|final line|instructions?|prompt"
    r"|user'?s?|requested format|format|wording|phrasing|tone|explanation|final answer should)\b"
    r"|\bclassic (?:\w+ )?(?:problem|riddle|puzzle|question)\b|\bready to (?:write|answer|go)\b"
    r"|\b(?:step[- ]by[- ]step|double-?check|let me|correct answer\.|missing something"
    r"|trick question)|用户|回答|回复|解释清楚",
    (
        *("response", "output", "reply", "line", "instruction", "prompt", "user", "format"),
        *("wording", "phrasing", "tone", "explanation", "final answer should", "classic"),
        *("ready to", "by step", "by-step", "double", "let me", "correct answer."),
        *("missing something", "trick question", "用户", "回答", "回复", "解释清楚"),
    ),
    starts=r"(?:provide|ensure|needs?|must|write|explain|include|keep|state|avoid|make sure"
    r"|start with|end with|mention|add|format|use a|output|draft|consider|check|list|give|briefly"
    r"|be\b|don't|do not|just|then,? (?:provide|explain|list|mention)"
    r"|i (?:should|must|need|will|can|could|'ll|think i))\b",
)
"""Notes on the answer that may also say something about the matter."""

HEADING = re.compile(
    r"\s{0,3}(?:#{1,5}\s|\*\*|\d{1,2}[.)]\s+\*\*|\d{1,2}[.)]\s+[^\s.][^.]{0,60}[:：]\s*$)"
)
"""A line that begins a section."""

ANSWER_LABEL = re.compile(r"(?:\banswer|答案)[\s*:：]*$", re.IGNORECASE)
"""A line that says only that the answer comes next."""

SUPPOSITION = re.compile(
    r"(?:suppose|supposing|assume|assuming|imagine|what if|say\b|case \w+\b|scenario \w+\b|if\b"
    r"|假设|假如|如果)",
    re.IGNORECASE,
)
LET = re.compile(r"(?:suppose|supposing|assume|assuming|imagine|say)\b|假设|假如", re.IGNORECASE)
"""A supposition of which nothing follows yet."""

FOLLOWS = re.compile(
    r"(?:then|so|therefore|thus|hence|which|in that case|这样|那么)\b", re.IGNORECASE
)
"""A sentence that holds only with the supposition before it."""

TURNS = re.compile(
    r"[\s*_>-]*(?:(?:first|second|third|next|then|finally|alternatively|another|also|but"
    r"|however|wait"
    r"|so|therefore|thus|now|okay|ok|hmm|let me|let's|in summary|overall|putting|step \d|case \d"
    r"|option \d|on the other hand|moving on|additionally|for the)\b"
    r"|首先|其次|然后|接下来|另外|不过|但是|所以|因此|最后|现在|再)",
    re.IGNORECASE,
)
"""The beginning of a new step of thought."""

DEFINES = re.compile(
    r"\s*(?:export |public |private |static |async |pub )*"
    r"(?:def|class|function|fn|func|struct|interface|type|enum)\s+(\w+)"
)
"""A line of code that gives something a name."""

_CODE_ENDS = (";", "{", "):")
_CODE_LINE = re.compile(
    r"\s*(?:def |class |import |from \S+ import|return\b|async def |@\w|#include|const "
    r"|let \w+ ?="
    r"|var |for ?\(|while ?\(|if ?\(|else\b|elif |try:|except|finally:|print\(|raise "
    r"|await |with \S+"
    r"|public |private |static |function |\}|\{|//|/\*|<\w+|\$ )"
    r"|\s*[\w.\[\]]+ ?=[^=].*[\])}\w\"']$|\s*[\w.]+\(.*\)\s*$",
)


def is_code(line: str) -> bool:
    """Whether a line looks like code although no fence says so."""
    return line.rstrip().endswith(_CODE_ENDS) or _CODE_LINE.match(line) is not None


TABLE_ROW = re.compile(r"^\s*\|.*\|\s*$|^[\s|:+=_*-]*$")
