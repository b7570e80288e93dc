/** The libraries of ../vendor that draw formulas and colour code: each is loaded when it is needed. */

const RETRY_MS = 10_000;

/** A library: `value` is undefined until it is loaded, and null if that failed. */
class Library {
  value = undefined;
  /** Resolves when the value is known. Never rejects. */
  ready;

  constructor(load) {
    this.ready = load().then(
      (found) => {
        this.value = found;
      },
      () => {
        this.value = null;
        this.failedAt = performance.now();
      },
    );
  }

  get isWorthRetrying() {
    return this.value === null && performance.now() - this.failedAt > RETRY_MS;
  }
}

const libraries = new Map();

function library(name, load) {
  if (!libraries.has(name) || libraries.get(name).isWorthRetrying) {
    libraries.set(name, new Library(load));
  }
  return libraries.get(name);
}

const vendored = (path) => new URL(`../vendor/${path}`, import.meta.url).href;

/** Temml, which turns TeX into MathML. It is a classic script and defines a global. */
export const temml = () =>
  library("temml", async () => {
    await script(vendored("temml/temml.min.js"));
    return globalThis.temml;
  });

function script(src) {
  return new Promise((resolve, reject) => {
    const element = Object.assign(document.createElement("script"), { src });
    element.onload = resolve;
    element.onerror = reject;
    document.head.append(element);
  });
}

/** highlight.js with a language. `name` is one of LANGUAGES, not a name that a model wrote. */
export const highlighter = (name) =>
  library(`highlight.js, ${name}`, async () => {
    const needed = [name, ...(EMBEDDED[name] ?? [])];
    const [core, ...grammars] = await Promise.all([
      import("../vendor/highlight.js/core.min.js"),
      ...needed.map((each) => import(`../vendor/highlight.js/languages/${each}.min.js`)),
    ]);
    grammars.forEach((grammar, i) => core.default.registerLanguage(needed[i], grammar.default));
    return core.default;
  });

/** Languages inside of others. */
const EMBEDDED = { xml: ["css", "javascript"], php: ["xml"] };

/** What models call a language → its file. */
export const LANGUAGES = new Map(
  Object.entries({
    bash: "sh shell console zsh shellsession",
    c: "h",
    cpp: "c++ cc hpp cxx",
    csharp: "cs c# dotnet",
    css: "",
    diff: "patch",
    dockerfile: "docker",
    go: "golang",
    ini: "toml conf cfg properties env dotenv",
    java: "",
    javascript: "js jsx mjs cjs node",
    json: "jsonc json5 jsonl",
    kotlin: "kt kts",
    php: "",
    python: "py py3 python3 pycon",
    ruby: "rb",
    rust: "rs",
    sql: "mysql postgres postgresql pgsql sqlite plsql tsql",
    swift: "",
    typescript: "ts tsx mts",
    xml: "html htm xhtml svg vue rss",
    yaml: "yml",
  }).flatMap(([file, names]) => [file, ...(names.match(/\S+/g) ?? [])].map((name) => [name, file])),
);
