"""The replies of the demo in other languages. Constants only."""

from gateway.mock.texts import Reply

PIANOS = Reply(
    """\
Gefragt ist, wie viele Klavierstimmer in Berlin arbeiten. Eine genaue Zahl kenne ich nicht, also \
schätze ich sie aus wenigen Annahmen. Das ist eine klassische Fermi-Aufgabe.

Zuerst die Haushalte. Berlin hat rund 3,8 Millionen Einwohner. Bei etwa 1,9 Personen je Haushalt \
sind das 2 Millionen Haushalte.

Wie viele haben ein Klavier? In einer Großstadt mit kleinen Wohnungen vielleicht jeder \
vierzigste, also 2,5 Prozent. Das ergibt 50.000 Klaviere.

Wie oft werden sie gestimmt? Empfohlen ist einmal im Jahr, aber viele Klaviere stehen nur herum. \
Ich nehme im Mittel alle zwei Jahre an: 25.000 Stimmungen im Jahr. Moment, Musikschulen, Theater \
und Konzertsäle fehlen noch. Sie haben weniger Instrumente, lassen sie aber viel öfter stimmen. \
Dafür nehme ich noch einmal 10.000 Stimmungen dazu, zusammen 35.000.

Was schafft ein Klavierstimmer? Eine Stimmung dauert mit Fahrt gut zwei Stunden, also drei bis \
vier am Tag. Bei 200 Arbeitstagen sind das etwa 700 im Jahr.

35.000 geteilt durch 700 ergibt 50. Die Annahmen sind unsicher, jede vielleicht um den Faktor \
1,5. Die Fehler gleichen sich zum Teil aus; 25 bis 100 ist ein ehrlicher Bereich. Die Antwort \
lautet also: etwa 50.""",
    """\
**Etwa 50**, vermutlich zwischen 25 und 100. Die Zahl lässt sich aus ein paar Annahmen schätzen:

| Schritt | Annahme | Ergebnis |
|---|---|--:|
| Haushalte | 3,8 Mio. Einwohner, 1,9 je Haushalt | 2.000.000 |
| Klaviere | jeder vierzigste Haushalt | 50.000 |
| private Stimmungen | alle zwei Jahre | 25.000 im Jahr |
| Schulen, Theater, Säle | wenige Instrumente, aber oft | 10.000 im Jahr |
| Arbeit je Stimmer | 3 bis 4 am Tag, 200 Tage | 700 im Jahr |

Daraus folgt:

$$
\\frac{25\\,000 + 10\\,000}{700} = 50
$$

**Wie sicher ist das?** Jede Annahme kann um den Faktor 1,5 danebenliegen. Solche Fehler heben \
sich zum Teil auf, weil nicht alle in dieselbe Richtung gehen. Am wenigsten weiß man über den \
Anteil der Haushalte mit Klavier. Wer die Schätzung verbessern will, sollte dort anfangen.

Der Physiker Enrico Fermi stellte seinen Studenten solche Fragen, um zu zeigen, dass man mit \
einfachen Schritten weiter kommt als mit Raten.""",
)

CATS = Reply(
    """\
La pregunta es por qué los gatos caen de pie. Lo interesante es la física: en el aire no hay nada \
en que apoyarse, así que el momento angular se conserva. Si el gato empieza sin girar, el total \
sigue siendo cero.

Entonces, ¿cómo puede darse la vuelta? Parece imposible. Pero un gato no es un cuerpo rígido. \
Puede doblarse por la cintura y girar las dos mitades por separado.

Pienso en los pasos. Primero encoge las patas delanteras y estira las traseras. La mitad \
delantera tiene así poco momento de inercia y gira mucho; la trasera gira poco en sentido \
contrario. Después hace lo opuesto: estira las delanteras y encoge las traseras. La mitad trasera \
gira mucho y la delantera casi nada. Al final todo el cuerpo ha girado 180 grados y el momento \
angular ha sido cero en todo momento.

¿Y la cola? Ayuda, pero no es necesaria: los gatos sin cola también caen de pie.

¿Cómo sabe dónde está el suelo? Por el oído interno y la vista. El reflejo aparece a las tres o \
cuatro semanas de vida y está completo a las siete.

Debo añadir un límite: necesita unos 30 centímetros de caída para girar, y caer de pie no quiere \
decir caer sin daño. La respuesta es, pues, que gira sus dos mitades por turnos.""",
    """\
Porque **giran las dos mitades del cuerpo por turnos**. No necesitan apoyarse en nada.

En el aire el momento angular se conserva. Si el gato cae sin girar, el total es cero y seguirá \
siendo cero. Un cuerpo rígido no podría darse la vuelta, pero un gato no es rígido:

1. **Se dobla** por la cintura, de modo que las dos mitades tienen ejes distintos.
2. **Encoge las patas delanteras** y estira las traseras. La mitad delantera gira mucho; la \
trasera, apenas un poco en sentido contrario.
3. **Hace lo opuesto:** estira las delanteras y encoge las traseras. Ahora gira la mitad trasera.
4. **Arquea el lomo** y estira las cuatro patas para amortiguar el golpe.

Es lo mismo que hace una patinadora cuando cierra los brazos: quien está encogido gira más deprisa.

El oído interno y la vista le dicen dónde está el suelo. El reflejo aparece a las tres o cuatro \
semanas de vida. La cola ayuda, pero no hace falta: los gatos sin cola también lo consiguen.

> Caer de pie no significa caer sin daño. Desde muy poca altura no le da tiempo a girar, y desde \
un balcón puede lesionarse gravemente.""",
)

MOON = Reply(
    """\
用户问为什么月亮总是同一面朝向地球。常见的误解是“月亮不自转”，我应该先纠正这一点。

如果月亮不自转，那么它绕地球一圈时，我们会依次看到它的各个面。所以它一定在自转，而且自转周期和公转周期相同，都是大约27.3天。

为什么恰好相等？这不可能是巧合。太阳系里几乎所有的大卫星都是这样。原因应该是潮汐。

地球的引力对月亮近的一侧更强，对远的一侧更弱，于是月亮被拉成略长的形状，形成两个隆起。如果月亮自转得更快，隆起就会被带到地月连线的前面，地球的引力会把它往回拉，产生一个力矩，使自转变慢。反过来\
，如果自转太慢，力矩会使它加快。只有当两个周期相等时，力矩才会消失。

等一下，我们是不是正好看到一半？不是。月亮的轨道是椭圆形的，轨道面也有倾角，所以它看起来会轻轻摆动，这叫天平动。我们一共可以看到月面的约59%。

另外，月球背面并不是永远黑暗的，那里也有白天和黑夜。因此答案是潮汐锁定：自转和公转的周期相同。""",
    """\
因为月亮**自转一圈的时间和绕地球一圈的时间相同**，都是大约27.3天。这种现象叫做**潮汐锁定**。

很多人以为月亮不自转。其实正好相反：如果它不自转，我们在一个月里就会看到它的每一面。

### 为什么两个周期相等

1. 地球的引力对月亮近侧的作用比远侧更强，把月亮拉得略长，形成两个隆起。
2. 很久以前月亮自转得更快，隆起总是跑到地月连线的前面。
3. 地球拉住这些隆起，像刹车一样让自转慢下来。
4. 当自转和公转同步时，隆起正对地球，刹车的力矩就消失了。

### 两个常见的误解

| 说法 | 事实 |
|---|---|
| 我们只能看到月面的一半 | 由于天平动，一共可以看到约59% |
| 月球背面永远是黑的 | 背面同样有白天和黑夜，各约两个星期 |

同样的事情也在地球上发生：月亮引起的潮汐正在使地球的自转变慢，每过一百年，一天大约变长两毫秒。""",
)

SEA = Reply(
    """\
السؤال: لماذا ماء البحر مالح؟ يجب أن أشرح من أين يأتي الملح، ولماذا يبقى في البحر ولا يبقى في \
الأنهار.

أولاً، المصدر. ماء المطر حمضي قليلاً لأنه يذيب ثاني أكسيد الكربون من الهواء. هذا الماء يذيب \
المعادن من الصخور، وتحملها الأنهار إلى البحر. لكن ماء الأنهار عذب، فكيف يصنع بحراً مالحاً؟

الجواب هو التبخر. الماء يتبخر من البحر ويترك الأملاح خلفه، ثم يسقط مطراً على اليابسة ويحمل \
أملاحاً جديدة. استمر هذا ملايين السنين، فتراكمت الأملاح.

ولكن انتظر: لماذا لا يزداد البحر ملوحة باستمرار؟ لأن هناك ما يزيل الأملاح أيضاً: تترسب في القاع، \
وتستخدمها الكائنات في بناء أصدافها. لذلك وصل البحر إلى توازن تقريبي.

هناك مصدر ثانٍ يجب ألا أنساه: الينابيع الحارة والبراكين في قاع البحر، ومنها يأتي جزء من الكلوريد.

كم تبلغ الملوحة؟ نحو 35 غراماً في كل كيلوغرام من الماء، أي 3.5 بالمئة. أما البحر الميت فتصل \
ملوحته إلى نحو 34 بالمئة، لأنه بلا مخرج والتبخر فيه شديد. هذا مثال جيد يثبت الفكرة.

إذن الجواب: الأنهار تجلب الأملاح، والتبخر يتركها في البحر.""",
    """\
لأن **الأنهار تجلب الأملاح إلى البحر، والتبخر يأخذ الماء وحده** ويترك الأملاح خلفه.

### من أين يأتي الملح؟

1. **من الصخور:** ماء المطر حمضي قليلاً، فيذيب المعادن من الصخور، وتحملها الأنهار إلى البحر.
2. **من قاع البحر:** تضيف الينابيع الحارة والبراكين أملاحاً أخرى، منها الكلوريد.

### لماذا لا تكون الأنهار مالحة؟

في ماء النهر أملاح أيضاً، لكنها قليلة جداً، وماؤه يتجدد دائماً. أما البحر فهو نهاية الطريق: يتبخر \
الماء منه وتبقى الأملاح.

| الماء | غرام من الملح في كل كيلوغرام |
|---|--:|
| نهر | 0.1 |
| البحر المتوسط | 38 |
| المحيط | 35 |
| البحر الميت | 340 |

البحر الميت مثال واضح: لا مخرج له، والتبخر فيه شديد، ولذلك ملوحته نحو عشرة أضعاف ملوحة المحيط.

ولا تزداد ملوحة المحيط بلا حد، لأن جزءاً من الأملاح يترسب في القاع أو تستخدمه الكائنات في بناء \
أصدافها.""",
)
