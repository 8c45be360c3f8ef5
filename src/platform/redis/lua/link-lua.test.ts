import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LuaLinker } from "./link-lua.ts";
import { luaSources } from "./lua-sources.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "holdfast-lua-"));
  write(
    "features/index.ts",
    'import { b } from "./b/feature.ts";\nimport { a } from "./a/feature.ts";\n',
    list("b", "a"),
  );
});
afterEach(() => rmSync(root, { recursive: true }));

function list(...names: string[]): string {
  return `const list = [\n${names.map((name) => `  ${name},\n`).join("")}] as const;\n`;
}

function write(file: string, ...lines: string[]): void {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), `${lines.join("\n")}\n`);
}

function link(file = "script.lua"): string[] {
  return new LuaLinker(luaSources(root))
    .link(join(root, file))
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

const command = [
  "local call = command({",
  '  keys = { "list" },',
  "  arguments = {",
  '    -- "not this"',
  '    "prefix",',
  '    "...",',
  "  },",
  "  returns = [[nothing]],",
  '  whenFull = "runs",',
  "})",
];

const clock = [
  "local MS = 1000",
  "local function now() return MS end",
  "local function never() end",
  "return { now = now, never = never }",
];

describe("a script", () => {
  it("has what it uses of modules, by names that cannot meet, and its keys and arguments for their names", () => {
    write("clock.lua", ...clock);
    write(
      "script.lua",
      ...command,
      'local clock = require("./clock")',
      "local now = clock.now() -- soon",
      "return { now, call.list, call.prefix, call.firstArgument }",
    );
    expect(link()).toEqual([
      "#!lua flags=allow-oom",
      "local clock_MS = 1000",
      "local function clock_now() return clock_MS end",
      "local now = clock_now()",
      "return { now, KEYS[1], ARGV[1], 2 }",
    ]);
  });

  it("has the call as a table where it passes it on", () => {
    write("script.lua", ...command, "return tostring(call)");
    expect(link()).toEqual([
      "#!lua flags=allow-oom",
      "local call = { list = KEYS[1], prefix = ARGV[1], firstArgument = 2 }",
      "return tostring(call)",
    ]);
  });

  it("makes what a block requires where the run comes there, once", () => {
    write("clock.lua", ...clock);
    write(
      "script.lua",
      ...command,
      "local function late()",
      '  local clock = require("./clock")',
      "  return clock.now()",
      "end",
      "return late()",
    );
    expect(link()).toEqual([
      "#!lua flags=allow-oom",
      "local kept_clock",
      "local function late()",
      "local clock = kept_clock",
      "if not clock then",
      "local clock_MS = 1000",
      "local function clock_now() return clock_MS end",
      "clock = { now = clock_now }",
      "kept_clock = clock",
      "end",
      "return clock.now()",
      "end",
      "return late()",
    ]);
  });

  it("has at a point what features register for it, in the order of their list, and lists as one", () => {
    write(
      "features/a/feature.lua",
      'local FIELDS = { "x" }',
      "local function place() return 1 end",
      "return { fields = FIELDS, place = place }",
    );
    write(
      "features/b/feature.lua",
      'local FIELDS = { "y", "z" }',
      "local function place() return 2 end",
      "return { fields = FIELDS, place = place }",
    );
    write(
      "script.lua",
      ...command,
      'local fields = require("point:fields")',
      'local placers = require("point:place")',
      "return { fields, placers }",
    );
    expect(link()).toEqual([
      "#!lua flags=allow-oom",
      'local fields = { "y" , "z", "x" }',
      "local function feature_place() return 2 end",
      "local function aFeature_place() return 1 end",
      "local placers = { feature_place, aFeature_place }",
      "return { fields, placers }",
    ]);
    write("features/index.ts", 'import { a } from "./a/feature.ts";\n', list("a"));
    expect(link()).toContain("local placers = { feature_place }");
  });

  it.each([
    ["a variable that nobody declares", ["return unknown()"], /script\.lua:11: unknown is declared nowhere/],
    ["an argument that it does not declare", ["return call.other"], /declares no other/],
    ["an argument by its number", ["return ARGV[1]"], /by its names/],
    ["a name by which modules mean something else", ["local type = 1", "return type"], /another type/],
    ["a module that is no file", ['local clock = require("./clocks")', "return clock.now()"], /no file/],
    [
      "an export that there is not",
      ['local clock = require("./clock")', "return clock.later()"],
      /does not export/,
    ],
    [
      "a name that hides another",
      ["local n = 1", "local function f(n) return n end", "return f(n)"],
      /declared outside of every block already/,
    ],
    [
      "a module required in two blocks",
      [
        'local function f() local clock = require("./clock") return clock.now() end',
        'local function g() local clock = require("./clock") return clock.never() end',
        "return f() or g()",
      ],
      /requires clock in two blocks/,
    ],
    [
      "a module that requires it in a circle",
      ['local one = require("./one")', "return one.f()"],
      /one\.lua → other\.lua → one\.lua/,
    ],
    [
      "a module that keeps a state",
      ['local state = require("./state")', "return state.f()"],
      /would keep a state/,
    ],
    [
      "a module that reads arguments",
      ['local reads = require("./reads")', "return reads.f()"],
      /ARGV is declared nowhere/,
    ],
    ["a module that does something", ['local acts = require("./acts")', "return acts.f()"], /has statements/],
  ])("is refused with %s", (_what, lines, message) => {
    write("clock.lua", ...clock);
    write(
      "one.lua",
      'local other = require("./other")',
      "local function f() return other.f() end",
      "return { f = f }",
    );
    write(
      "other.lua",
      'local one = require("./one")',
      "local function f() return one.f() end",
      "return { f = f }",
    );
    write("state.lua", "local n = 0", "local function f() n = n + 1 end", "return { f = f }");
    write("reads.lua", "local function f() return ARGV end", "return { f = f }");
    write("acts.lua", "local function f() end", "f()", "return { f = f }");
    write("script.lua", ...command, ...lines);
    expect(() => link()).toThrow(message);
  });
});
