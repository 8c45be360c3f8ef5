// The size of src/ and how its rooms depend on each other. Tests do not count.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import ts from "typescript";
import { filesUnder } from "./files.mjs";
import { oldWordsIn } from "./words.mjs";

/** Where each story of a job begins. Of two names, one is of the house's former layout, which the numbers are compared with. */
const stories = {
  submit: ["src/core/submit/submitter.ts", "src/submit/submitter.ts"],
  "claim to completion": [
    "src/core/bullmq/claim/job-consumer.ts",
    "src/core/run/run-attempt.ts",
    "src/core/effect/effects.ts",
    "src/queue/job-consumer.ts",
    "src/worker/run-attempt.ts",
    "src/effect/effects.ts",
  ],
  retry: ["src/desk/jobs/retry-job.ts", "src/effect/retry-job.ts"],
};

/** From the inside out. A former layout has rooms in their place. */
const rings = ["platform", "evidence", "core", "postgres", "roles", "features", "desk", "edges", "testing"];

/** Three tables: what the house measures as a whole, ring by ring, and folder by folder. */
export function houseReport() {
  const modules = readModules();
  const lengths = modules.flatMap((module) => functionLengths(module.tree)).sort((a, b) => a - b);
  const pairs = pairsOf(modules);
  const totals = [
    ["lines of `src/`", linesOf(sourceFiles())],
    ["files", sourceFiles().length],
    ...Object.entries(stories).map(([story, starts]) => {
      const files = reachedFrom(modules, starts);
      return [`files, lines: ${story}`, `${files.length}, ${linesOf(files)}`];
    }),
    ["imports core → features, desk, edges", importsOutOfCore(modules)],
    ["requires of core's Lua from outside", requiresOutOfCore()],
    ["files outside of its folder that know a feature: lists, others", knownFeatures(modules).join(", ")],
    ["files of at most 25 lines", sourceFiles().filter((file) => linesOf([file]) <= 25).length],
    ["longest chain of imports", longestChain(modules)],
    ["functions", lengths.length],
    [
      "function length: median, p90, longest",
      [0.5, 0.9, 1].map((part) => quantile(lengths, part)).join(", "),
    ],
    ["functions above 60 lines", lengths.filter((length) => length > 60).length],
    ["pairs of rings that import", pairs.size],
    ["imports outwards", importsUphill(pairs).length],
    ["most source files in one folder", Math.max(...foldersBySize().map(([, files]) => files.length))],
    ["uses of old words in `src/` and `docs/`", oldWordsIn(["src", "docs"].filter(existsSync)).length],
  ];
  const perRing = [...groupBy(sourceFiles(), roomOf)].map(([room, files]) => {
    const own = modules.filter(({ file }) => roomOf(file) === room);
    const lengths = own.flatMap(({ tree }) => functionLengths(tree));
    return [room, linesOf(files), files.length, lengths.length, Math.max(0, ...lengths)];
  });
  return [
    table(["number", "value"], totals),
    table(["ring", "lines", "files", "functions", "longest function"], perRing.sort(inOrderOfRings)),
    table(
      ["folder", "lines", "files"],
      foldersBySize().map(([folder, files]) => [folder, linesOf(files), files.length]),
    ),
  ].join("\n\n");
}

function inOrderOfRings([a], [b]) {
  return rings.indexOf(a) - rings.indexOf(b);
}

function foldersBySize() {
  return [...groupBy(sourceFiles(), path.dirname)].sort(([, a], [, b]) => b.length - a.length);
}

/** Also those of a type alone, and of Lua. */
function importsOutOfCore(modules) {
  const isOutside = (file) => /^src\/(features|desk|edges)\//.test(file);
  const ofModules = modules.filter(({ file }) => roomOf(file) === "core").flatMap(({ imports }) => imports);
  const ofLua = sourceFiles()
    .filter((file) => file.endsWith(".lua") && roomOf(file) === "core")
    .flatMap((file) => requiredBy(file));
  return ofModules.filter(({ to }) => isOutside(to)).length + ofLua.filter(isOutside).length;
}

function requiresOutOfCore() {
  const lua = sourceFiles().filter((file) => file.endsWith(".lua") && roomOf(file) === "core");
  return lua.flatMap(requiredBy).filter((to) => !["core", "platform"].includes(roomOf(to))).length;
}

/** How many files know any feature: those directly in features/, and all others. */
function knownFeatures(modules) {
  const isList = (file) => /^src\/features\/[^/]+$/.test(file);
  const knowing = filesThatKnow(modules)
    .filter(({ file, to }) =>
      to.map(featureOf).some((name) => name !== undefined && name !== featureOf(file)),
    )
    .map(({ file }) => file);
  const lists = knowing.filter(isList).length;
  return [lists, knowing.length - lists];
}

function filesThatKnow(modules) {
  const lua = sourceFiles().filter((file) => file.endsWith(".lua"));
  return [
    ...modules.map(({ file, imports }) => ({ file, to: imports.map((each) => each.to) })),
    ...lua.map((file) => ({ file, to: requiredBy(file) })),
  ];
}

/** How many files the longest chain has, each of which loads the next. What is imported on demand counts, types alone do not. */
function longestChain(modules) {
  const byFile = new Map(modules.map((module) => [module.file, module]));
  const known = new Map();
  const lengthFrom = (file) => {
    if (known.has(file)) return known.get(file);
    known.set(file, 0);
    const loaded = (byFile.get(file)?.imports ?? []).filter(({ isTypeOnly }) => !isTypeOnly);
    const length = 1 + Math.max(0, ...loaded.map(({ to }) => lengthFrom(to)));
    known.set(file, length);
    return length;
  };
  return Math.max(...modules.map(({ file }) => lengthFrom(file)));
}

/** A line for each Lua file that requires what is further out, or another feature's. What features share is beside their folders. */
export function strayRequires() {
  const isStray = (file, to) =>
    isOutwards(file, to) || ![undefined, featureOf(file)].includes(featureOf(file) && featureOf(to));
  return sourceFiles()
    .filter((file) => file.endsWith(".lua"))
    .flatMap((file) => requiredBy(file).map((to) => ({ file, to })))
    .filter(({ file, to }) => isStray(file, to))
    .map(({ file, to }) => `${file} requires ${to}`);
}

/** The pairs with the fewest imports first, each with the imports that carry it. */
export function pairsReport() {
  return [...pairsOf(readModules())]
    .sort(([, a], [, b]) => a.length - b.length)
    .map(([pair, imports]) => [`${pair}: ${imports.length}`, ...imports.map(importLine)].join("\n"))
    .join("\n");
}

/** Each feature's lines, Lua included, and the files outside of its folder that know it. */
export function featuresReport() {
  const modules = readModules();
  const known = filesThatKnow(modules);
  const rows = [...groupBy(sourceFiles().filter(featureOf), featureOf)].map(([feature, files]) => {
    const outside = known.filter(
      ({ file, to }) => featureOf(file) !== feature && to.some((each) => featureOf(each) === feature),
    );
    return [feature, linesOf(files), outside.map(({ file }) => file.replace("src/", "")).join(", ")];
  });
  return table(["feature", "lines", "known to"], rows);
}

/** The folder in features/ that a file is in. */
function featureOf(file) {
  const [, room, feature, below] = file.split(path.sep);
  return room === "features" && below !== undefined ? feature : undefined;
}

/** A line for each folder that has more than `most` source files. */
export function crowdedFolders(most) {
  return foldersBySize()
    .filter(([, files]) => files.length > most)
    .map(([folder, files]) => `${folder} has ${files.length} source files; ${most} are the most`);
}

/** A line for each function of these files that is longer than `most` lines; callbacks are functions, too. */
export function longFunctions(files, most) {
  return files.map(readModule).flatMap(({ file, tree }) =>
    functionLengths(tree, isFunction)
      .filter((length) => length > most)
      .map((length) => `${file} has a function of ${length} lines; ${most} are the most`),
  );
}

function importLine({ from, to }) {
  return `  ${from} → ${to}`;
}

function sourceFiles() {
  return filesUnder("src").filter((file) => /\.(ts|lua)$/.test(file) && !file.endsWith(".test.ts"));
}

function readModules() {
  return sourceFiles()
    .filter((file) => file.endsWith(".ts"))
    .map(readModule);
}

function readModule(file) {
  const text = readFileSync(file, "utf8");
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  return { file, text, tree, imports: importsOf(file, tree) };
}

/** All imports of files in src/, also on demand and of a type alone: `to`, and whether nothing but types is imported. */
function importsOf(file, tree) {
  const imports = [];
  const visit = (node) => {
    const specifier = specifierOf(node);
    if (specifier?.startsWith("."))
      imports.push({ to: path.join(path.dirname(file), specifier), isTypeOnly: isTypeOnly(node) });
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return imports;
}

function specifierOf(node) {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier?.text;
  if (ts.isImportTypeNode(node)) return node.argument.literal?.text;
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
    return node.arguments[0]?.text;
}

function isTypeOnly(node) {
  if (ts.isImportTypeNode(node)) return true;
  if (ts.isExportDeclaration(node)) return node.isTypeOnly;
  if (!ts.isImportDeclaration(node) || node.importClause === undefined) return false;
  const { isTypeOnly, name, namedBindings } = node.importClause;
  if (isTypeOnly || name !== undefined) return isTypeOnly;
  return namedBindings?.elements?.every((element) => element.isTypeOnly) ?? false;
}

/** Files directly in src/ are the package's entries and no room. */
function roomOf(file) {
  const [, room, below] = file.split(path.sep);
  return below === undefined ? "entries" : room;
}

function pairsOf(modules) {
  const imports = modules
    .flatMap(({ file, imports }) => imports.map(({ to }) => ({ from: file, to })))
    .filter(({ from, to }) => roomOf(from) !== roomOf(to) && roomOf(from) !== "entries");
  return groupBy(imports, ({ from, to }) => `${roomOf(from)} → ${roomOf(to)}`);
}

function importsUphill(pairs) {
  return [...pairs.values()].flat().filter(({ from, to }) => isOutwards(from, to));
}

/** By the ranks of the checkout's own import rules. */
function isOutwards(from, to) {
  const { forbidden } = createRequire(path.resolve("package.json"))("./.dependency-cruiser.cjs");
  const ranks = forbidden.filter(({ name }) => name.startsWith("rank-"));
  return ranks.some((rank) => new RegExp(rank.from.path).test(from) && new RegExp(rank.to.path).test(to));
}

/** The files that are loaded from there on, without types alone, and the Lua that they name. */
function reachedFrom(modules, starts) {
  const byFile = new Map(modules.map((module) => [module.file, module]));
  const reached = new Set();
  const visit = (file) => {
    const module = byFile.get(file);
    if (module === undefined || reached.has(file)) return;
    reached.add(file);
    for (const { to, isTypeOnly } of module.imports) if (!isTypeOnly) visit(to);
  };
  starts.forEach(visit);
  return [...new Set([...reached].flatMap((file) => [file, ...luaOf(byFile.get(file))]))];
}

function luaOf({ file, text }) {
  const names = text.matchAll(/"([\w-]+\.lua)"/g);
  return [...names]
    .map(([, name]) => path.join(path.dirname(file), name))
    .filter(existsSync)
    .flatMap(withRequired);
}

function withRequired(file) {
  return [file, ...requiredBy(file).flatMap(withRequired)];
}

function requiredBy(file) {
  const names = readFileSync(file, "utf8").matchAll(/\brequire\s*\(?\s*(["'])(\.[^"']+)\1/g);
  return [...names].map(([, , name]) => `${path.join(path.dirname(file), name)}.lua`);
}

/** Of functions that have a name; a callback belongs to the function around it. */
function functionLengths(tree, isCounted = isNamedFunction) {
  const lengths = [];
  const visit = (node) => {
    if (isCounted(node)) lengths.push(linesBetween(tree, node.getStart(tree), node.end));
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return lengths;
}

function isFunction(node) {
  return ts.isFunctionLike(node) && node.body !== undefined;
}

function isNamedFunction(node) {
  if (!isFunction(node)) return false;
  if (!ts.isArrowFunction(node) && !ts.isFunctionExpression(node)) return true;
  return ts.isVariableDeclaration(node.parent) || ts.isPropertyAssignment(node.parent);
}

function groupBy(items, keyOf) {
  const groups = new Map();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}

function linesBetween(tree, start, end) {
  const lineOf = (position) => tree.getLineAndCharacterOfPosition(position).line;
  return lineOf(end) - lineOf(start) + 1;
}

function linesOf(files) {
  const lines = (file) => readFileSync(file, "utf8").split("\n").length - 1;
  return files.reduce((sum, file) => sum + lines(file), 0);
}

function quantile(sorted, part) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}

function table(head, rows) {
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
