import { readFileSync } from "node:fs";
import ts from "typescript";

/** One place of a file that is other than as it ships. */
export interface Change {
  /** From the repository's root. */
  readonly file: string;
  readonly line: number;
  readonly was: string;
  readonly becomes: string;
  readonly from: number;
  readonly to: number;
}

const root = new URL("../../../", import.meta.url);

/** The same conditions as in Lua: of `if`, `while` and `?:` the whole, of `&&` and `||` each side, which is left out. */
export function changesOf(file: string): Change[] {
  const source = readFileSync(new URL(file, root), "utf8");
  const tree = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true);
  const found = new Map<string, Change>();
  const add = (node: ts.Expression, ...others: readonly string[]) => {
    const [from, to] = [node.getStart(), node.getEnd()];
    const line = tree.getLineAndCharacterOfPosition(from).line + 1;
    for (const becomes of others)
      found.set(`${from} ${to} ${becomes}`, { file, line, was: source.slice(from, to), becomes, from, to });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isIfStatement(node) || ts.isWhileStatement(node)) add(node.expression, "true", "false");
    if (ts.isConditionalExpression(node)) add(node.condition, "true", "false");
    if (ts.isBinaryExpression(node)) {
      const other = others[node.operatorToken.kind];
      if (other !== undefined) for (const side of [node.left, node.right]) add(side, other);
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return [...found.values()];
}

const others: Readonly<Partial<Record<ts.SyntaxKind, string>>> = {
  [ts.SyntaxKind.AmpersandAmpersandToken]: "true",
  [ts.SyntaxKind.BarBarToken]: "false",
};
