/** LaTeX's math commands and the characters that they stand for. */

const pairs = (text) =>
  text
    .trim()
    .split(/\s+/)
    .map((pair) => pair.split(":"));
const symbols = (tag, text) => pairs(text).map(([name, shown]) => [name, { tag, text: shown }]);

/** Letters and symbols by command. */
export const SYMBOLS = Object.fromEntries([
  ...symbols(
    "mi",
    `alpha:α beta:β gamma:γ delta:δ epsilon:ϵ varepsilon:ε zeta:ζ eta:η theta:θ vartheta:ϑ iota:ι
    kappa:κ lambda:λ mu:μ nu:ν xi:ξ pi:π varpi:ϖ rho:ρ varrho:ϱ sigma:σ varsigma:ς tau:τ upsilon:υ
    phi:ϕ varphi:φ chi:χ psi:ψ omega:ω Gamma:Γ Delta:Δ Theta:Θ Lambda:Λ Xi:Ξ Pi:Π Sigma:Σ Upsilon:Υ
    Phi:Φ Psi:Ψ Omega:Ω infty:∞ partial:∂ nabla:∇ ell:ℓ hbar:ℏ Re:ℜ Im:ℑ aleph:ℵ emptyset:∅
    varnothing:∅ ldots:… dots:… cdots:⋯ vdots:⋮ ddots:⋱ prime:′ degree:° angle:∠ top:⊤ bot:⊥
    square:□ triangle:△ checkmark:✓`,
  ),
  ...symbols(
    "mo",
    `times:× cdot:⋅ div:÷ pm:± mp:∓ ast:∗ star:⋆ circ:∘ bullet:• oplus:⊕ otimes:⊗ odot:⊙ le:≤ leq:≤
    ge:≥ geq:≥ ne:≠ neq:≠ ll:≪ gg:≫ approx:≈ equiv:≡ sim:∼ simeq:≃ cong:≅ propto:∝ in:∈ notin:∉ ni:∋
    subset:⊂ subseteq:⊆ supset:⊃ supseteq:⊇ cup:∪ cap:∩ setminus:∖ land:∧ wedge:∧ lor:∨ vee:∨ neg:¬
    lnot:¬ forall:∀ exists:∃ nexists:∄ to:→ rightarrow:→ leftarrow:← Rightarrow:⇒ Leftarrow:⇐
    leftrightarrow:↔ Leftrightarrow:⇔ implies:⟹ iff:⟺ mapsto:↦ longrightarrow:⟶ uparrow:↑
    downarrow:↓ mid:∣ nmid:∤ parallel:∥ perp:⊥ vdash:⊢ models:⊨ therefore:∴ because:∵ colon:: lt:<
    gt:> langle:⟨ rangle:⟩ lfloor:⌊ rfloor:⌋ lceil:⌈ rceil:⌉ lvert:| rvert:| lVert:‖ rVert:‖ vert:|
    Vert:‖ %:% #:# $:$ &:& _:_ {:{ }:} |:‖ backslash:\\`,
  ),
  ["colon", { tag: "mo", text: ":" }],
]);

/** Operators with limits. */
export const BIG_OPERATORS = Object.fromEntries(
  pairs(
    "sum:∑ prod:∏ coprod:∐ int:∫ iint:∬ iiint:∭ oint:∮ bigcup:⋃ bigcap:⋂ bigvee:⋁ bigwedge:⋀ bigoplus:⨁",
  ),
);

export const FUNCTIONS = new Set(
  `sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log ln lg exp lim limsup liminf max min
  sup inf det dim ker deg gcd Pr arg hom mod bmod`.split(/\s+/),
);

export const SPACES = {
  ",": "0.17em",
  ":": "0.22em",
  ";": "0.28em",
  "!": "-0.17em",
  " ": "0.25em",
  quad: "1em",
  qquad: "2em",
  displaystyle: "0",
  limits: "0",
};

export const ACCENTS = Object.fromEntries(
  pairs("hat:^ widehat:^ bar:¯ overline:¯ vec:→ overrightarrow:→ dot:˙ ddot:¨ tilde:~ widetilde:~"),
);

/** The delimiters for `\left`, `\right` and `\big`; a dot stands for none. */
export const DELIMITERS = {
  ".": "",
  ...Object.fromEntries([..."()[]|/<>"].map((mark) => [mark, mark])),
  "\\{": "{",
  "\\}": "}",
  "\\|": "‖",
  ...Object.fromEntries(
    [
      "langle",
      "rangle",
      "lfloor",
      "rfloor",
      "lceil",
      "rceil",
      "lvert",
      "rvert",
      "lVert",
      "rVert",
      "vert",
      "Vert",
    ].map((name) => [`\\${name}`, SYMBOLS[name].text]),
  ),
};

/** Maps letters to one of Unicode's fonts, given its first capital, small letter and digit.
 * `exceptions`: letters that Unicode has elsewhere. */
const font =
  (capitals, smalls, digits, exceptions = {}) =>
  (letter) => {
    const code = letter.charCodeAt(0);
    if (letter in exceptions) return exceptions[letter];
    if (/[A-Z]/.test(letter)) return String.fromCodePoint(capitals + code - 65);
    if (/[a-z]/.test(letter)) return String.fromCodePoint(smalls + code - 97);
    return /\d/.test(letter) && digits ? String.fromCodePoint(digits + code - 48) : letter;
  };

export const FONTS = {
  mathbf: font(0x1d400, 0x1d41a, 0x1d7ce),
  boldsymbol: font(0x1d400, 0x1d41a, 0x1d7ce),
  mathbb: font(0x1d538, 0x1d552, 0x1d7d8, {
    C: "ℂ",
    H: "ℍ",
    N: "ℕ",
    P: "ℙ",
    Q: "ℚ",
    R: "ℝ",
    Z: "ℤ",
  }),
  mathcal: font(0x1d49c, 0x1d4b6, 0, {
    ...{ B: "ℬ", E: "ℰ", F: "ℱ", H: "ℋ", I: "ℐ", L: "ℒ", M: "ℳ", R: "ℛ", e: "ℯ", g: "ℊ", o: "ℴ" },
  }),
  mathit: (letter) => letter,
  mathsf: (letter) => letter,
  mathtt: font(0x1d670, 0x1d68a, 0x1d7f6),
};
