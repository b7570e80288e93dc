"""Each language with a file: talk is left out, openers come off, answer and ask are found."""

import re
import tomllib

import pytest

from gateway.core.summarizers import ExtractiveSummarizer, prompt_of
from gateway.core.summarizers.phrases import ENGLISH, FOLDER, languages, recognize
from gateway.core.summarizers.text import tokens

SAMPLES = {
    "spanish": (
        "El usuario quiere saber cuánto tarda el tren en llegar.",
        "Bueno, el tren sale a las nueve de la mañana.",
        "El depósito contiene 40 litros de agua y la bomba mueve {} litros por minuto.",
        "La respuesta es 95 minutos.",
        "¿Cuánto tarda el tren?",
    ),
    "portuguese": (
        "O usuário quer saber quanto tempo o trem demora.",
        "Bom, o trem sai às nove da manhã.",
        "O tanque contém 40 litros de água e a bomba move {} litros por minuto.",
        "A resposta é 95 minutos.",
        "Quanto tempo o trem demora?",
    ),
    "french": (
        "L'utilisateur veut savoir combien de temps dure le trajet.",
        "Bon, le train part à neuf heures du matin.",
        "Le réservoir contient 40 litres d'eau et la pompe déplace {} litres par minute.",
        "La réponse est 95 minutes.",
        "Combien de temps dure le trajet ?",
    ),
    "german": (
        "Der Nutzer möchte wissen, wie lange der Zug fährt.",
        "Gut, der Zug fährt um neun Uhr ab.",
        "Der Tank fasst 40 Liter Wasser und die Pumpe bewegt {} Liter pro Minute.",
        "Die Antwort ist 95 Minuten.",
        "Wie lange fährt der Zug?",
    ),
    "russian": (
        "Пользователь хочет узнать, сколько времени едет поезд.",
        "Хорошо, поезд отправляется в девять часов утра.",
        "Бак вмещает 40 литров воды, и насос качает {} литров в минуту.",
        "Ответ: 95 минут в пути.",
        "Сколько времени едет поезд?",
    ),
    "arabic": (
        "المستخدم يريد أن يعرف كم تستغرق رحلة القطار.",
        "حسنا، القطار يغادر في الساعة التاسعة صباحا.",
        "الخزان يحتوي على 40 لترا من الماء والمضخة تنقل {} لترات في الدقيقة.",
        "الإجابة هي 95 دقيقة.",
        "كم تستغرق رحلة القطار؟",
    ),
    "hindi": (
        "उपयोगकर्ता जानना चाहता है कि ट्रेन कितना समय लेती है।",
        "ठीक है, ट्रेन सुबह नौ बजे निकलती है।",
        "टंकी में 40 लीटर पानी है और पंप हर मिनट {} लीटर पानी निकालता है।",
        "उत्तर है 95 मिनट।",
        "ट्रेन कितना समय लेती है?",
    ),
    "japanese": (
        "ユーザーは電車がどのくらいかかるか知りたい。",
        "さて、電車は朝の九時に出発する。",
        "タンクには水が40リットル入っていて、ポンプは毎分{}リットルを運ぶ。",
        "答えは95分です。",
        "電車はどのくらいかかりますか？",
    ),
    "korean": (
        "사용자는 기차가 얼마나 걸리는지 알고 싶어 합니다.",
        "자, 기차는 아침 아홉 시에 출발합니다.",
        "탱크에는 물이 40리터 들어 있고 펌프는 분당 {}리터를 옮깁니다.",
        "정답은 95분입니다.",
        "얼마나 걸립니까?",
    ),
    "swahili": (
        "Mtumiaji anataka kujua treni inachukua muda gani.",
        "Sawa, treni inaondoka saa tatu za asubuhi.",
        "Tangi lina lita 40 za maji na pampu inasukuma lita {} kwa dakika.",
        "Jibu ni dakika 95 kwa jumla.",
        "Je, treni inachukua muda gani?",
    ),
    "turkish": (
        "Kullanıcı trenin ne kadar sürdüğünü bilmek istiyor.",
        "Tamam, tren sabah saat dokuzda kalkıyor ve hızlı gidiyor.",
        "Depoda 40 litre su var ve pompa dakikada {} litre su taşıyor.",
        "Cevap 95 dakika.",
        "Tren ne kadar sürer?",
    ),
    "vietnamese": (
        "Người dùng muốn biết tàu đi mất bao lâu.",
        "Được rồi, tàu rời ga lúc chín giờ sáng.",
        "Bể chứa 40 lít nước và máy bơm chuyển {} lít mỗi phút.",
        "Đáp án là 95 phút.",
        "Tàu đi mất bao lâu?",
    ),
    "indonesian": (
        "Pengguna ingin tahu berapa lama kereta berjalan.",
        "Baik, kereta berangkat pada pukul sembilan pagi.",
        "Tangki itu berisi 40 liter air dan pompa memindahkan {} liter per menit.",
        "Jawabannya adalah 95 menit.",
        "Berapa lama kereta berjalan?",
    ),
}
"""Talk, a statement behind an opener, a statement with a number, the answer, a question."""


def test_every_language_has_a_sample() -> None:
    assert set(SAMPLES) == set(languages())


@pytest.mark.parametrize("name", SAMPLES)
class TestLanguages:
    def test_its_file_can_be_read(self, name: str) -> None:
        data = tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))
        assert data.keys() <= {
            *("common_words", "openers", "talk", "plans", "doubts", "supposes", "concludes"),
            *("answers", "retracts", "leans", "asks", "wants", "parts", "spaced", "script"),
        }
        for phrases in data.values():
            if isinstance(phrases, list):
                assert phrases == [phrase.lower() for phrase in phrases]
                assert all(re.compile(phrase) for phrase in phrases)

    def test_it_is_recognized(self, name: str) -> None:
        talk, opened, statement, *_ = SAMPLES[name]
        text = f"{talk} {opened} {statement}"
        assert recognize(text, frozenset(tokens(text))) is languages()[name]

    def test_talk_is_not_shown_and_the_answer_is(self, name: str) -> None:
        talk, opened, statement, answer, _ = SAMPLES[name]
        steps = "\n".join(statement.format(n) for n in range(3, 40))
        summarizer = ExtractiveSummarizer("", 60)
        lines = summarizer.feed(f"{statement.format(2)}\n{talk}\n{opened}\n{steps}\n{answer}\n")
        summary = summarizer.close()
        shown = "\n".join([*lines, *summary.lines, summary.text, summary.closing])
        assert talk not in shown
        assert answer in summary.text

    def test_openers_come_off(self, name: str) -> None:
        _, opened, statement, *_ = SAMPLES[name]
        summarizer = ExtractiveSummarizer("", 60)
        summarizer.feed(f"{statement.format(2)}\n{opened}\n")
        opener = re.split(r"[,،、]", opened)[0]
        assert opener not in summarizer.close().text

    def test_the_question_is_the_prompts_line(self, name: str) -> None:
        _, opened, statement, _, question = SAMPLES[name]
        text = "\n".join([*(statement.format(n) for n in range(3, 24)), question, opened])
        assert question in prompt_of([{"role": "user", "content": text}]).summary


def test_english_is_recognized_as_english() -> None:
    text = "The train leaves at nine and arrives at eleven, so the trip takes two hours."
    assert recognize(text, frozenset(tokens(text))) is ENGLISH
