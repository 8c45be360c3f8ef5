import { basename, dirname } from "node:path";
import {
  type Binding,
  type Block,
  type LuaStatement,
  type LuaSyntax,
  lineAt,
  readSyntax,
  type Token,
} from "./lua-syntax.ts";

/** A declaration outside of every block. */
export interface Unit {
  readonly module: Module;
  readonly statement: LuaStatement;
}

/** A Lua file: what it declares, what of that others may use, and, of a command, what it is called with. */
export interface Module extends LuaSyntax {
  readonly path: string;
  /** Whether Redis runs it, or BullMQ's script behind it; nothing requires it. */
  readonly isScript: boolean;
  readonly units: ReadonlyMap<string, Unit>;
  /** The names that others use, and the declarations' own. */
  readonly exports: ReadonlyMap<string, string>;
  readonly command: Command | undefined;
}

/** What a script is called with, by names: the text that each stands for. */
interface Command {
  readonly flags: string;
  readonly named: ReadonlyMap<string, string>;
}

const GLOBALS: ReadonlySet<string> = new Set(
  "redis cjson string table math tonumber tostring type pairs ipairs unpack next pcall require command".split(
    " ",
  ),
);

/** What a script does while Redis is full. */
const WHEN_FULL: ReadonlyMap<string, string> = new Map([
  ["runs", "#!lua flags=allow-oom\n"],
  ["is refused", "#!lua\n"],
  ["stops at its first write", ""],
  ["writes nothing", "#!lua flags=no-writes\n"],
]);

/**
 * @param label its name in errors
 * @param isScript whether Redis runs it: other files may not read `KEYS` and `ARGV`, and have declarations alone, whose values stay
 * @throws Error for what is no Lua of ours: a variable that is declared nowhere, a declaration that hides another, …
 */
export function readModule(path: string, label: string, source: string, isScript: boolean): Module {
  const syntax = readSyntax(label, source);
  const units = new Map<string, Unit>();
  const module = {
    ...syntax,
    path,
    isScript,
    units,
    exports: exportsOf(syntax, isScript),
    command: commandOf(syntax),
  };
  for (const statement of syntax.statements)
    for (const name of statement.names) units.set(name, { module, statement });
  for (const [at, token] of syntax.tokens.entries())
    checkVariable(syntax, token, isScript, module.command !== undefined && isNumbered(syntax.tokens, at));
  if (!isScript) checkStatements(syntax);
  for (const [name, own] of module.exports)
    if (!units.has(own)) throw new Error(`${label} exports ${name}, which it does not declare`);
  return module;
}

/** What the generated names of its declarations begin with; with its folder where another file has the same name. */
export function prefixOf({ path }: Module, withFolder: boolean): string {
  const name = basename(path, ".lua");
  const parts = (withFolder ? `${basename(dirname(path))}-${name}` : name).split("-");
  return parts.map((part, at) => (at === 0 ? part : part.charAt(0).toUpperCase() + part.slice(1))).join("");
}

/** Globals whose names a block, or one around it, gives to something else: what is required may stand in it, and uses them. */
function globalsHiddenIn({ names, parent }: Block): string[] {
  const hidden = [...names.keys()].filter((name) => GLOBALS.has(name));
  return parent === undefined ? hidden : [...hidden, ...globalsHiddenIn(parent)];
}

/** Whether it is `KEYS[1]`, `ARGV[2]`, …: a command has names for them. */
function isNumbered(tokens: readonly Token[], at: number): boolean {
  const [global, open, number, close] = tokens.slice(at, at + 4).map(({ text }) => text);
  return /^(KEYS|ARGV)$/.test(global ?? "") && open === "[" && /^\d+$/.test(number ?? "") && close === "]";
}

function checkVariable(
  { file, source }: LuaSyntax,
  token: Token,
  isScript: boolean,
  isNumber: boolean,
): void {
  const why =
    token.isDeclaration === true ? faultOfDeclaration(token) : faultOfUse(token, isScript, isNumber);
  if (why !== undefined) throw new Error(`${file}:${lineAt(source, token.at)}: ${token.text} ${why}`);
}

function faultOfDeclaration({ binding, block }: Token): string | undefined {
  if (binding?.hidesTop === true) return "is declared outside of every block already";
  if (binding?.isTop !== true && binding?.requires === undefined) return undefined;
  const [hidden] = globalsHiddenIn(block);
  return hidden === undefined ? undefined : `would give modules another ${hidden}`;
}

function faultOfUse(token: Token, isScript: boolean, isNumber: boolean): string | undefined {
  const { text, binding, isVariable, isAssigned } = token;
  if (isVariable !== true) return undefined;
  if (binding !== undefined)
    return !isScript && isAssigned === true && binding.isTop ? "would keep a state" : undefined;
  if (isNumber) return "is read by its names: call.…";
  const isKnown = GLOBALS.has(text) || (isScript && /^(KEYS|ARGV)$/.test(text));
  return isKnown && isAssigned !== true ? undefined : "is declared nowhere";
}

function checkStatements({ file, source, statements, tokens }: LuaSyntax): void {
  for (const { kind, first } of statements)
    if (kind === "other" || kind === "command") {
      const line = lineAt(source, tokens[first]?.at ?? 0);
      throw new Error(`${file}:${line}: only what Redis runs as a script has statements`);
    }
  if (statements.at(-1)?.kind !== "return") throw new Error(`${file} returns no exports`);
}

/** Of `return { name = own, … }`. */
function exportsOf({ file, tokens, statements }: LuaSyntax, isScript: boolean): Map<string, string> {
  const found = new Map<string, string>();
  const last = statements.at(-1);
  if (isScript || last?.kind !== "return") return found;
  const texts = tokens.slice(last.first + 1, last.end).map(({ text }) => text);
  if (texts[0] !== "{" || texts.at(-1) !== "}") throw new Error(`${file} returns no list of exports`);
  for (let at = 1; at < texts.length - 1; at += 4) {
    const [name, equals, own, comma] = texts.slice(at, at + 4);
    if (name === undefined || own === undefined || equals !== "=" || (comma !== "," && comma !== "}"))
      throw new Error(`${file}: an export is \`name = declaration\``);
    found.set(name, own);
  }
  return found;
}

/** Of `local call = command({ keys = { … }, arguments = { … }, returns = "…", whenFull = "…" })`. */
function commandOf({ file, tokens, statements }: LuaSyntax): Command | undefined {
  const statement = statements.find(({ kind }) => kind === "command");
  if (statement === undefined) return undefined;
  const lists = new Map<string, string[]>();
  let list: string[] = [];
  for (const { text, isVariable } of tokens.slice(statement.first + 6, statement.end)) {
    if (/^["[]/.test(text)) list.push(text);
    else if (isVariable !== true && /^\w+$/.test(text)) {
      list = [];
      lists.set(text, list);
    }
  }
  for (const name of ["keys", "arguments", "returns", "whenFull"])
    if (!lists.has(name)) throw new Error(`${file}: the command does not say its ${name}`);
  const flags = WHEN_FULL.get(textIn(lists.get("whenFull")?.[0]));
  if (flags === undefined) throw new Error(`${file}: whenFull is one of ${[...WHEN_FULL.keys()].join(", ")}`);
  const named = [...names(lists.get("keys") ?? [], "KEYS"), ...names(lists.get("arguments") ?? [], "ARGV")];
  if (new Set(named.map(([name]) => name)).size < named.length)
    throw new Error(`${file}: two keys or arguments have one name`);
  return { flags, named: new Map(named) };
}

/** `"..."`: any number of further ones, from the index `firstKey` or `firstArgument` on. */
function names(list: readonly string[], global: "KEYS" | "ARGV"): [string, string][] {
  return list.map((quoted, at) => {
    const name = textIn(quoted);
    if (name !== "...") return [name, `${global}[${at + 1}]`];
    return [global === "KEYS" ? "firstKey" : "firstArgument", String(at + 1)];
  });
}

function textIn(quoted = '""'): string {
  return quoted.slice(1, -1);
}

/** Whether a declaration is one list, and its items. */
export function listIn({ module, statement }: Unit): readonly Token[] | undefined {
  const tokens = module.tokens.slice(statement.first, statement.end);
  const isList = statement.names.length === 1 && tokens[2]?.text === "=" && tokens[3]?.text === "{";
  return isList && tokens.at(-1)?.text === "}" ? tokens.slice(4, -1) : undefined;
}

/** The modules and points that it requires, and the names by which it calls them. */
export function requiredBy({
  tokens,
}: Module): readonly { readonly binding: Binding; readonly required: string }[] {
  return tokens.flatMap(({ isDeclaration, binding }) =>
    isDeclaration === true && binding?.requires !== undefined
      ? [{ binding, required: binding.requires }]
      : [],
  );
}
