import { lineAt, readSyntax, type Token } from "../../../src/platform/redis/lua/lua-syntax.ts";

/** A script in which one condition is another. */
export interface Mutant {
  readonly script: string;
  /** Line of the linked script. */
  readonly line: number;
  /** What the condition was. */
  readonly was: string;
  readonly becomes: string;
  readonly text: string;
  /** What is noted of the script where this mutant would have gone on otherwise. */
  readonly differsAt: string;
}

/** A part of a text, by its characters. */
interface Span {
  readonly from: number;
  readonly to: number;
}

const CLOSES: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}", function: "end" };
const ENDS = new Set(
  "then do return if elseif while until local end else for repeat , ; = in function break".split(" "),
);

/** A condition of a script, and what it is made instead. */
interface Condition {
  readonly span: Span;
  readonly others: readonly ("true" | "false")[];
}

/** Each condition of a script: of `if` and `while` the whole, which becomes true and false; of `and` and `or` each side, which is left out. */
function conditionsOf(script: string, source: string): Condition[] {
  const { tokens } = readSyntax(script, source);
  const found = new Map<string, Condition>();
  const add = (span: Span | undefined, other: "true" | "false") => {
    if (span === undefined) return;
    const key = `${span.from} ${span.to}`;
    const { others = [] } = found.get(key) ?? {};
    if (!others.includes(other)) found.set(key, { span, others: [...others, other] });
  };
  for (const [at, { text }] of tokens.entries())
    for (const { span, others } of conditionsAt(tokens, at, text))
      for (const other of others) add(span, other);
  return [...found.values()];
}

function conditionsAt(
  tokens: readonly Token[],
  at: number,
  text: string,
): { span: Span | undefined; others: readonly ("true" | "false")[] }[] {
  if (text === "if" || text === "elseif" || text === "while")
    return [{ span: wholeFrom(tokens, at), others: ["true", "false"] }];
  if (text !== "and" && text !== "or") return [];
  const others = [text === "and" ? "true" : "false"] as const;
  return [sideBefore(tokens, at), sideAfter(tokens, at)].map((span) => ({ span, others }));
}

/** All mutants of a script. */
export function mutantsOf(script: string, source: string): Mutant[] {
  return conditionsOf(script, source).flatMap(({ span, others }, id) =>
    others.map((becomes) => mutantOf(script, source, id, span, becomes)),
  );
}

/** Where the explorer's scripts note what conditions were: a set in a database of its own. */
export const NOTED = "conditions";

const NOTE = (script: string, database: number) => `local function noted(id, value)
  redis.call("SELECT", ${database})
  redis.call("SADD", "${NOTED}", "${script} " .. id .. (value and " true" or " false"))
  redis.call("SELECT", 0)
  return value
end
`;

/** The script, which notes what each of its conditions was. */
export function watched(script: string, source: string, database: number): string {
  const at = new Map<number, string>();
  const put = (where: number, text: string, isBefore: boolean) => {
    const there = at.get(where) ?? "";
    at.set(where, isBefore ? text + there : there + text);
  };
  // Inner ones last: what stands at the same place is nested.
  const all = conditionsOf(script, source).map(({ span }, id) => ({ ...span, id }));
  for (const { from, to, id } of all.sort((a, b) => a.to - a.from - (b.to - b.from))) {
    put(from, `noted(${id}, (`, true);
    put(to, "))", false);
  }
  let text = "";
  let last = 0;
  for (const where of [...at.keys()].sort((a, b) => a - b)) {
    text += source.slice(last, where) + at.get(where);
    last = where;
  }
  const [shebang = ""] = /^#!.*\n/.exec(source) ?? [];
  const body = (text + source.slice(last)).slice(shebang.length);
  return shebang + NOTE(script, database) + body;
}

function mutantOf(
  script: string,
  source: string,
  id: number,
  { from, to }: Span,
  becomes: "true" | "false",
): Mutant {
  const was = source.slice(from, to);
  const text = `${source.slice(0, from)}${becomes}${source.slice(to)}`;
  // It is another program only where the condition was not that already.
  const differsAt = `${script} ${id} ${becomes === "true" ? "false" : "true"}`;
  return { script, line: lineAt(source, from), was, becomes, text, differsAt };
}

/** The condition behind a keyword. */
function wholeFrom(tokens: readonly Token[], at: number): Span | undefined {
  let end = at + 1;
  while (end < tokens.length && tokens[end]?.text !== "then" && tokens[end]?.text !== "do") end += 1;
  return spanOf(tokens, at + 1, end - 1);
}

function sideAfter(tokens: readonly Token[], operator: number): Span | undefined {
  const stops = tokens[operator]?.text === "and" ? new Set(["and", "or"]) : new Set(["or"]);
  let at = operator + 1;
  while (at < tokens.length && !isEnd(tokens[at], stops, ")]}")) {
    if (at > operator + 1 && startsStatement(tokens, at)) break;
    at = closing(tokens, at) + 1;
  }
  return spanOf(tokens, operator + 1, at - 1);
}

function sideBefore(tokens: readonly Token[], operator: number): Span | undefined {
  const stops = tokens[operator]?.text === "and" ? new Set(["and", "or"]) : new Set(["or"]);
  let at = operator - 1;
  while (at > 0 && !isEnd(tokens[at], stops, "([{")) {
    const opened = opening(tokens, at);
    if (startsStatement(tokens, opened)) {
      at = opened - 1;
      break;
    }
    at = opened - 1;
  }
  return spanOf(tokens, at + 1, operator - 1);
}

/** Whether the side of an operator ends before this token; `bracket` are those that stand around it, not in it. */
function isEnd(token: Token | undefined, stops: ReadonlySet<string>, bracket: string): boolean {
  const text = token?.text ?? "";
  return stops.has(text) || ENDS.has(text) || bracket.includes(text);
}

/** A name behind what ends an operand begins another statement. */
function startsStatement(tokens: readonly Token[], at: number): boolean {
  const [before, text] = [tokens[at - 1]?.text ?? "", tokens[at]?.text ?? ""];
  const isOperand = (word: string) =>
    /^["'\w[]/.test(word) && !/^(and|or|not|return|then|do|else|local|in)$/.test(word);
  return (
    (isOperand(before) || /^[)\]}]$/.test(before)) && /^[A-Za-z_]/.test(text) && !/^(and|or)$/.test(text)
  );
}

/** The token that closes what this one opens; itself where it opens nothing. */
function closing(tokens: readonly Token[], at: number): number {
  const close = CLOSES[tokens[at]?.text ?? ""];
  if (close === undefined || close === "end") return at;
  let depth = 0;
  for (let index = at; index < tokens.length; index += 1) {
    const text = tokens[index]?.text ?? "";
    if ("([{".includes(text)) depth += 1;
    if (")]}".includes(text)) depth -= 1;
    if (depth === 0) return index;
  }
  return at;
}

function opening(tokens: readonly Token[], at: number): number {
  if (!")]}".includes(tokens[at]?.text ?? "")) return at;
  let depth = 0;
  for (let index = at; index >= 0; index -= 1) {
    const text = tokens[index]?.text ?? "";
    if (")]}".includes(text)) depth += 1;
    if ("([{".includes(text)) depth -= 1;
    if (depth === 0) return index;
  }
  return at;
}

function spanOf(tokens: readonly Token[], first: number, last: number): Span | undefined {
  const [from, to] = [tokens[first], tokens[last]];
  return from === undefined || to === undefined || last < first
    ? undefined
    : { from: from.at, to: to.at + to.text.length };
}
