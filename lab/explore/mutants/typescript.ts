import ts from "typescript";
import type { Span } from "./places.ts";

/**
 * The same conditions as in Lua: of `if`, `while` and `?:` the whole, of `&&` and `||` each side; also what a function returns that says whether
 * something is so, and each call that stands by itself, which is left out.
 */
export function* conditionsOfTypeScript(file: string, source: string): Iterable<readonly [Span, string]> {
  const pending: ts.Node[] = [ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true)];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    for (const [place, becomes] of changed(node))
      yield [{ from: place.getStart(), to: place.getEnd() }, becomes];
    pending.push(...node.getChildren());
  }
}

function changed(node: ts.Node): [ts.Node, string][] {
  const both = (place: ts.Node): [ts.Node, string][] => [
    [place, "true"],
    [place, "false"],
  ];
  if (ts.isIfStatement(node) || ts.isWhileStatement(node)) return both(node.expression);
  if (ts.isConditionalExpression(node)) return both(node.condition);
  if (
    ts.isPropertyAssignment(node) &&
    /^is/.test(node.name.getText()) &&
    ts.isArrowFunction(node.initializer)
  )
    return both(node.initializer.body);
  if (ts.isExpressionStatement(node) && CALL.test(node.getText())) return [[node.expression, "nothing"]];
  if (ts.isCallExpression(node) && /\.finally$/.test(node.expression.getText())) {
    const [given] = node.arguments;
    // What must be over before its caller goes on.
    return given !== undefined && ts.isArrowFunction(given) && !ts.isBlock(given.body)
      ? [[given.body, "nothing"]]
      : [];
  }
  if (!ts.isBinaryExpression(node)) return [];
  const becomes = others[node.operatorToken.kind];
  return becomes === undefined
    ? []
    : [
        [node.left, becomes],
        [node.right, becomes],
      ];
}

/** Not of a log, an event or a failpoint. */
const CALL = /^(?!super|emit\(|(await )?failpoint|.*log\()(await |[\w.#?]+\()/;

const others: Readonly<Partial<Record<ts.SyntaxKind, string>>> = {
  [ts.SyntaxKind.AmpersandAmpersandToken]: "true",
  [ts.SyntaxKind.BarBarToken]: "false",
};
