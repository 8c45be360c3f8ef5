import { readSyntax, type Token } from "../../../src/platform/redis/lua/lua-syntax.ts";
import type { Span } from "./places.ts";

const ENDS = new Set(
  "then do return if elseif while until local end else for repeat , ; = in function break".split(" "),
);

/**
 * Each condition of a script: of `if` and `while` the whole, which becomes true and false; of `and` and `or` each side, which is left out. A
 * literal, a constant, or a text that is put together is a value, and no condition.
 */
export function* conditionsOfLua(file: string, source: string): Iterable<readonly [Span, string]> {
  const { tokens } = readSyntax(file, source);
  const span = (first: number, last: number): Span => {
    const [from, to] = [tokens[first] as Token, tokens[last] as Token];
    return { from: from.at, to: to.at + to.text.length };
  };
  for (const [at, { text }] of tokens.entries()) {
    if (text === "if" || text === "elseif" || text === "while") {
      const end = tokens.findIndex((token, index) => index > at && /^(then|do)$/.test(token.text));
      yield [span(at + 1, end - 1), "true"];
      yield [span(at + 1, end - 1), "false"];
    }
    if (text !== "and" && text !== "or") continue;
    const becomes = text === "and" ? "true" : "false";
    for (const [first, last] of [
      [endOfSide(tokens, at, -1), at - 1],
      [at + 1, endOfSide(tokens, at, 1)],
    ] as const)
      if (!isValue(tokens.slice(first, last + 1).map((token) => token.text)))
        yield [span(first, last), becomes];
  }
}

function isValue([first = "", ...rest]: readonly string[]): boolean {
  const isConstant =
    /^(["'\d{]|[A-Z_]{2,}$|(true|false|nil)$)/.test(first) || [first, ...rest].join("") === "cjson.null";
  return isConstant && !rest.some((text) => /^(and|or|not|[=~<>]=|[<>])$/.test(text));
}

/** `and` binds more than `or`. */
function isOtherSide(operator: string, text: string): boolean {
  return text === "or" || (text === "and" && operator === "and");
}

/** The first or the last token of what stands beside an operator: before it with a step of -1, behind it with 1. */
function endOfSide(tokens: readonly Token[], operator: number, step: 1 | -1): number {
  const own = tokens[operator]?.text ?? "";
  const closes = step === 1 ? ")]}" : "([{";
  for (let at = operator + step; ; ) {
    const end = matching(tokens, at, step);
    const beyond = tokens[end + step]?.text ?? ";";
    const isEnd = isOtherSide(own, beyond) || ENDS.has(beyond) || closes.includes(beyond);
    if (isEnd || isNewStatement(tokens, step === 1 ? end + 1 : end)) return end;
    at = end + step;
  }
}

/** A name behind what ends an operand begins another statement. */
function isNewStatement(tokens: readonly Token[], at: number): boolean {
  const [before, text] = [tokens[at - 1]?.text ?? "", tokens[at]?.text ?? ""];
  const endsOperand = /^["'\w)\]}]/.test(before) && !/^(and|or|not)$/.test(before);
  return endsOperand && /^[A-Za-z_]/.test(text) && !/^(and|or)$/.test(text);
}

/** The bracket that belongs to this one; itself where it is none in this direction. */
function matching(tokens: readonly Token[], at: number, step: 1 | -1): number {
  const [opens, closes] = step === 1 ? ["([{", ")]}"] : [")]}", "([{"];
  let depth = 0;
  for (let index = at; ; index += step) {
    const text = tokens[index]?.text ?? "";
    if (text !== "" && opens.includes(text)) depth += 1;
    if (text !== "" && closes.includes(text)) depth -= 1;
    if (depth <= 0 || index < 0 || index > tokens.length) return index;
  }
}
