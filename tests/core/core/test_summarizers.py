"""Summaries say what was stated, within their budget, whatever the pieces."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import Detail
from gateway.core.summarizers import (
    BUDGET_WORDS,
    SUMMARIZERS,
    ExtractiveSummarizer,
    Summary,
    lexicon,
    prompt_of,
)
from gateway.core.summarizers.sentences import sentences
from gateway.core.summarizers.statements import GivenText, Place, judge
from gateway.core.summarizers.text import words
from tests.core.cuts import cut, places
from tests.core.work import assert_grows
from tests.machine import cpu_within

LONG = """Okay, let me figure out what the user wants here. The train leaves at 9:40.
It arrives at 11:10, so the journey takes 90 minutes in total.
Hmm, wait. The distance is 120 km between both cities.
Speed is distance divided by time, so 120 / 1.5 = 80 km/h for the whole way.

Maybe there is a stop that I should take into account? The problem names no stop at all.
Let me check the times again. From 9:40 to 11:10 there are exactly 90 minutes, or 1.5 hours.
Multiplying back, 80 km/h times 1.5 hours gives 120 km, which is the distance.
Therefore, the average speed of the train is 80 km/h.
"""


def summarize(name: str, pieces: list[str], budget: int = 60) -> tuple[list[str], Summary]:
    summarizer = SUMMARIZERS[name]("How fast is the train?", budget)
    lines = [line for piece in pieces for line in summarizer.feed(piece)]
    summary = summarizer.close()
    return lines + list(summary.lines), summary._replace(lines=())


@pytest.mark.parametrize("name", SUMMARIZERS)
class TestEverySummarizer:
    def test_short_reasoning_is_its_own_summary(self, name: str) -> None:
        text = "I should greet in one sentence and keep it short."
        assert summarize(name, [text]) == ([], Summary(text, text))

    def test_no_reasoning_gives_nothing(self, name: str) -> None:
        assert summarize(name, []) == ([], Summary("", ""))
        assert summarize(name, [" \n"]) == ([], Summary("", ""))

    @pytest.mark.parametrize("detail", BUDGET_WORDS)
    def test_a_summary_keeps_its_budget_and_states_the_conclusion(
        self, name: str, detail: Detail
    ) -> None:
        _, summary = summarize(name, [LONG * 5], BUDGET_WORDS[detail])
        assert 0 < words(summary.text) <= BUDGET_WORDS[detail]
        assert "average speed of the train is 80 km/h" in summary.text
        assert "Okay" not in summary.text

    def test_live_lines_come_while_the_model_thinks(self, name: str) -> None:
        lines, _ = summarize(name, [LONG, PADDING])
        assert len(lines) >= 2
        assert all(line == line.strip() and "\n" not in line for line in lines)

    @given(text=st.text(max_size=400), where=places)
    def test_any_text_in_any_pieces(self, name: str, text: str, where: list[int]) -> None:
        whole = summarize(name, [text])
        assert summarize(name, cut(text, where)) == whole
        assert words(whole[1].text) <= 60

    @given(where=places)
    def test_no_cut_changes_the_summary(self, name: str, where: list[int]) -> None:
        assert summarize(name, cut(LONG, where)) == summarize(name, [LONG])

    @pytest.mark.work
    @pytest.mark.parametrize("unit", ["a", "a ", "字", "**", "ก ", "The tank holds 40 litres. "])
    def test_a_piece_of_four_times_the_length_takes_four_times_as_long(
        self, name: str, unit: str
    ) -> None:
        shorter, longer = (unit * (length // len(unit)) for length in (50_000, 200_000))
        assert_grows(lambda text: summarize(name, [text]), shorter, longer, times=8, more_s=0.02)

    @pytest.mark.work
    @pytest.mark.parametrize("piece", ["a", "a ", "word. ", "\n", "```\n", "。"])
    def test_long_texts_take_linear_time(self, name: str, piece: str) -> None:
        with cpu_within(3):
            summarize(name, [piece * 100] * 300)


def extractive(text: str, prompt: str = "", budget: int = 60) -> tuple[list[str], Summary]:
    summarizer = ExtractiveSummarizer(prompt, budget)
    return summarizer.feed(text), summarizer.close()


FILLER = "The tank of the red lorry holds exactly {} litres of diesel fuel on day {}.\n"
PADDING = "".join(FILLER.format(100 + 7 * day, day) for day in range(30))


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Okay, so the ball costs 5 cents.", "The ball costs 5 cents."),
        ("**Result:** the ball costs 5 cents", "Result: the ball costs 5 cents."),
        ("Sixth, the ball costs 5 cents.", "The ball costs 5 cents."),
        ("Revised: the ball costs 5 cents.", "The ball costs 5 cents."),
        ("1.  Hmm, wait, well, the ball costs 5 cents.", "The ball costs 5 cents."),
        ("No alarm was heard there.", "No alarm was heard there."),
        ("嗯，这个球的价格是五分钱。", "这个球的价格是五分钱。"),
        ("get_user(id) returns the row.", "get_user(id) returns the row."),
        ("The *price* is 79 * 5 = 395 * 1.", "The price is 79 * 5 = 395 * 1."),
        ("The **delay** is 2 ** 3 or x**3.", "The delay is 2 ** 3 or x**3."),
        ("**The delay** is `1 * (2 ** n)`.", "The delay is `1 * (2 ** n)`."),
        ("这个球的**价格**是五分钱。", "这个球的价格是五分钱。"),
        ("The support number is 0958✅.", "The support number is 0958✅."),
        ("x = 5 follows from that.", "x = 5 follows from that."),
        ("The ball costs **$5** more.", "The ball costs $5 more."),
        ('Therefore, the ball costs $5 more."', "The ball costs $5 more."),
        ("It’s clear that the ball is red.", "The ball is red."),
        ("a + b = 0 as the ball is red.", "a + b = 0 as the ball is red."),
        ("https://ball.example is red.", "https://ball.example is red."),
        ("**Note:** the ball gets an __init__", "The ball gets an __init__"),
        ("__Result__: the ball is red.", "Result: the ball is red."),
        ("The ball is COMPLIANT because the bat:", "The ball is COMPLIANT."),
        ("Note that the tins are full.", "The tins are full."),
        ("$$\na = b\n$$", "$$ a = b $$"),
    ],
)
def test_openers_and_marks_are_taken_off(said: str, shown: str) -> None:
    assert extractive(said)[1].text.rstrip(".") == shown.rstrip(".")


@pytest.mark.parametrize(
    "talk",
    [
        "Let me think about how to solve it.",
        "Let’s think about how to solve it.",
        "The answer is ready.",
        "I've covered all of the tins.",
        "I'll use markdown headers, bold for key points, and write in Spanish.",
        "Ensure no extra text.",
        "Constraint check: only the number.",
        "The user wants to know the price of the ball.",
        "I need to figure out what the ball costs here.",
        "让我仔细想一想这个问题应该怎么解决。",
        "Write the final line in the required format with the answer.",
        "So the last line should be exactly that word.",
        "Use the same indentation and style as the file.",
        "We need JSON with two findings in it.",
        "This approach aligns with all the safety rules there.",
        "So the calculations are accurate.",
        "Perhaps the user meant another kind of tank.",
        "(Polite, welcoming and direct for a first line.)",
        "The policy also states that tanks of diesel fuel are allowed.",
        "It says I can't share what the lorry carries without permission.",
        "I will give the steps, then the reason for each.",
        "Need to present the 30 days clearly and concisely.",
        "This should comply with the rules for diesel fuel.",
        "还要注意燃料的价格，读者可能会问。",
        "URL: https://weather.example/cities/10/days",
        "最后留个钩子比较稳妥，读者会喜欢。",
        "检查是否有遗漏的步骤或材料。",
    ],
)
def test_talk_and_notes_on_form_are_not_shown(talk: str) -> None:
    lines, summary = extractive(PADDING + f"{talk}\n" * 3 + PADDING)
    assert not any(talk[:20] in line for line in [*lines, summary.text])


def test_a_choice_shows_what_is_chosen() -> None:
    text = f"{PADDING}The smaller lorry carries 733 litres of oil.\nI'll go with that.\n"
    _, summary = extractive(text)
    assert "733" in summary.text
    assert "go with that" not in " ".join(summary[:2])


@pytest.mark.parametrize(
    "chosen",
    [
        "Let me choose the red lorry for a trip of 733 km.",
        "I should choose option B with its 733 litres.",
        "The tank of lorry 733 is INVALID.",
        "Verdict: VALID for lorry 733.",
        "I'll call the fill_tank tool for lorry 733.",
    ],
)
def test_a_choice_a_verdict_and_a_tool_are_results(chosen: str) -> None:
    lines, summary = extractive(f"{PADDING}{chosen}\n")
    assert "733" in summary.text
    assert "733" in " ".join([*lines, *summary.lines, summary.closing])


@pytest.mark.parametrize(
    "fragment",
    [
        "Because the red tanks of the lorries have no lids.",
        "Or the lids of the red tanks are lost.",
        "If the lids of all the red tanks are lost.",
        'The label says: "The lids of the red tanks',
        "The label says “The lids of the “red tanks.",
        "So the lids of the red tanks are …",
        "**Checking the Lids of the Red Tanks**",
        "I should describe the lids of the red tanks.",
        "Maybe mention the lids of the red tanks first.",
        "Checking the lids of all the red tanks.",
        "`the lids of all the red tanks`.",
        "lids += 1",
        "5. **No Lids and Other Tanks**",
        "**Lids of the Tanks (Rules: Section on Tanks).**",
        "> The lids of the red tanks are lost.",
        "- **Description:** The lids of the red tanks, as a list.",
        "The lids of the tanks are red,",
        "lids(of_tanks, red)",
        "Likely need to describe the lids of the red tanks.",
        "I should make sure the answer is brief and names the lids.",
        "User did not ask for the lids of the red tanks.",
    ],
)
def test_fragments_headings_and_plans_are_not_shown_beside_statements(fragment: str) -> None:
    lines, summary = extractive(PADDING + f"\n{fragment}\n\n" + PADDING)
    assert not any("lids" in text.lower() for text in [*lines, *summary.lines, summary.text])


def test_a_question_is_no_result() -> None:
    _, summary = extractive(PADDING + "What could the price of the ball be in the end?\n" * 3)
    assert "What could" not in " ".join([summary.text, summary.closing])


@pytest.mark.parametrize(
    "taken_back",
    ["Wait, no, that's wrong.", "No, that is not right.", "Scratch that.", "不对，算错了。"],
)
def test_what_is_taken_back_is_not_shown(taken_back: str) -> None:
    text = f"{PADDING}Therefore, the answer is 999 litres.\n{taken_back}\n{PADDING}"
    lines, summary = extractive(text)
    assert not any("999" in line for line in [*lines, *summary])


def test_the_last_answer_is_the_one_that_counts() -> None:
    text = f"{PADDING}The answer is 410 litres.\n{PADDING}So the answer is 733 litres.\n"
    _, summary = extractive(text)
    assert "733" in summary.text
    assert "410" not in summary.text


def test_what_is_only_thought_of_is_no_conclusion() -> None:
    text = f"{PADDING}So the answer is 733 litres.\nMaybe the answer is 999 litres.\n"
    _, summary = extractive(text)
    assert "answer is 733" in summary.text
    assert "999" not in summary.closing


def test_the_closing_is_what_the_lines_do_not_show() -> None:
    lines, summary = extractive(f"{PADDING}So the answer is 733 litres.\n")
    assert lines
    assert summary.closing == "The answer is 733 litres."


@pytest.mark.parametrize(
    "result",
    [
        "Given the doubt, I'll go with the usual reading and answer Yes, because of the costs.",
        "Hence the last station sells exactly 42 of all the tickets.",
    ],
)
@pytest.mark.parametrize("budget", [30, 60, 120])
def test_a_result_that_is_recognized_is_in_the_summary(result: str, budget: int) -> None:
    """Other statements speak more of what the whole reasoning speaks of."""
    _, summary = extractive(f"{PADDING}{result}\nThe user may like it.\n", budget=budget)
    assert summary.closing in ("", result) or result.endswith(summary.closing[1:])
    assert result.split()[-1] in summary.text


def test_lines_that_repeat_the_prompt_are_not_in_the_summary() -> None:
    prompt = "The old bridge carries four walkers and one single lamp across the dark river."
    _, summary = extractive(prompt + "\n" + PADDING, prompt)
    assert "old bridge" not in summary.text


def test_code_is_named_by_its_size_and_names() -> None:
    code = "```python\n" + "def add(a, b):\n    return a + b\n\n" * 40 + "```\n"
    lines, summary = extractive(PADDING + code * 2 + PADDING)
    assert any(line.startswith("⟨python, ") and "add" in line for line in lines)
    assert "return a + b" not in " ".join([*lines, summary.text, summary.closing])


@pytest.mark.parametrize(
    "span", ["`first. Second thing`", "$a. B$", "\\(a. B\\)", "\\[\nx. Y\n\\]", "$$\nx\n\n$$"]
)
def test_formulas_and_code_are_never_cut(span: str) -> None:
    text = PADDING + f"The lorry number {span} is blue and 12 metres long.\n" * 4
    lines, summary = extractive(text, budget=30)
    for shown in [*lines, summary.text]:
        assert shown.count("`") % 2 == 0
        assert shown.count("$") % 2 == 0
        assert shown.count("\\(") == shown.count("\\)")
        assert shown.count("\\[") == shown.count("\\]")


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("One. Two! Three? Four… Five", 5),
        ("e.g. this one, Dr. Who, No. 5 and 3.14 go on", 1),
        ("一。二！三？四；五", 5),
        ("پہلا جملہ۔ دوسرا جملہ؟ تیسرا", 3),
        ("पहला वाक्य। दूसरा वाक्य॥ तीसरा", 3),
        ("`a. B` and \\(c. D\\) and E", 1),
        ("```\na. B\nc\n```", 4),
        ('He said "Go." Then he left.', 2),
        ("He needs 8 tins.**Counting the tins**", 2),
        ('He said "Eight!"**Ändern** the count?', 2),
        ("**Note.**Next he opens a tin.", 1),
        ("**Note.** Next he opens a tin.", 2),
        ("The sum is 2.**bold** and 3.**4** and 5!**Next**", 2),
        ("It is e.g.**Tin** or 1.***Jar***", 1),
        ("`a.**B`", 1),
    ],
)
def test_where_sentences_end(text: str, ends: int) -> None:
    assert len(sentences(text)) == ends


def test_watching_is_quiet_but_never_silent() -> None:
    summarizer = ExtractiveSummarizer("", 60)
    shown_at = [0.0]
    at = 0.0
    for day in range(1000):
        text = FILLER.format(100 + 7 * day, day).replace("red", f"lorry{day} from town{day % 37}")
        at += len(text) / 4
        shown_at += [at] * len(summarizer.feed(text))
    gaps = [b - a for a, b in pairwise(shown_at)]
    assert 45 <= shown_at[1] <= 70
    assert max(gaps) <= 350
    assert 2.5 <= 1000 * len(gaps) / shown_at[-1] <= 6


def test_a_snapshot_changes_nothing() -> None:
    watched, alone = ExtractiveSummarizer("", 60), ExtractiveSummarizer("", 60)
    for _ in range(20):
        assert watched.feed(LONG) == alone.feed(LONG)
        assert words(watched.snapshot(30)) <= 30
    assert watched.close() == alone.close()


def test_the_summary_of_a_long_reasoning_is_ready_at_once() -> None:
    summarizer = ExtractiveSummarizer("", 60)
    for day in range(5000):
        summarizer.feed(FILLER.format(100 + 7 * day, day).replace("red", f"lorry{day}"))
    with cpu_within(0.05):
        summarizer.close()


def test_a_pronoun_is_not_shown_without_what_it_stands_for() -> None:
    pronoun = "It burns 42 litres of heavy diesel fuel uphill."
    named = "The tractor burns 43 litres of heavy diesel fuel downhill."
    text = f"{PADDING}{pronoun}\nYes.\nNo.\nYes.\n{named}\n{PADDING}"
    assert "It burns" not in extractive(text, budget=30)[1].text


def test_a_pronoun_brings_the_statement_that_it_stands_for() -> None:
    named = "The tractor of the winery burns diesel."
    pronoun = "It burns 42 litres of heavy diesel fuel uphill, the most of all machines."
    text = f"{PADDING}{named} {pronoun}\n{PADDING}"
    for budget in range(24, 60):  # a smaller one holds only the result
        shown = extractive(text, budget=budget)[1].text
        assert (pronoun in shown) <= (named in shown)
    assert pronoun in shown


def test_a_lonely_pronoun_shows_the_sentence_before_it() -> None:
    assert extractive("Oh, a shooting star! It is bright and fleeting.")[1].text == (
        "A shooting star! It is bright and fleeting."
    )


@pytest.mark.parametrize("name", SUMMARIZERS)
def test_the_systems_instructions_are_not_repeated(name: str) -> None:
    rule = "Always add four litres of oil to the red tank before the trip."
    prompt = prompt_of(
        [
            {"role": "system", "content": f"Be brief. {rule}"},
            {"role": "user", "content": "Is there oil in the tank?"},
        ]
    )

    def shows_rule(instructions: str) -> bool:
        summarizer = SUMMARIZERS[name](prompt.text, 60)
        summarizer.leave_out(instructions)
        summarizer.feed(f"{PADDING}{rule}\n{PADDING}")
        return rule in summarizer.close().text

    assert shows_rule("")
    assert not shows_rule(prompt.instructions)


@pytest.mark.parametrize("tag", ["output", "tool", "information", "search_results"])
def test_what_a_tool_wrote_is_not_the_models_thought(tag: str) -> None:
    found = "Score: 0.9655\nTanks have lids of 733 mm.\n\nThe lids are sold on Sundays."
    lines, summary = extractive(f"{PADDING}\n<{tag}>{found}\n</{tag}>\n\n{PADDING}")
    assert "lids" not in " ".join([*lines, *summary.lines, summary.text])


def test_a_tag_that_a_tool_does_not_close_hides_not_all() -> None:
    _, summary = extractive("<output>\n" + "Tank 4 holds 733 litres of oil.\n" * 500)
    assert "733" in summary.text


@pytest.mark.parametrize(
    "amount",
    ["The bat costs $1.00 more.", "The $resource costs 3 pence.", "It is $100M, as $x = 3$."],
)
def test_a_dollar_sign_of_an_amount_or_a_name_opens_no_formula(amount: str) -> None:
    assert amount in extractive(f"The lamp has four red tins. {amount}")[1].text


def test_a_line_that_ends_at_a_colon_is_shown_with_its_result() -> None:
    ended = extractive(f"{PADDING}So the final result is:\n\n$$x = 77$$\n\nThat is all.")[1]
    assert "The final result is: $$x = 77$$" in ended.text


@pytest.mark.parametrize(
    "between", ["Let me check that again.\n", "```\nx = 1\n```\nThe tins weigh 3 kg.\n"]
)
def test_a_line_that_ends_at_a_colon_is_joined_to_nothing_else(between: str) -> None:
    ended = extractive(f"{PADDING}So the final result is:\n\n{between}The lamp is red.")[1]
    assert "result is" not in ended.text


@pytest.mark.parametrize("lead", ["I must NOT:", "I should avoid:", "Hmm. The lamp doesn't need:"])
def test_a_list_of_what_is_not_so_is_not_shown_as_if_it_were(lead: str) -> None:
    told = f"The lamp has four red tins.\n{lead}\n- Oil of 20 degrees\n- A copper wick\n"
    assert extractive(told)[1].text == "The lamp has four red tins."
    after = extractive(f"{told}The tins weigh 3 kg.")[1].text
    assert after == "The lamp has four red tins. The tins weigh 3 kg."


@pytest.mark.parametrize(
    ("tally", "shown"),
    [
        ("La (90) casa (91) es (92) roja (93).", False),
        ("The lamp is named: ✓", False),
        ("So the order is Cara (1), Ana (2), Eve (3).", True),
    ],
)
def test_a_tally_is_shown_only_as_a_conclusion(tally: str, shown: bool) -> None:
    summary = extractive(f"The lamp has four red tins. {tally}")[1].text
    assert (summary != "The lamp has four red tins.") is shown


@pytest.mark.parametrize("bare", ["9/20.", "4, 3, 2.", "S (1), T (2).", "$4 + 3$."])
def test_numbers_without_a_word_or_a_relation_are_not_shown(bare: str) -> None:
    assert (
        extractive(f"The lamp has four red tins. {bare}")[1].text == "The lamp has four red tins."
    )


THAI = "รถไฟออกเวลาเก้าโมงและถึงเวลาสิบเอ็ดโมง ดังนั้นการเดินทางใช้เวลาสองชั่วโมง "
LAO = "ລົດໄຟອອກເວລາເກົ້າໂມງແລະຮອດເວລາສິບເອັດໂມງ ສະນັ້ນການເດີນທາງໃຊ້ເວລາສອງຊົ່ວໂມງ "
KHMER = "រថភ្លើងចេញនៅម៉ោងប្រាំបួននិងមកដល់នៅម៉ោងដប់មួយ ដូច្នេះការធ្វើដំណើរចំណាយពេលពីរម៉ោង "
BURMESE = "ရထားသည်ကိုးနာရီတွင်ထွက်ပြီးဆယ့်တစ်နာရီတွင်ရောက်သည် ထို့ကြောင့်ခရီးသည်နှစ်နာရီကြာသည် "
UNPUNCTUATED = "the train leaves at nine and arrives at eleven so the trip takes two hours "
TALK = "Let me think about how to solve it.\nThe user wants to know the price.\n"
HEADED = "**Analyzing the problem**\n\n" + "The train covers sixty kilometres in each hour. " * 20


@pytest.mark.parametrize("times", [1, 5, 100])
@pytest.mark.parametrize(
    "unit",
    [
        *(THAI, LAO, KHMER, BURMESE, UNPUNCTUATED, TALK, HEADED),
        *("```python\nx = 1\n```\n", "x = f(1);\n", "what?\n", "| a | b |\n", "$x + y$ ", "?! "),
    ],
    ids=[
        *("Thai", "Lao", "Khmer", "Burmese", "unpunctuated", "talk", "one heading"),
        *("fenced code", "bare code", "a question", "a table", "formulas", "marks alone"),
    ],
)
def test_any_reasoning_has_a_summary(unit: str, times: int) -> None:
    _, summary = extractive(unit * times)
    assert summary.text.strip()
    assert words(summary.text) <= 60


@pytest.mark.parametrize("unit", [THAI, LAO, KHMER, BURMESE])
def test_scripts_without_full_stops_have_sentences(unit: str) -> None:
    lines, summary = extractive(unit * 40)
    assert lines
    assert summary.text == unit.strip() or unit.startswith(summary.text.strip("….").strip())


def test_no_line_repeats_another() -> None:
    lines, _ = extractive(HEADED * 20)
    assert len(lines) == len(set(lines)) == 1


@pytest.mark.work
def test_a_huge_text_at_once_takes_no_longer_than_a_long_one() -> None:
    def summarize(text: str) -> None:
        summarizer = ExtractiveSummarizer("What is 2+2?", 60)
        summarizer.feed(text)
        summarizer.feed("Therefore the result is 4.\n\n")
        assert "result is 4" in summarizer.close().text

    assert_grows(summarize, 20_000 * "Think. ", 400_000 * "Think. ", times=2)


@pytest.mark.parametrize(
    ("reasoning", "shown"),
    [
        (
            'The user wants the price in Kiel. I\'ll call the get_price tool with "Kiel".',
            'I\'ll call the get_price tool with "Kiel".',
        ),
        (
            "Let me check. The tool takes a town and a day as strings. No need for more here. "
            "Just format the call correctly. I should call the price function with both.",
            "The tool takes a town and a day as strings. "
            "I should call the price function with both.",
        ),
        (
            "**Checking the price**\n\nThe price of diesel has two parts.\n\n",
            "The price of diesel has two parts.",
        ),
        (
            "I have both results:\n- add(2, 3) = 5\n- multiply(2, 3) = 6\n\nI'll show them.",
            "add(2, 3) = 5. multiply(2, 3) = 6.",
        ),
        (
            'The system prompt says: "Add first. Multiply the tins by two, then answer in Danish." '
            "The tins weigh 3 kg.",
            "The tins weigh 3 kg.",
        ),
        (
            "12 * 7 = (10 + 2) * 7\n= 70 + 14\n\nSo 12 * 7 = 84.",
            "12 * 7 = (10 + 2) * 7. 12 * 7 = 84.",
        ),
        ("City: Kiel\nState: Holstein\n\nLet me submit this.", "City: Kiel. State: Holstein."),
        (
            "They probably want a greeting. Keep it simple. Should be one sentence. No markdown. "
            "I should greet them in Danish.",
            "I should greet them in Danish.",
        ),
        (
            'The user says: Reply with Kiel. So output "Kiel" exactly. No markdown.',
            'Output "Kiel" exactly.',
        ),
        (
            'The user wants one word: "Kiel". I need to reply with exactly that.',
            'The user wants one word: "Kiel". I need to reply with exactly that.',
        ),
        (
            "The tin is empty. The red tin is empty since Sunday. That feels right and vivid.",
            "The red tin is empty since Sunday.",
        ),
        (
            "They state a name. Let me extract:\n- first_name: Ada\n- job: mathematician\n\n"
            "I should call the submit function with this information.",
            "first_name: Ada. Job: mathematician. "
            "I should call the submit function with this information.",
        ),
        (
            "The lamp of Ada was **COMPLIANT** because:\n- Its flame burns.\n",
            "The lamp of Ada was COMPLIANT. Its flame burns.",
        ),
        (
            "So 4 times 3 is 12. The result should be 12. The answer should be 12.",
            "4 times 3 is 12. The answer should be 12.",
        ),
        (
            'Let me put that together: "Hello like a lamp over the sea." Yes, that flows nicely.',
            '"Hello like a lamp over the sea."',
        ),
    ],
)
def test_short_reasoning_is_what_it_states(reasoning: str, shown: str) -> None:
    assert extractive(reasoning)[1].text == shown


def test_short_reasoning_shows_no_order_to_itself_beside_a_statement() -> None:
    told = "The tank is cheaper to fill on a Sunday."
    for order in ("Mention the tank first since that is the main thing.", "Wrap it in tags."):
        assert extractive(f"{told} {order}")[1].text == told
    for kept in ("Set A has 4 tins.", "Add 8 to 9."):
        assert extractive(f"{told} {kept}")[1].text == f"{told} {kept}"


def test_an_order_to_itself_gives_way_to_a_statement() -> None:
    def gives_way(text: str) -> bool:
        statement = judge(text, Place(5), GivenText(""))
        assert statement is not None
        return statement.weak

    assert gives_way("Choose a title for the harvest festival.")
    assert gives_way("For instance, if the farmers came late, we could wait for them.")
    assert not gives_way("Farmers liked the festival.")
    assert not gives_way("Set A is larger than the others.")


@pytest.mark.parametrize(
    ("said", "states"),
    [
        ("The answer should be entertaining.", False),
        ("The answer should be a short list of tins.", False),
        ("The answer should be 12 tins.", True),
        ("The answer should be about -3.", True),
        ('The answer should be "tin".', True),
        ("The answer should be $x^2$.", True),
        ("The answer should be option B.", True),
        ("The answer should be x + y.", True),
        ("The answer should be yes.", True),
    ],
)
def test_what_the_answer_should_be_is_a_result_only_if_it_is_named(said: str, states: bool) -> None:
    assert lexicon.ANSWERS.search(said.lower()) is states
    assert lexicon.CHOOSES.search(said.lower()) is states
