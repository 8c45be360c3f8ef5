import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { listIn, type Module, prefixOf, readModule, requiredBy, type Unit } from "./lua-module.ts";
import type { Binding, LuaStatement, Token } from "./lua-syntax.ts";
import { placeFunctions } from "./place-functions.ts";

export interface LuaSources {
  /** Where the sources are: names in errors are relative to it. */
  readonly root: string;
  /** The files in which features register for points, in the order of the list of features. */
  readonly features: readonly string[];
  /** Reads another text than the file's own, to try a change. */
  readonly readText?: (path: string) => string;
}

const POINT = "point:";
/** `local name = require("module")`. */
const TOKENS_OF_REQUIRE = 7;

/** Makes scripts of Lua files and what they require. */
export class LuaLinker {
  readonly #sources: LuaSources;
  readonly #modules = new Map<string, Module>();
  readonly #prefixes = new Map<Module, string>();
  readonly #reached = new Set<Module>();

  constructor(sources: LuaSources) {
    this.#sources = sources;
  }

  /**
   * Returns a script as Redis runs it: its file, and of each module that it requires only what it uses, under names of their own. What a
   * `require` outside of every block brings stands in front of the first statement that uses it. What one in a block brings is made
   * each time that this block runs, and not before: each run of a script makes its functions anew.
   *
   * @throws Error where a module, an export or a variable is missing, and where modules require each other in a circle
   */
  link(path: string): string {
    const script = this.read(path, true);
    this.#reach(script);
    const visible = new Set<Unit>();
    const parts: string[] = [];
    for (const statement of script.statements) {
      if (statement.kind === "command" || isModuleAlias(script, statement)) continue;
      const unit = { module: script, statement };
      const used = this.#closure(this.#usedBy(unit), visible);
      for (const each of used) visible.add(each);
      parts.push(...[...used, unit].map((each) => this.#textOf(each, visible)));
    }
    const text = `${callOf(script)}${parts.join("\n")}\n`;
    // BullMQ's script, which calls the others, stands behind them.
    return script.command === undefined ? text : placeFunctions(script.command.flags + text);
  }

  /** Whether a script that was linked has something of it, or requires what it does not use. */
  isReached(path: string): boolean {
    return [...this.#reached].some((module) => module.path === path);
  }

  read(path: string, isScript = false): Module {
    const known = this.#modules.get(path);
    if (known !== undefined) return known;
    const source = this.#sources.readText?.(path) ?? readFileSync(path, "utf8");
    const module = readModule(path, relative(this.#sources.root, path), source, isScript);
    requireOnceInBlocks(module);
    this.#modules.set(path, module);
    return module;
  }

  /** Reads all that a module requires, whichever way it does. */
  #reach(module: Module, trail: readonly Module[] = []): void {
    if (trail.includes(module)) {
      const circle = [...trail.slice(trail.indexOf(module)), module].map(({ file }) => file);
      throw new Error(`A circle of Lua modules: ${circle.join(" → ")}`);
    }
    if (this.#reached.has(module)) return;
    for (const { required } of requiredBy(module))
      for (const path of this.filesOf(module, required)) this.#reach(this.read(path), [...trail, module]);
    this.#reached.add(module);
  }

  /** The file that a module requires by a name; for a point those of the features that register for it. */
  filesOf(module: Module, required: string): readonly string[] {
    if (isPoint(required)) return this.#registered(required).map((unit) => unit.module.path);
    const path = `${join(dirname(module.path), required)}.lua`;
    if (!existsSync(path)) throw new Error(`${module.file} requires ${required}, which is no file`);
    return [path];
  }

  /** What features have registered for a point, in their order. */
  #registered(required: string): Unit[] {
    const point = required.slice(POINT.length);
    return this.#sources.features
      .map((path) => this.read(path))
      .filter(({ exports }) => exports.has(point))
      .map((module) => exportOf(module, point));
  }

  /** What the list of a point names: what is in a list that is registered stands there itself. */
  #namedAt(required: string): Unit[] {
    return this.#registered(required).filter((unit) => listIn(unit) === undefined);
  }

  /** These and what they need, each behind what it needs. */
  #closure(units: readonly Unit[], visible: ReadonlySet<Unit>): Unit[] {
    const seen = new Set(visible);
    const ordered: Unit[] = [];
    const visit = (unit: Unit) => {
      if (seen.has(unit)) return;
      seen.add(unit);
      this.#usedBy(unit).forEach(visit);
      ordered.push(unit);
    };
    units.forEach(visit);
    return ordered;
  }

  /** The declarations of modules that a statement uses, besides what a `require` in a block brings. */
  #usedBy({ module, statement }: Unit): Unit[] {
    const tokens = module.tokens.slice(statement.first, statement.end);
    if (statement.kind === "require") return this.#namedAt(tokens[1]?.binding?.requires ?? "");
    return tokens.flatMap(({ binding, isDeclaration }, index) => {
      if (binding === undefined || !binding.isTop || isDeclaration === true) return [];
      if (isAlias(binding)) return [this.#exportAt(module, binding, statement.first + index)];
      const unit = module.units.get(binding.name);
      return unit === undefined || module.isScript ? [] : [unit];
    });
  }

  /** The declaration that `alias.name` stands for. */
  #exportAt(module: Module, alias: Binding, at: number): Unit {
    const [, dot, name] = module.tokens.slice(at, at + 3);
    const [path] = this.filesOf(module, alias.requires ?? "");
    if (dot?.text !== "." || name === undefined || path === undefined)
      throw new Error(`${module.file}: ${alias.name} is a module, and no value`);
    return exportOf(this.read(path), name.text, module);
  }

  /** A statement with the generated names, without comments. */
  #textOf(unit: Unit, visible: ReadonlySet<Unit>): string {
    const { module, statement } = unit;
    if (statement.kind === "require") {
      const [, name] = module.tokens.slice(statement.first);
      return `local ${this.#nameOf(module, name?.text ?? "")} = ${this.#listOf(name?.binding?.requires ?? "")}`;
    }
    const kept = module.tokens
      .slice(statement.first, statement.end)
      .flatMap(({ binding, isDeclaration }) =>
        isDeclaration === true && isRequiredInBlock(binding) ? [binding] : [],
      );
    let text = kept.map((alias) => `local ${this.#keptName(module, alias)}\n`).join("");
    for (let at = statement.first; at < statement.end; ) {
      const [written, count] = this.#textAt(module, at, visible);
      text += (at === statement.first ? "" : gapBefore(module, at)) + written;
      at += count;
    }
    return text;
  }

  /** What stands for the tokens from one on, and for how many. */
  #textAt(module: Module, at: number, visible: ReadonlySet<Unit>): [string, number] {
    const { tokens, command } = module;
    const token = tokens[at];
    const declared = token?.text === "local" ? tokens[at + 1]?.binding : undefined;
    if (isRequiredInBlock(declared)) return [this.#textInBlock(module, declared, visible), TOKENS_OF_REQUIRE];
    const binding = token?.binding;
    if (token === undefined || binding === undefined) return [token?.text ?? "", 1];
    if (isAlias(binding) && binding.isTop) {
      return [this.#ownNameOf(this.#exportAt(module, binding, at), tokens[at + 2]?.text ?? ""), 3];
    }
    if (command !== undefined && module.units.get(binding.name)?.statement.kind === "command")
      return tokens[at + 1]?.text === "." ? [argumentAt(module, tokens[at + 2]), 3] : [token.text, 1];
    return [binding.isTop ? this.#nameOf(module, binding.name) : token.text, 1];
  }

  /** What `local name = require("…")` in a block becomes: it is made once in each run. */
  #textInBlock(module: Module, alias: Binding, visible: ReadonlySet<Unit>): string {
    const required = alias.requires ?? "";
    const { name } = alias;
    const members = new Map<string, Unit>();
    if (!isPoint(required))
      for (const [at, token] of module.tokens.entries())
        if (token.binding === alias && token.isDeclaration !== true)
          members.set(module.tokens[at + 2]?.text ?? "", this.#exportAt(module, alias, at));
    const used = this.#closure(isPoint(required) ? this.#namedAt(required) : [...members.values()], visible);
    const inside = new Set([...visible, ...used]);
    const items = [...members].map(([member, unit]) => `${member} = ${this.#ownNameOf(unit, member)}`);
    const made = isPoint(required) ? this.#listOf(required) : `{ ${items.join(", ")} }`;
    const kept = this.#keptName(module, alias);
    return [
      `local ${name} = ${kept}`,
      `if not ${name} then`,
      ...used.map((unit) => this.#textOf(unit, inside)),
      `${name} = ${made}`,
      `${kept} = ${name}`,
      "end",
    ].join("\n");
  }

  /** The variable in which a run keeps what a `require` in a block has made. */
  #keptName(module: Module, { name }: Binding): string {
    return `${module.isScript ? "kept" : this.#prefixOf(module)}_${name}`;
  }

  #ownNameOf({ module }: Unit, exported: string): string {
    return this.#nameOf(module, module.exports.get(exported) ?? "");
  }

  /** A list of what features have registered: of each, or, where each is a list, of what is in them. */
  #listOf(required: string): string {
    const items = this.#registered(required).map((unit) => {
      const list = listIn(unit);
      if (list !== undefined) return list.map(({ text }) => text).join(" ");
      return this.#ownNameOf(unit, required.slice(POINT.length));
    });
    return `{ ${items.join(", ")} }`;
  }

  /** A script's names stay: no generated one is like them. */
  #nameOf(module: Module, name: string): string {
    return module.isScript ? name : `${this.#prefixOf(module)}_${name}`;
  }

  #prefixOf(module: Module): string {
    const known = this.#prefixes.get(module);
    if (known !== undefined) return known;
    const used = new Set(this.#prefixes.values());
    const short = prefixOf(module, false);
    const prefix = used.has(short) ? prefixOf(module, true) : short;
    if (used.has(prefix)) throw new Error(`${module.file} needs another name: there are two ${prefix}`);
    this.#prefixes.set(module, prefix);
    return prefix;
  }
}

function isPoint(required: string): boolean {
  return required.startsWith(POINT);
}

/** Whether a name stands for a module, and not for a list of what features have registered. */
function isAlias({ requires }: Binding): boolean {
  return requires !== undefined && !isPoint(requires);
}

function isRequiredInBlock(binding: Binding | undefined): binding is Binding {
  return binding?.requires !== undefined && !binding.isTop;
}

/** The first block to run would make only what it uses itself, and the other would find that. */
function requireOnceInBlocks({ file, tokens }: Module): void {
  const names = tokens.flatMap(({ binding, isDeclaration }) =>
    isDeclaration === true && isRequiredInBlock(binding) ? [binding.name] : [],
  );
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice !== undefined)
    throw new Error(`${file} requires ${twice} in two blocks: one function has to do it`);
}

function isModuleAlias({ tokens }: Module, { kind, first }: LuaStatement): boolean {
  const binding = tokens[first + 1]?.binding;
  return kind === "require" && binding !== undefined && isAlias(binding);
}

function exportOf(module: Module, name: string, by?: Module): Unit {
  const unit = module.units.get(module.exports.get(name) ?? "");
  if (unit === undefined)
    throw new Error(`${by?.file ?? "Lua"} uses ${name} of ${module.file}, which does not export it`);
  return unit;
}

/** `KEYS[1]` for `call.name`, where the command calls its first key so. */
function argumentAt({ file, command }: Module, name: Token | undefined): string {
  const text = command?.named.get(name?.text ?? "");
  if (text === undefined) throw new Error(`${file}: the command declares no ${name?.text}`);
  return text;
}

/** The table that `call` is, where it is passed on as a whole. */
function callOf({ tokens, command, units }: Module): string {
  const isWhole = ({ binding, isDeclaration }: Token, at: number) =>
    isDeclaration !== true &&
    binding?.isTop === true &&
    units.get(binding.name)?.statement.kind === "command" &&
    tokens[at + 1]?.text !== ".";
  const whole = tokens.find(isWhole);
  if (whole === undefined || command === undefined) return "";
  const members = [...command.named].map(([name, text]) => `${name} = ${text}`);
  return `local ${whole.text} = { ${members.join(", ")} }\n`;
}

/** What stands between two tokens, without comments: a space, or a line's end and the indentation. */
function gapBefore({ tokens, source }: Module, at: number): string {
  const [before, token] = [tokens[at - 1], tokens[at]];
  if (before === undefined || token === undefined) return "";
  const gap = source.slice(before.at + before.text.length, token.at);
  if (!gap.includes("\n")) return gap.includes("--") ? " " : gap;
  return `\n${gap.slice(gap.lastIndexOf("\n") + 1).replace(/--.*$/, "")}`;
}
