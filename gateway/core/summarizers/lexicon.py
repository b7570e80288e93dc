"""What phrases do in reasoning: talk, conclude, suppose, take back. English and Chinese.

Other languages have data files; see :mod:`gateway.core.summarizers.phrases`. Each pattern is
anchored or has words that must be there, and no nested repetition: its time is linear. The patterns
are for text in small letters, because `re.IGNORECASE` makes them three times as slow.
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
        self.pattern = re.compile(pattern)
        self.words = tuple(words)
        self._start = re.compile(starts).match if starts else None

    def search(self, small: str) -> bool:
        """Whether it is in a text in small letters."""
        if self._start is not None and self._start(small):
            return True
        has_word = any(map(small.__contains__, self.words))
        return has_word and self.pattern.search(small) is not None


_SMALL_WORDS = (
    "a an the and or but if then so of in on at to for from by with as is are was "
    "were be been being it its this that these those i i'm i'll i'd you he she they "
    "we me my your our their his her them us not no do does did done have has had "
    "having will would can could should may might must there here what which who whom "
    "how when where why all any some each every both few more most other than too "
    "very just also only own same such into over under again further once out up down "
    "about because while until let let's that's it's there's what's don't doesn't "
    "isn't aren't okay hmm wait boxed 的 了 是 我 在 和 有 就 不 也 都 要 这 那 一 个 可 以 能 会 "
    "们 他 她 它 你 用 户 到 说 吧 呢 吗 啊 嗯 好 "
)
STOP = frozenset(_SMALL_WORDS.split())
"""Words without meaning of their own."""

LIST_MARK = re.compile(r"^[\s>]*(?:(?:[-*•·–—+]|#{1,6}|\(?\d{1,2}[.)]|\(?[a-zA-Z][.)])\s+)+")

OPENER = re.compile(
    r"^[\s,.…—–-]*(?:"
    r"(?:ok(?:ay)?|alright|all right|hmm+|hm|mm|um+|uh|wait|well|so|now|oh|ah|aha|yeah"
    r"|yep|actually|note that"
    r"|but|and|also|then|therefore|thus|hence)(?:\s*[,.:;!…—–-]+\s*|\s+)"
    r"|(?:yes|no|right|good|great|cool|perfect|correct|got it|sure|hold on|first(?:ly"
    r"| off| of all)?"
    r"|second(?:ly)?|third(?:ly)?|fourth|fifth|sixth|seventh|eighth|ninth|tenth|next"
    r"|finally|lastly|let's see|let me (?:see|think|check|verify)"
    r"|let's (?:think|check)|anyway|i mean|like|then again|still|again|indeed|of course"
    r"|interesting(?:ly)?|similarly|besides|however|additionally|moreover|furthermore|in fact"
    r"|(?:case )?context|internal thinking|explanation|background|analysis|reasoning|summary|note"
    r"|revised|basically|essentially|importantly|for now|to be (?:clear|sure|thorough)|q|a)"
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
)
"""One opener of thinking aloud; a sentence may have several."""

_VALUE = (
    r"\s+(?:(?:about|around|approximately|exactly|just|simply|option|choice)\s+)?[*(]*"
    r"(?:[-−]?\d|[\"“'‘`$\\√π]|[a-z]\s*[-+*/=^]|[b-hj-z]\b|a\b(?! )|(?:yes|no|true|false"
    r"|zero|one|two|three|four|five|six|seven|eight|nine|ten)\b)"
)
"""A number, a quotation, a formula or the letter of an option."""

_OF_FORM = (
    r"(?!\s+(?:also |both |very )?(?:accurate|brief|clear|complete|concise|consistent|direct|easy"
    r"|formatted|friendly|helpful|polite|ready|short|simple|structured|useful|well)\b)"
)
ANSWERS = Cue(
    r"\banswer\s+(?:(?:is|would be|must be)\b"
    + _OF_FORM
    + r"|should be"
    + _VALUE
    + r")|\banswer\s?:\s*[\w$\\*(`]|\\boxed"
    r"|\bfinal answer\W*(?:is\b|[:=])|\bthe result is\b|答案[是为应：:]",
    ("answer", "boxed", "the result is", "答案"),
    starts=r"(?:answer|result|final (?:score|rating|grade|verdict|line))\s*:"
    r"|(?:结论|结果)[是为：:]",
)
"""A statement of the answer."""

PLACEHOLDER = re.compile(r"<\w{2,20}>")
"""The form of an answer rather than an answer."""

CHOOSES = Cue(
    r"\b(?:i(?:'ll| will| think i'll| should) (?:go|stick|settle|stay) with\b|i(?:'ll| will) use\b"
    r"(?! (?:markdown|headers|headings|bullet|bold|emojis?|tables?)\b)"
    r"|i(?:'ll| will| am going to)? (?:choose|pick|conclude|rate|decline|refuse)\b"
    r"|we(?:'ll| will| can)? (?:choose|pick|go with|use|conclude)\b"
    r"|let(?:'s| me) (?:choose|pick|go with|settle on)\b"
    r"|i (?:should|would|must) (?:choose|pick|select)\b"
    r"|response (?:should|must|will) (?:be|politely)"
    r"|answer (?:(?:must|will) (?:be|politely)|should (?:politely|be" + _VALUE + r"))"
    r"|i can(?:'t|not) (?:help|assist|comply)"
    r"|i'd (?:say|rate|go|give)\b|(?:final )?(?:score|rating|grade|verdict)\W{1,4}\d)",
    (
        *("go with", "stick with", "settle with", "settle on", "stay with", " use", "choose"),
        *(" pick", "select", "conclude"),
        *(" rate", "decline", "refuse", "response", "answer", "help", "assist", "comply", "i'd"),
        *("score", "rating", "grade", "verdict"),
    ),
)
"""A choice, a score, a verdict or a refusal."""

CALLS = re.compile(
    r"(?:(?:i|we)(?:'ll| will| should| must| can| could| need to| have to| am going to|'m going to"
    r"| are going to)|let me|let's|will|need to|should)\s+(?:(?:now|also|first|just|then|simply) )*"
    r"(?:call|use|invoke|run|execute|make(?! sure)|do)\b[^.]{0,60}?"
    r"(?:\b(?:function|tool|command|quer(?:y|ies)|calls?)\b|\w_\w|\w\(|`)",
)
"""A tool that is chosen."""

_VERDICTS = (
    "compliant noncompliant true false yes valid invalid correct incorrect safe unsafe supported "
    "refuted approved rejected pass passed fail failed positive negative neutral"
)
_VERDICT_WORDS = frozenset(_VERDICTS.split())
_VERDICT = re.compile(
    rf"\b(?:is|are|was|were|be|considered|[Vv]erdict|VERDICT)(?: [a-z]+)?:? \**(?:NON-)?"
    rf"(?:{_VERDICTS.upper().replace(' ', '|')})\b"
)


def gives_verdict(text: str, words: Iterable[str]) -> bool:
    """Whether a sentence gives a verdict in capitals: "The case is NONCOMPLIANT".

    words: its words in lower case.
    """
    return not _VERDICT_WORDS.isdisjoint(words) and _VERDICT.search(text) is not None


CONCLUDES = re.compile(
    r"(?:therefore|thus|hence|in conclusion|in summary|to summari[sz]e|overall"
    r"|ultimately)\b|so i'll|i've decided|i'm going with|i'll (?:assume|treat|pivot|avoid)"
    r"|so,? (?:the |it's |yes|no\b|that's )|因此|综上|总之|结论|所以",
)
"""The beginning of a conclusion."""

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
)
"""A possibility that is only mentioned."""

BEGINS = re.compile(
    r"(?:(?P<so>so)|(?P<therefore>therefore|thus|hence|as a result|in conclusion|overall"
    r"|ultimately|in summary|因此|所以|综上|总之)"
    r"|(?P<since>since|because|given|as))(?:\b|(?=[\u3400-\u9fff]))",
)
"""The word that joins a sentence to those before it."""

BECAUSE = frozenset(["because", "since", "due", "therefore", "thus", "hence"])
FINAL = frozenset(["final", "conclusion", "overall", "ultimately", "settle", "go", "stick"])

SUBORDINATE = re.compile(
    r"(?:because|since|although|though|whereas|given that)\b[^,，;:—–]*$"
    r"|(?:(?:even )?if|when|while|unless|as long as)\b(?!.*\bthen\b)[^,，;:—–=→]*$|or\b",
)
"""A clause that belongs to another sentence."""

_PHRASE = re.compile(
    r"(?!(?:every|some|any|no)thing|accord|assum|consider|dur|follow|includ|regard)[a-z-]{2,20}ing\b"
    r"(?!.*(?:[,:;=—–]|\b(?:is|are|was|were|has|have|had|will|would|can|could|should|must|may|do"
    r"|does|did|gives?|makes?|means?|needs?|leads?|yields?|requires?|results?)\b))"
    r"|`[^`]*`\W*$|\w+\([^()=]*\)\W*$",
)
_TOPIC = re.compile(
    r"(?:what|how|when|where|why|which|who(?:m)?) (?:not )?to\b"
    r"|(?:(?:brief |short |an? |the )?(?:introduction|overview|background|summary|recap|tips|steps"
    r"|definition|examples?|explanation|importance|list) (?:to|of|on|for|about)\b)"
    r"(?!.*\b(?:is|are|was|were|has|have|will|would|can|could|should|must)\b)",
)


def is_phrase(small: str) -> bool:
    """Whether it names an activity or is only code: "checking both sides.", "add(x, 1)"."""
    return _PHRASE.match(small) is not None


def names_topic(small: str) -> bool:
    """Whether it is a heading: what a part of the answer is about."""
    return _TOPIC.match(small) is not None


_POINTS = re.compile(
    r"\b(?:with|for|of|by|in|on|to|from|about|containing|using|[a-z]+ing) (?:exactly |just )?"
    r"(?:this|that|these|those)(?: \w+)?\W*$",
)
_LEANS = re.compile(
    r"(?:it|which|this|that|they|these|those|he|she|its|their|his|her|both|neither"
    r"|in (?:that|this|such) (?:case|scenario|situation)|such"
    r"|the (?:former|latter|other|same|rest)\b)(?!\s+(?:is|seems) (?:not )?"
    r"(?:possible|impossible|clear|important|likely|true that|known|said)\b)\b"
    r"|(?:他|她|它|这|那)(?!里|个问题)",
)


def leans(small: str) -> bool:
    """Whether it points to an earlier sentence: with its first word, or its last."""
    return _LEANS.match(small) is not None or _POINTS.search(small) is not None


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
    r"\s+(?:seem|look|sound|feel|make|work|add|help|fit|match)"
    r"|scratch\s+that|oops|i\s+(?:made\s+a\s+mistake|was\s+wrong|misread|miscounted|messed\s+up)"
    r"|never\s*mind|contradiction"
    r"|不对|等等[，,]?\s*不|等一下[，,]?\s*不|错了|好像不对|这不对|不是这样)",
)
"""What takes back the sentence before it."""

DRAFTS = re.compile(
    r"\bdraft|\bi(?:'ll| will| can| could| should| would) (?:say|answer|write|respond"
    r"|reply|produce)"
    r"|\b(?:final|my|the) (?:response|answer|output|text|reply|version|plan|line"
    r"|verdict)\b[^.]{0,30}:"
    r"|^(?:response|answer|output|text|verdict|feedback|final \w+)\s*:|refin(?:e|ing|ed)\b.{0,30}:"
    r"|草稿|起草|最终输出|回复[:：]|构建.{0,6}回",
)
"""A heading or a phrase that a draft of the answer follows."""

RESTATES = re.compile(
    r"\b(?:analy[sz]e|analy[sz]ing|understand|understanding|deconstruct|identify|parse"
    r"|break down)\b"
    r".{0,12}\b(?:request|prompt|input|question|task|problem|query|constraint)s?\b"
    r"|分析用户|理解(?:用户|问题|请求)|识别意图",
)
"""A heading under which the prompt is restated."""

HEADING = re.compile(
    r"\s{0,3}(?:#{1,5}\s|\*\*|\d{1,2}[.)]\s+\*\*|\d{1,2}[.)]\s+[^\s.][^.]{0,60}[:：]\s*$)"
)
"""A line that begins a section."""

TITLE = re.compile(
    r"\s*(?:\d{1,2}[.)]\s+)?(?:#{1,6}\s[^.!?:=\d]{1,80}"
    r"|\*\*[^*.!?:=\d(]{1,80}(?:\([^)*]{1,80}\))?[.:]?\*\*\s*)$"
)
"""A heading that says nothing more: "**Determining the Weather**"."""

ANSWER_LABEL = re.compile(r"(?:\banswer|答案)[\s*:：]*$")
"""A line that says only that the answer comes next."""

DENIES = re.compile(
    r"(?!\W*(?:what|why|where)\b).*\b(?:(?:should|must|can|could|will|would|do|does|am|are|is|to)"
    r" not|cannot|\w+n't|never|avoid(?:ing)?|without|refrain from)(?: \w+){0,3}\W*$"
    r"|.*(?:不|避免)\w{0,6}\W*$"
)
"""In a line before a list, it turns what the list says around: "I should not:"."""

LEADS = re.compile(
    r"\b(?:answers?|results?|solution|conclusion|verdict|recommendation|decision|choice|total"
    r"|final \w+)"
    r"(?: [\w()]+){0,3} (?:is|are|would be|should be|must be|becomes)\W*$"
)
"""A line whose sentence the next line ends: "So the result is:"."""

SUPPOSITION = re.compile(
    r"(?:suppose|supposing|assume|assuming|imagine|what if|say\b|case \w+\b|scenario \w+\b|if\b"
    r"|假设|假如|如果)",
)
LET = re.compile(
    r"(?:suppose|supposing|assume|assuming|imagine|say|for (?:example|instance),? (?:if|let))\b"
    r"|假设|假如",
)
"""A supposition of which nothing follows yet."""

FOLLOWS = re.compile(r"(?:then|so|therefore|thus|hence|which|in that case|这样|那么)\b")
"""A sentence that holds only with the supposition before it."""

TURNS = re.compile(
    r"[\s*_>-]*(?:(?:first|second|third|next|then|finally|alternatively|another|also|but"
    r"|however|wait"
    r"|so|therefore|thus|now|okay|ok|hmm|let me|let's|in summary|overall|putting|step \d|case \d"
    r"|option \d|on the other hand|moving on|additionally|for the)\b"
    r"|首先|其次|然后|接下来|另外|不过|但是|所以|因此|最后|现在|再)",
)
"""The beginning of a new step of thought."""

TOOL_TEXT = re.compile(
    r"<(tool|output|search|information|observation|(?:tool|function|search)_\w{1,12})>",
    re.IGNORECASE,
)
"""The beginning of a call or a result that a server writes into the reasoning.

Seen: Groq's compound systems write `<tool>` and `<output>`, Search-R1 writes `<search>` and
`<information>` (arXiv 2503.09516).
"""

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
    r"|\s*[\w.\[\]]+ ?=[^=].*[\])}\w\"']$|\s*[\w.\[\]]+ [-+*/]= |\s*[\w.]+\(.*\)\s*$",
)


def is_code(line: str) -> bool:
    """Whether a line looks like code although no fence says so."""
    return line.rstrip().endswith(_CODE_ENDS) or _CODE_LINE.match(line) is not None


TABLE_ROW = re.compile(
    r"^\s*\|.*\|\s*$|^[\s|:+=_*-]*$|^\s*(?:[-*]\s+)?>\s"
    r"|^[\s*-]*(?:url|link|title|content|snippet|description|parameters?|schema|policy references?)"
    r"[\s*]*[:=]",
)
"""A row of a table, a quotation, a field of a search result or of a tool's description."""
