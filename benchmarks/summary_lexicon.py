"""Patterns by which the measures of summaries recognize talk, answers and retractions.

They are independent of the summarizer's own lexicon, so that a change there does not change the
measures.
"""

import re

_SMALL_WORDS = (
    "a an the and or but if then so of in on at to for from by with as is "
    "are was were be been being it its this that these those i i'm i'll i'd "
    "you he she they we me my your our their his her them us not no do does "
    "did done have has had having will would can could should may might "
    "must there here what which who whom how when where why all any some "
    "each every both few more most other than too very just also only own "
    "same such into over under again further once out up down about because "
    "while until let let's that's it's there's what's don't doesn't isn't "
    "aren't okay hmm wait 的 了 是 我 在 和 有 就 不 也 都 要 这 那 一 个 可 以 能 会 我 们 "
    "他 她 它 你 用 户 到 说 吧 呢 吗 啊 嗯 好 "
)
STOP = frozenset(_SMALL_WORDS.split())
"""Words without a meaning of their own."""

OPENER = re.compile(
    r"""
     ^(?:[\s*_#>\-–—•]*)(?:(?:ok(?:ay)?|alright|all\s+right|right|hmm+|hm|wait|well|so|now|oh
      |ah|yeah|yes|no|um|actually|but|and|also|let's\s+see|let\s+me\s+see|let's
      |let\s+me\s+think|first\s+off|good|great|cool|perfect|got\s+it|sure
      |hold\s+on)(?:\s*[,.:;!?—–-]+\s*|\s+))+
      |^(?:嗯|好的?|那么?|啊|哦|等等|等一下|对了|不过|那)[，,。\s]*
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Words that open a sentence of thinking aloud."""

META = re.compile(
    r"""
     ^(?:
     (?:let(?:'s|\s+me|\s+us)\s+(?:think|see|start|begin|try|check|verify|re-?check
      |double[- ]?check|consider|look|go|break|recall|re-?read|re-?examine|figure|parse
      |analy[sz]e|work|make\s+sure|confirm|approach|take|read|clarify|understand|recap
      |step\s+back|summari[sz]e|draft|write|outline|structure|do|first|just|now|test
      |re-?think|visuali[sz]e|list|note|put)\b)
     |(?:the\s+)?user(?:'s)?\s+(?:is\s+)?(?:ask|want|need|request|say|said|wrote|mention
      |provid|gave|seem|query|question|message|specif|may|might|would|could|has|just|also
      |probably|likely|here|appears|input|prompt)
     |i\s+(?:need|have|want|am\s+(?:trying|supposed|asked)|'?m\s+(?:trying|supposed
      |asked))\s+to\s+(?:figure|find\s+out|find|solve|determine|understand|think|answer
      |respond|make\s+sure|be\s+careful|consider|check|verify|recall|remember|know|explain
      |analy[sz]e|address|come\s+up|craft|create|generate|write|produce|provide|evaluate|do
      |see|break|start|look|decide)
     |i\s+(?:should|must|will|can|could|'ll)\s+(?:think|start\s+by|begin|check|verify|double
      |consider|make\s+sure|be\s+careful|recall|look|try|see|also\s+check|analy[sz]e|remember)
     |i(?:'m|\s+am)\s+(?:not\s+(?:entirely\s+|completely\s+|really\s+)?sure|a\s+bit
      |going\s+to|confused|wondering|thinking|pretty|overthinking|overcomplicating|just|getting)
     |i\s+(?:think|guess|wonder|remember|recall|believe|suppose|feel)\b(?:\s+(?:that(?:'s)?
      |so|it(?:'s)?|this|i|about|from))?(?:\s+(?:right|correct|it|good|covers|makes\s+sense
      |the\s+answer\s+is\s+right))?\W*$
     |(?:that|this|it)\s+(?:makes\s+sense|seems\s+(?:right|correct|good|reasonable
      |straightforward|tricky|odd|strange|like\s+a)|sounds\s+\w+
      |is\s+(?:a\s+)?(?:bit\s+)?(?:interesting|tricky|confusing|straightforward|right|correct
      |good|fine|classic)|checks\s+out|looks?\s+(?:right|good|correct))\W*$
     |(?:the\s+)?(?:question|problem|prompt|task|query)\s+(?:is\s+asking|asks?|is|says|states
      |here|seems)\b
     |(?:looking|going)\s+(?:back\s+)?(?:at|through|over)\b
     |(?:yes|no|correct|right|good|done|exactly|ok|okay|got\s+it|great|perfect|maybe\s+not
      |not\s+sure|hmm+|wait)\W*$
     |(?:(?:i(?:'ll|\s+will|\s+can|\s+should)?|we(?:'ll|\s+will|\s+can|\s+should)?|let's
      |just)\s+)?(?:now\s+|then\s+|also\s+)?(?:produce|deliver|state|provide|present
      |finali[sz]e|output|proceed|answer|respond|go\s+with\s+that|write\s+(?:the|a|it|out
      |up))\b(?:\s+\w+){0,5}\W*$
     |(?:ready|done|now\s+answer|final\s+(?:answer|output|response|decision|version))\W*$
     |(?:here(?:'s|\s+is)\s+(?:my|the|a)\s+(?:thinking|thought|thinking\s+process|response
      |draft|plan|attempt))
     |(?:thinking\s+process|analy[sz]e\s+the\s+(?:user|request|prompt|input)
      |draft(?:ing)?\s+the\s+response|final\s+(?:polish|check|review))
     |用户(?:问|想|要|让|需|可能|说|提|现在|希望|的)|让我
     |我(?:需要|得|应该|要|现在|想)(?:先|再|来)?(?:想|看|确认|考虑|理解|分析|回忆|检查|仔细|确定|明确|弄清|回顾|整理)
     |(?:首先|接下来|然后|最后)[，,]?\s*(?:我)?(?:需要|得|应该|要)?(?:先|再)?
      (?:想|看|确认|考虑|理解|分析|回忆|检查|确定|明确|弄清|回顾|整理)
     )
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Sentences about the work of answering."""

RETRACTS = re.compile(
    r"""
     ^(?:(?:oh|ah|hmm+|ok(?:ay)?|but|and|so|well)[,.!\s]+)*(?:
     wait[,.!\s—–-]+(?:no\b|that(?:'s|\s+is)\s+(?:not|wrong|incorrect)|that\s+(?:can't
      |doesn't|isn't)|this\s+(?:can't|doesn't|isn't|is\s+(?:not|wrong))|actually|i\s+(?:made
      |think\s+i\s+made|messed|mis|was\s+wrong)|maybe\s+(?:not|i\s+(?:made|mis)))
     |no[,.!]\s+(?:wait|that|this|it|not|the)\b|(?:that|this)(?:'s|\s+is)\s+(?:not\s+(?:right
      |correct|possible|true)|wrong|incorrect|a\s+contradiction)
     |that\s+(?:can't|cannot)\s+be\s+right|that\s+(?:doesn't|does\s+not)\s+(?:seem\s+right
      |make\s+sense|work|add\s+up)|scratch\s+that|oops|i\s+(?:made\s+a\s+mistake|was\s+wrong
      |misread|miscounted|messed\s+up)|never\s*mind
     |不对|等等[，,]?\s*不|等一下[，,]?\s*不|错了|好像不对|这不对)
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Sentences that take back the sentences before them."""

ANSWERS = re.compile(
    r"\b(?:(?:final|correct|right)?\s*answer\s+(?:is|should be|would be|must be|:)|\\boxed"
    r"|final answer|the result is)|答案[是为应：:]",
    re.IGNORECASE,
)
"""A statement of the answer."""
