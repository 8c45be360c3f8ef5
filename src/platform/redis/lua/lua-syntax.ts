/** A name's declaration. */
export interface Binding {
  readonly name: string;
  /** Whether it is declared outside of every block. */
  readonly isTop: boolean;
  /** The module that it stands for: `local name = require("module")`. */
  readonly requires?: string;
  /** Whether the same name was declared outside of every block before. */
  readonly hidesTop?: boolean;
}

/** A file, or what stands between a keyword that opens a block and its end. */
export interface Block {
  /** Undefined for the file. */
  readonly parent: Block | undefined;
  /** The token behind which it begins: the last one of a function's parameters. */
  readonly openedAt: number;
  readonly kind: "file" | "function" | "loop" | "branch";
  readonly names: Map<string, Binding>;
}

export interface Token {
  readonly text: string;
  readonly at: number;
  block: Block;
  /** Of a variable, where it is declared; undefined for a global. */
  binding?: Binding | undefined;
  /** A name, and neither a field nor a table's key. */
  isVariable?: boolean;
  isDeclaration?: boolean;
  /** Whether something is assigned to it. */
  isAssigned?: boolean;
}

/** A statement outside of every block, which begins at the beginning of a line: the tokens from `first` to before `end`. */
export interface LuaStatement {
  readonly first: number;
  readonly end: number;
  readonly kind: "require" | "command" | "function" | "local" | "return" | "other";
  /** What it declares. */
  readonly names: readonly string[];
}

export interface LuaSyntax {
  readonly file: string;
  readonly source: string;
  readonly tokens: readonly Token[];
  readonly statements: readonly LuaStatement[];
}

const TOKENS =
  /--\[(=*)\[[\s\S]*?\]\1\]|--[^\n]*|\[(=*)\[[\s\S]*?\]\2\]|"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*'|0[xX][0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|[A-Za-z_]\w*|\.\.\.|\.\.|==|~=|<=|>=|[-+*/%^#<>=(){}[\];:,.]/g;

const KEYWORDS: ReadonlySet<string> = new Set(
  "and break do else elseif end false for function if in local nil not or repeat return then true until while".split(
    " ",
  ),
);

const NAME = /^[A-Za-z_]/;

/** Reads which variable each name of a Lua text stands for. The text must compile: of other texts it says anything. */
export function readSyntax(file: string, source: string): LuaSyntax {
  const root: Block = { parent: undefined, openedAt: -1, kind: "file", names: new Map() };
  const tokens: Token[] = [];
  for (const { 0: text, index } of source.matchAll(TOKENS))
    if (!text.startsWith("--")) tokens.push({ text, at: index, block: root });
  new Reader(source, tokens, root).read();
  return { file, source, tokens, statements: statementsOf(source, tokens) };
}

function isName({ text }: Token): boolean {
  return NAME.test(text) && !KEYWORDS.has(text);
}

export function lineAt(source: string, at: number): number {
  return source.slice(0, at).split("\n").length;
}

/** Goes through the tokens. A declaration counts from its name on, which is a little too early: `local x = x` is read as if both were one. */
class Reader {
  readonly #source: string;
  readonly #tokens: readonly Token[];
  readonly #root: Block;
  #block: Block;
  /** What is open: a table's key stands directly in braces. */
  readonly #open: string[] = [];
  /** What the block of a `for` will declare. */
  #loop: { readonly names: Token[] } | undefined;
  /** An `until`, whose condition, up to the end of the line, still sees the block. */
  #until: Token | undefined;

  constructor(source: string, tokens: readonly Token[], root: Block) {
    this.#source = source;
    this.#tokens = tokens;
    this.#root = root;
    this.#block = root;
  }

  read(): void {
    for (let at = 0; at < this.#tokens.length; ) at = this.#readAt(at) + 1;
  }

  #text(at: number): string | undefined {
    return this.#tokens[at]?.text;
  }

  /** @returns the last token that it has read */
  #readAt(at: number): number {
    const token = this.#tokens[at];
    if (token === undefined) return at;
    if (this.#until !== undefined && this.#source.slice(this.#until.at, token.at).includes("\n")) {
      this.#until = undefined;
      this.#close();
    }
    token.block = this.#block;
    if (isName(token)) this.#readName(token, at);
    else if (token.text === "=") this.#markAssigned(at);
    return this.#readKeyword(token, at);
  }

  #readKeyword(token: Token, at: number): number {
    switch (token.text) {
      case "(":
      case "[":
      case "{":
        this.#open.push(token.text);
        break;
      case ")":
      case "]":
      case "}":
        this.#open.pop();
        break;
      case "then":
        this.#openBlock(at, "branch");
        break;
      case "repeat":
        this.#openBlock(at, "loop");
        break;
      case "while":
        this.#loop = { names: [] };
        break;
      case "do":
        this.#openBlock(at, this.#loop === undefined ? "branch" : "loop");
        for (const name of this.#loop?.names ?? []) this.#declare(name);
        this.#loop = undefined;
        break;
      case "else":
        this.#close();
        this.#openBlock(at, "branch");
        break;
      case "until":
        this.#until = token;
        break;
      case "elseif":
      case "end":
        this.#close();
        break;
      case "function":
        return this.#readFunction(at);
      case "for":
        return this.#readFor(at);
      case "local":
        return this.#readLocal(at);
    }
    return at;
  }

  #openBlock(openedAt: number, kind: Block["kind"]): void {
    this.#open.push(kind);
    this.#block = { parent: this.#block, openedAt, kind, names: new Map() };
  }

  #close(): void {
    this.#open.pop();
    this.#block = this.#block.parent ?? this.#root;
  }

  #readName(token: Token, at: number): void {
    const before = this.#text(at - 1);
    const after = this.#text(at + 1);
    const isField = before === "." || before === ":";
    const isKey =
      this.#open.at(-1) === "{" && after === "=" && (before === "{" || before === "," || before === ";");
    if (isField || isKey) return;
    token.isVariable = true;
    for (let block: Block | undefined = this.#block; block !== undefined; block = block.parent) {
      token.binding = block.names.get(token.text);
      if (token.binding !== undefined) return;
    }
  }

  #declare(token: Token, requires?: string): void {
    const isTop = this.#block === this.#root;
    const hidesTop = token.text !== "_" && this.#root.names.has(token.text);
    token.block = this.#block;
    token.binding = { name: token.text, isTop, hidesTop, ...(requires !== undefined && { requires }) };
    token.isVariable = true;
    token.isDeclaration = true;
    this.#block.names.set(token.text, token.binding);
  }

  /** What its name is made of is read as any name; its parameters belong to its block. */
  #readFunction(at: number): number {
    let next = at + 1;
    while (next < this.#tokens.length && this.#text(next) !== "(") next = this.#readAt(next) + 1;
    const first = next + 1;
    while (next < this.#tokens.length && this.#text(next) !== ")") next++;
    this.#openBlock(next, "function");
    for (const token of this.#tokens.slice(first, next)) if (isName(token)) this.#declare(token);
    return next;
  }

  #readFor(at: number): number {
    const names: Token[] = [];
    let next = at + 1;
    for (; next < this.#tokens.length && this.#text(next) !== "=" && this.#text(next) !== "in"; next++) {
      const name = this.#tokens[next];
      if (name !== undefined && isName(name)) names.push(name);
    }
    this.#loop = { names };
    return next;
  }

  #readLocal(at: number): number {
    const isFunction = this.#text(at + 1) === "function";
    let next = isFunction ? at + 2 : at + 1;
    for (; ; next += 2) {
      const name = this.#tokens[next];
      if (name === undefined) return next;
      this.#declare(name, isFunction ? undefined : requiredAt(this.#tokens, next + 1));
      if (isFunction || this.#text(next + 1) !== ",") break;
    }
    if (isFunction) return this.#readFunction(next);
    // This equals sign assigns to nothing that was declared before.
    return this.#text(next + 1) === "=" ? next + 1 : next;
  }

  #markAssigned(at: number): void {
    for (let name = at - 1; this.#tokens[name]?.isVariable === true; name -= 2) {
      const token = this.#tokens[name];
      if (token !== undefined) token.isAssigned = true;
      if (this.#text(name - 1) !== ",") return;
    }
  }
}

/** The module in `= require("module")`. */
function requiredAt(tokens: readonly Token[], at: number): string | undefined {
  const [equals, require, bracket, module] = tokens.slice(at, at + 4).map(({ text }) => text);
  return equals === "=" && require === "require" && bracket === "(" ? module?.slice(1, -1) : undefined;
}

const NO_START: ReadonlySet<string> = new Set(["end", ")", "}", "]", "else", "elseif", "until"]);

function statementsOf(source: string, tokens: readonly Token[]): LuaStatement[] {
  const starts: number[] = [];
  tokens.forEach(({ text, at, block }, index) => {
    const isFirst = at === 0 || source[at - 1] === "\n";
    if (isFirst && block.kind === "file" && !NO_START.has(text)) starts.push(index);
  });
  return starts.map((first, index) => {
    const end = starts[index + 1] ?? tokens.length;
    return { first, end, ...declaredIn(tokens, first, end) };
  });
}

function declaredIn(
  tokens: readonly Token[],
  first: number,
  end: number,
): Pick<LuaStatement, "kind" | "names"> {
  const [word, next, equals, value] = tokens.slice(first, first + 4);
  if (word?.text === "return") return { kind: "return", names: [] };
  if (word?.text !== "local") return { kind: "other", names: [] };
  const names = tokens
    .slice(first, end)
    .filter(({ isDeclaration, binding }) => isDeclaration === true && binding?.isTop === true)
    .map(({ text }) => text);
  if (next?.binding?.requires !== undefined) return { kind: "require", names };
  if (equals?.text === "=" && value?.text === "command") return { kind: "command", names };
  const isFunction = next?.text === "function" || (equals?.text === "=" && value?.text === "function");
  return { kind: isFunction ? "function" : "local", names };
}
