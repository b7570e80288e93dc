"""The English replies of the demo. Constants only."""

from gateway.mock.texts import Reply

PRIME = Reply(
    """\
The user asks whether 3599 is prime. I need a divisor, or a proof that there is none up to the \
square root.

The square root of 3599 is just below 60, because 60² = 3600. So I only have to try the primes up \
to 59. There are 17 of them.

The quick tests first. 3599 is odd. Its digits add up to 3 + 5 + 9 + 9 = 26, so 3 does not divide \
it. It does not end in 0 or 5. For 7: 7 × 514 = 3598, which leaves 1. For 11 the alternating sum \
is 3 − 5 + 9 − 9 = −2, so no. For 13: 13 × 276 = 3588, which leaves 11.

Wait, this is slow, and I have already written down something better. 3599 is 3600 − 1, and 3600 \
is a square. That is a difference of two squares: 60² − 1² = (60 − 1)(60 + 1) = 59 × 61.

Let me check: 59 × 61 = 59 × 60 + 59 = 3540 + 59 = 3599. It fits.

So 3599 is not prime; it is 59 × 61. Trial division would have found 59 only at the very last of \
the 17 primes, which shows nicely what the trick saves. I will give the answer first, then the \
trick.""",
    """\
**No.** $3599 = 59 \\times 61$.

The shortcut is to see that 3599 is one less than a square:

$$
3599 = 3600 - 1 = 60^2 - 1^2 = (60 - 1)(60 + 1) = 59 \\times 61
$$

Both factors are prime, so there are no others.

### Why it pays to look for it

The ordinary way tries every prime up to $\\sqrt{3599} \\approx 59.99$. There are 17 of them, and \
the first that divides 3599 is the *last* one. The difference of squares needs one step.

The same trick works for any number that is a little less than a square:

| number | as a difference | factors |
|---|---|---|
| 899 | $30^2 - 1^2$ | $29 \\times 31$ |
| 1591 | $40^2 - 3^2$ | $37 \\times 43$ |
| 3599 | $60^2 - 1^2$ | $59 \\times 61$ |

In particular $n^2 - 1 = (n - 1)(n + 1)$ is never prime for $n > 2$.""",
)

FLOATS = Reply(
    """\
The user has seen 0.1 + 0.2 print 0.30000000000000004 and wants to know why. The cause is binary \
floating point, not Python, so I should say that early.

What exactly happens? A double has 53 significant bits. A fraction ends in binary only if its \
denominator is a power of two. 0.1 is 1/10, and 10 contains a factor of 5, so 0.1 repeats forever \
in binary: 0.0001100110011… It has to be rounded. The stored value is slightly above 0.1.

The same holds for 0.2, which is also stored slightly too large. The sum of the two errors is \
rounded once more. And 0.3? I first thought that it is stored too large as well, but let me \
check: Decimal(0.3) gives 0.299999999999999988898. It is slightly too small. That is why the two \
sides end up in neighbouring floats.

What should the user do about it? Compare with a tolerance: math.isclose. For money use Decimal or \
whole cents. Rounding before comparing mostly works, but it hides the problem. A short piece of \
code that prints the exact values will convince more than theory.

So the two sides differ because three rounded numbers do not add up: 0.1 and 0.2 are stored a \
little too large, 0.3 a little too small.""",
    """\
Because neither 0.1 nor 0.2 nor 0.3 can be stored exactly. A float is a binary fraction, and in \
binary 1/10 repeats forever, as 1/3 does in decimal. Each number is rounded to the nearest float \
that exists, and the errors do not cancel out.

You can look at the values that are really stored:

```python
from decimal import Decimal

print(Decimal(0.1))        # 0.1000000000000000055511151231…
print(Decimal(0.2))        # 0.2000000000000000111022302462…
print(Decimal(0.3))        # 0.2999999999999999888977697537…
print(0.1 + 0.2 == 0.3)    # False
```

0.1 and 0.2 are stored a little too **large**, 0.3 a little too **small**. So the sum lands on \
the float just above the one that is stored for 0.3. This is not Python's doing: JavaScript, C \
and Java use the same format, IEEE 754 double precision, and print the same.

What to use instead:

| you have | use |
|---|---|
| measurements | `math.isclose(a, b)` instead of `==` |
| money | whole cents, or `decimal.Decimal("0.10")` |
| exact fractions | `fractions.Fraction(1, 10)` |
| output only | `f"{x:.2f}"` |

Write `Decimal("0.1")` with quotes: `Decimal(0.1)` copies the error that you want to avoid.""",
)

DOORS = Reply(
    """\
The Monty Hall problem: three doors, a car behind one, goats behind the others. I pick a door, \
the host opens another one with a goat, and I may switch. Should I?

The first intuition says that two doors are left, so it is one half each. I should test that \
before I believe it.

Let me count the cases. Say I pick door 1. The car is behind door 1, 2 or 3, each with \
probability 1/3. If it is behind 1, the host opens 2 or 3, and switching loses. If it is behind \
2, the host must open 3, and switching wins. If it is behind 3, the host must open 2, and \
switching wins. So switching wins in 2 of 3 cases. The intuition was wrong.

Why does it fail? The host is not random. He knows where the car is and never opens its door. His \
choice carries information about the doors that I did not pick, and none about mine, which keeps \
its 1/3.

But wait, does this depend on the rules? Yes. If the host opens a door at random and happens to \
show a goat, then the case is different: half of the time that the car was elsewhere he would \
have shown it. Then both doors are at 1/2. I should mention this, because it is where people talk \
past each other.

A version with 100 doors makes it easy to feel, so I will add it.

So switching wins with probability 2/3 under the usual rules.""",
    """\
**Yes, switch.** Switching wins two times out of three.

Say you have picked door 1. There are three equally likely cases:

| the car is behind | the host opens | if you stay | if you switch |
|---|---|---|---|
| door 1 | 2 or 3 | **win** | lose |
| door 2 | 3 | lose | **win** |
| door 3 | 2 | lose | **win** |

Your first door was right with probability 1/3, and nothing that happens later changes that: the \
host can always show you a goat, whether you were right or not. The other 2/3 must therefore sit \
behind the one door that is left.

If that still feels wrong, play it with **100 doors**. You pick one, the host opens 98 that are \
empty, and exactly one other door stays closed. Would you still think it is fifty-fifty?

> It depends on the host. He has to know where the car is, and to avoid it. If he opens a door at \
random and it *happens* to hide a goat, switching wins only half of the time.""",
)

LISBON = Reply(
    """\
A weekend in Lisbon for two people with €300. Nothing is said about the journey, so I take the \
€300 for the time there: two nights, Friday evening to Sunday.

The bed is the largest part. A simple double room outside the centre is about €75 a night, so two \
nights are €150. That leaves 300 − 150 = €150 for everything else.

Food: two people, two full days. If lunch is €12 each and dinner €22 each, one day is 2 × (12 + \
22) = €68, and two days are €136. Then breakfast and coffee, about €10 a day for both, €20. \
Together €156. That is already €6 more than is left, and we have not gone anywhere. It does not fit.

Where can I save? Dinner is the lever. One dinner in a tasca at €22 each, the other as a picnic \
at a viewpoint for €16 for both. Food is then 2 × 24 for the lunches, which is €48, plus €44, \
plus €16, plus €20 for breakfast: €128.

Transport: a 24-hour ticket is about €7 a person, so €14 for one day; the other day is on foot. \
150 − 128 − 14 = €8. That pays the custard tarts in Belém, and little else.

So the sights must be free ones. Many are: viewpoints, Alfama, the riverside, the outside of the \
tower in Belém. I should say that prices are rough and leave out the flights.

The sum is 150 + 128 + 14 + 8 = €300. So it fits, if one dinner is a picnic and the sights are \
free ones.""",
    """\
It fits, if one dinner is a picnic and the sights are free ones. Here is the plan, for two nights \
and without the journey.

**Saturday: on foot.** Start at the viewpoint of Graça before the crowd, and walk down through \
Alfama to the cathedral. Lunch in a side street of Mouraria. In the afternoon Baixa, the square \
at the river and the ferry pier. At sunset buy bread, cheese, olives and a bottle of wine, and \
eat at the viewpoint of Santa Catarina.

**Sunday: by tram.** With the day ticket, take the tram to Belém: the tower and the monastery \
from outside, the gardens along the river, warm custard tarts. Back by the afternoon for tram 28, \
then dinner in a small tasca with grilled sardines.

| | for two |
|---|--:|
| double room, 2 nights | €150 |
| lunch, 2 × 2 | €48 |
| dinner in a tasca | €44 |
| picnic at the viewpoint | €16 |
| breakfast and coffee | €20 |
| day ticket, 2 | €14 |
| custard tarts | €8 |
| **total** | **€300** |

There is no reserve in this. Two things make room: a hostel with a private room saves about €30, \
and many museums are free on certain days. The prices are typical ones; check the room first, as \
it is half of the budget.""",
)

SKY = Reply(
    """\
Two colours, one sky. I want a single cause that gives blue at noon and red at sunset.

Sunlight contains all colours. Air molecules are far smaller than the wavelength of light, so \
this is Rayleigh scattering, and its strength goes with 1/λ⁴.

How large is the difference? Blue is at about 450 nm, red at about 650 nm. The ratio is 650/450 = \
1.44, and 1.44⁴ is about 4.35. So blue is scattered more than four times as strongly as red. \
Looking away from the sun, I see scattered light: blue.

Wait, violet is at 400 nm and is scattered even more. Why is the sky not violet? Three reasons: \
the sun emits less violet, the upper air absorbs some of it, and the eye is less sensitive to it. \
The mixture looks pale blue. People often ask this, so I should answer it.

Now the sunset. The light comes in flat, and its way through the air is much longer, some 38 \
times as long as from straight above. On that way the blue is scattered out of the beam, to the \
sides. What is left in the beam is orange and red.

So it is the same law twice: at noon we look at the light that was scattered, at sunset at the \
light that was not. That sentence is the answer. I will put it first.""",
    """\
**It is the same effect, seen from two sides.** At noon you look at the light that the air has \
scattered. At sunset you look at the light that it has *not* scattered.

Air molecules are much smaller than the wavelength of light. They scatter short waves far more \
strongly than long ones:

$$
I \\propto \\frac{1}{\\lambda^4}
$$

For blue ($\\lambda \\approx 450$ nm) and red ($\\lambda \\approx 650$ nm) this gives

$$
\\left(\\frac{650}{450}\\right)^4 \\approx 4.4
$$

so blue is scattered over four times as much.

- **At noon** the sunlight takes a short way through the air. Blue is scattered in all \
directions, and reaches you from every part of the sky.
- **At sunset** the light travels through some 38 times as much air. The blue is lost on the way, \
to the sides, and what arrives is orange and red.

*Then why is the sky not violet?* Violet is scattered even more than blue. But the sun emits less \
of it, the upper air absorbs part of it, and our eyes hardly see it.

Dust and smoke make a sunset redder still. On Mars, where the air is full of fine dust, it is the \
other way round: the day is butterscotch, and the sunset is blue.""",
)

SWITCHES = Reply(
    """\
Three switches downstairs, one of them belongs to a lamp upstairs. I may go up once. How do I \
find the right one?

What do I learn from one look at the lamp? It is on or off: two outcomes. But there are three \
switches, so two outcomes can not be enough. With one bit I can tell two cases apart, not three. \
So light alone will not do it.

I need a third outcome. What else does a lamp have? It gets warm. That is a second thing that I \
can observe: on, off and warm, off and cold. Three outcomes for three switches. That fits.

So: turn on the first switch and wait a few minutes, until the lamp would be hot. Turn it off, \
turn on the second, and go up. If the lamp is on, it is the second. If it is off and warm, the \
first. If it is off and cold, the third.

Does it work with an LED? An LED bulb gets less hot, but its base gets warm after some minutes. \
Ten minutes are safe. If the lamp hangs out of reach, the trick fails, and that should be said.

Could it be done with four switches? On and cold, on and warm, off and warm, off and cold: yes, \
four outcomes, if one goes up right after turning the last one on. Nice, I will add that.

The answer is to use heat as memory. I will give the steps, then the reason.""",
    """\
Use the heat of the lamp as a second signal.

1. Turn on switch **A**, and wait ten minutes.
2. Turn **A** off, turn **B** on, and go upstairs at once.
3. Look at the lamp, and touch it if it is off:

| the lamp is | the right switch is |
|---|---|
| on | **B** |
| off, but warm | **A** |
| off and cold | **C** |

**Why light alone can't do it.** One look tells you *on* or *off*: two outcomes for three \
switches. Whatever you do with the switches, two of them would stay indistinguishable. Warmth \
adds the third outcome, because the lamp remembers what happened before you came.

**A bonus.** The same trip can even tell *four* switches apart. Turn A and B on and wait, then \
turn B off and C on, and run:

- on and warm: A
- off and warm: B
- on and cold: C
- off and cold: D

With an LED wait the full ten minutes and touch the base, where it gets warm.""",
)
