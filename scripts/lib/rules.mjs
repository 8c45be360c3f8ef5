// What CONTRIBUTING.md asks of sources and tests, and no other tool finds.
import { readFileSync } from "node:fs";
import ts from "typescript";
import { filesUnder } from "./files.mjs";
import { capture } from "./run.mjs";

/** Loads what people wrote, by the path that they gave. */
const loadsByPath = "src/edges/cli/load-application.ts";

/** A line for each place that breaks a rule. */
export function brokenRules() {
  const files = ["src", "console", "lab", "test", "jobs", "dev", "examples/providers"].flatMap(filesUnder);
  const all = files.filter((file) => /(?<!\.d)\.tsx?$/.test(file)).map(readTree);
  const isTest = ({ file }) => file.endsWith(".test.ts");
  const asserting = namesThatAssert(all.filter((each) => isTest(each) || each.file.startsWith("test/")));
  return [
    ...all.filter((each) => /^(src|console)\//.test(each.file) && !isTest(each)).flatMap(brokenInSource),
    ...all.filter(isTest).flatMap((each) => brokenInTest(each, asserting)),
  ];
}

function readTree(file) {
  const text = readFileSync(file, "utf8");
  return {
    file,
    text,
    pauses: pausesOf(text),
    tree: ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true),
  };
}

/** What `faultOf` says of each node, with its place. */
function faultsIn({ file, tree }, faultOf) {
  const faults = [];
  const visit = (node) => {
    const fault = faultOf(node);
    if (fault !== undefined) {
      const { line } = tree.getLineAndCharacterOfPosition(node.getStart(tree));
      faults.push(`${file}:${line + 1} ${fault}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return faults;
}

function brokenInSource(source) {
  const { file, text } = source;
  const comment =
    /@ts-(?:expect-error|ignore|nocheck)|biome-ignore \S+(?:noExplicitAny|noNonNullAssertion|noProcessEnv)/;
  const hushed = text
    .split("\n")
    .flatMap((line, at) => (comment.test(line) ? [`${file}:${at + 1} hides a fault from the gate`] : []));
  return [...hushed, ...faultsIn(source, (node) => hiddenType(node) ?? hiddenImport(node, file))];
}

/** A type that nothing has checked, where the compiler and the linter see none. */
function hiddenType(node) {
  if (ts.isAsExpression(node) && ts.isAsExpression(node.expression) && isUnknown(node.expression.type))
    return "casts by way of `unknown`";
  if (ts.isPropertyDeclaration(node) && node.exclamationToken !== undefined)
    return "says that a property is set, which nothing checks";
  if (isParsing(node) && !hasType(node)) return "reads a text whose type is `any`";
  if (isEnvironmentOfProcess(node)) return "reads the environment by another name";
}

function isUnknown(type) {
  return type.kind === ts.SyntaxKind.UnknownKeyword;
}

function isParsing(node) {
  return ts.isCallExpression(node) && node.expression.getText() === "JSON.parse";
}

/** What becomes of it gets a type: it is no place from which a member of `any` is read. */
function hasType({ parent }) {
  if (ts.isVariableDeclaration(parent)) return parent.type !== undefined;
  return ![
    ts.isPropertyAccessExpression,
    ts.isElementAccessExpression,
    ts.isSpreadAssignment,
    ts.isSpreadElement,
    ts.isCallExpression,
  ].some((isOf) => isOf(parent) && !(ts.isCallExpression(parent) && parent.arguments.length > 0));
}

function isEnvironmentOfProcess(node) {
  const isEnv = (name) => name?.getText() === "env";
  return (
    ts.isVariableDeclaration(node) &&
    node.initializer?.getText() === "process" &&
    ts.isObjectBindingPattern(node.name) &&
    node.name.elements.some(({ name, propertyName }) => isEnv(propertyName ?? name))
  );
}

/** A way to another file that the rules of imports do not see. */
function hiddenImport(node, file) {
  if (ts.isIdentifier(node) && node.text === "createRequire") return "loads by createRequire";
  if (
    ts.isNewExpression(node) &&
    /^URL\("\.[^"]+\.[jt]s", import\.meta\.url\)$/.test(node.getText().slice(4))
  )
    return "names a module by its address";
  if (!ts.isCallExpression(node)) return;
  const isImport = node.expression.kind === ts.SyntaxKind.ImportKeyword;
  const isLiteral = node.arguments[0] !== undefined && ts.isStringLiteral(node.arguments[0]);
  if (isImport && !isLiteral && file !== loadsByPath) return "imports a path that is made as it runs";
}

const refused = /^(?:skip|only|todo|fails|skipIf)$/;
const refusedOption = /\b(?:skip|only|todo|fails|retry)\b/;

function brokenInTest(source, asserting) {
  return faultsIn(source, (node) => {
    if (leavesOut(node) || isConditionalWithoutWhy(node, source))
      return "leaves a test out, or tries it again";
    if (isPauseWithoutWhy(node, source)) return "pauses, and does not say why";
    if (ts.isExpressionStatement(node) && /^expect\([^)]*\);?$/.test(node.getText()))
      return "expects nothing";
    if (!isTestCall(node)) return;
    const body = node.arguments.findLast(ts.isFunctionLike);
    if (body !== undefined && !asserts(body, asserting)) return "is a test that expects nothing";
  });
}

/** `it.skip`, `{ retry: 2 }`, `({ skip }) =>`, `xit`, … */
function leavesOut(node) {
  if (ts.isIdentifier(node)) return /^[xf](?:it|test|describe)$/.test(node.text);
  if (ts.isPropertyAccessExpression(node))
    return /^(?:it|test|describe|context|ctx)$/.test(rootOf(node)) && refused.test(node.name.text);
  if (ts.isBindingElement(node)) return node.name.getText() === "skip" && ts.isParameter(node.parent.parent);
  return (
    isTestCall(node) &&
    node.arguments.some((each) => ts.isObjectLiteralExpression(each) && refusedOption.test(membersOf(each)))
  );
}

/** A test that not every machine can run has `runIf`, and says why in a comment above it. */
function isConditionalWithoutWhy(node, { text }) {
  if (!ts.isPropertyAccessExpression(node) || node.name.text !== "runIf") return false;
  return !(text.slice(0, node.getStart()).split("\n").at(-2) ?? "").trim().startsWith("//");
}

function membersOf(object) {
  return object.properties.map(({ name }) => name?.getText() ?? "").join(" ");
}

function rootOf(node) {
  while (ts.isPropertyAccessExpression(node) || ts.isCallExpression(node)) node = node.expression;
  return ts.isIdentifier(node) ? node.text : undefined;
}

function isTestCall(node) {
  return (
    ts.isCallExpression(node) &&
    /^(?:it|test|describe)$/.test(rootOf(node.expression)) &&
    node.arguments.length > 1
  );
}

/** A pause of a test says in a comment, on its line or above it, what it is: a client's pace, a moment of a fault. */
function isPauseWithoutWhy(node, { text, pauses }) {
  if (!ts.isAwaitExpression(node)) return false;
  const awaited = node.expression;
  const isPause =
    (ts.isCallExpression(awaited) && pauses.has(awaited.expression.getText())) ||
    (ts.isNewExpression(awaited) && /^new Promise\(.*setTimeout\(/s.test(awaited.getText()));
  if (!isPause) return false;
  const rest = text.slice(node.end, text.indexOf("\n", node.end));
  const above = text.slice(0, node.getStart()).split("\n").at(-2) ?? "";
  return ![rest, above].some((line) => /(?:^|\s)\/\/ /.test(line));
}

/** The names by which a file knows a pause; to wait for the turn's end is none. */
function pausesOf(text) {
  const imports = text.matchAll(/^import \{ (.+) \} from "(?:node:timers\/promises|.*\/lib\/wait\.ts)";/gm);
  return new Set(
    [...imports]
      .flatMap(([, names]) => names.split(", "))
      .filter((name) => /^(?:setTimeout|wait)\b/.test(name))
      .map((name) => name.split(" as ").at(-1)),
  );
}

/** The functions that fail when something is not as expected: they call `expect`, or one that does. */
function namesThatAssert(sources) {
  const known = new Set(["expect", "assert", "expectTypeOf", "assertType"]);
  const declared = sources.flatMap(({ tree }) => functionsIn(tree));
  for (let size = 0; size !== known.size; ) {
    size = known.size;
    for (const { name, body } of declared) if (asserts(body, known)) known.add(name);
  }
  return known;
}

function functionsIn(tree) {
  const found = [];
  const visit = (node) => {
    if (ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node)) {
      if (node.body !== undefined && node.name !== undefined)
        found.push({ name: node.name.getText(), body: node.body });
    } else if (
      (ts.isVariableDeclaration(node) || ts.isPropertyAssignment(node)) &&
      node.initializer !== undefined &&
      ts.isFunctionLike(node.initializer)
    )
      found.push({ name: node.name.getText(), body: node.initializer });
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

function asserts(node, known) {
  const isAsserting = (inner) =>
    (ts.isCallExpression(inner) &&
      (known.has(rootOf(inner.expression)) || known.has(lastOf(inner.expression)))) ||
    ts.isThrowStatement(inner);
  const visit = (inner) =>
    isAsserting(inner) || (ts.forEachChild(inner, (each) => visit(each) || undefined) ?? false);
  return visit(node);
}

function lastOf(node) {
  return ts.isPropertyAccessExpression(node) ? node.name.text : undefined;
}

/** Other tests run these: test/verify/package/examples.test.ts, `npm run compat`; and what takes the pictures of the docs is run by hand. */
const runElsewhere = /^(?:examples\/(?:testing|nestjs)|test\/pictures)\//;

/** A line for each file of tests, and each project of them, that `npm run verify` does not run. */
export async function testsThatDoNotRun() {
  const { code, output } = await capture(process.execPath, [
    "node_modules/vitest/vitest.mjs",
    "list",
    "--filesOnly",
  ]);
  if (code !== 0) return [output];
  const listed = [...output.matchAll(/^\[(.+?)\] (.+)$/gm)];
  const files = new Set(listed.map(([, , file]) => file));
  const scripts = ["scripts/lib/second-tier.mjs", "scripts/lib/phases.mjs"]
    .map((file) => readFileSync(file, "utf8"))
    .join("");
  const projects = new Set(listed.map(([, project]) => project));
  return [
    ...testFiles()
      .filter((file) => !files.has(file))
      .map((file) => `${file} belongs to no project of vitest.config.ts`),
    ...[...projects]
      .filter((project) => !scripts.includes(`"${project}"`))
      .map((project) => `npm run verify does not run the tests of ${project}`),
    ...(/^exec npm run verify$/m.test(readFileSync(".ci/run", "utf8"))
      ? []
      : [".ci/run does not run npm run verify"]),
  ];
}

function testFiles() {
  return ["src", "console", "lab", "test", "jobs", "dev", "examples", "scripts", "site", "ops"]
    .flatMap(filesUnder)
    .filter((file) => /\.(?:test|spec)\.[cm]?[jt]sx?$/.test(file))
    .filter((file) => !file.includes("node_modules") && !runElsewhere.test(file));
}
