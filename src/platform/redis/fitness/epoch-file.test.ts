import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { epochFile } from "./epoch-file.ts";

const seen = new Map([["mails", { id: "one", count: 7 }]]);

function dataDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-epochs-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

it.each([
  ["redis://a:1,redis://b:2,c:3", "c:3,redis://user:p%40ss@B:2,redis://a:1"],
  ["rediss://:old@a:1,rediss://:old@b:2", "rediss://:new@b:2,rediss://:new@a:1"],
  ["sentinel://:old@a:1,b:2/main?db=1", "sentinel://user:new@b:2,a:1/main?db=1"],
  ["redis://old@a:1/3", "redis://user:new@a:1/3"],
])("knows a Redis by its nodes, whatever their order and credentials: %s", (url, same) => {
  const directory = dataDirectory();
  epochFile(directory, url, "p").write(seen);

  expect(epochFile(directory, same, "p").read()).toEqual(seen);
});

it("forgets what is no epoch, and nothing else", () => {
  const directory = dataDirectory();
  const file = epochFile(directory, "redis://a:1", "p");
  file.write(seen);
  const [name = ""] = readdirSync(join(directory, "epochs"));
  const path = join(directory, "epochs", name);
  writeFileSync(path, `{"mails":{"id":"one","count":7},"letters":{"id":"O","count":null},"post":7}`);

  expect(file.read()).toEqual(seen);
  expect([file.countOf("one"), file.countOf("O")]).toEqual([7, 0]);
  file.write(new Map([["parcels", { id: "two", count: 1 }]]));
  expect(Object.keys(JSON.parse(readFileSync(path, "utf8")))).toEqual(["mails", "parcels"]);
});

it.each([
  ["redis://a:1", "redis://a:2"],
  ["redis://a:1/0", "redis://a:1/1"],
  ["a:1,b:2", "a:1,c:2"],
  ["sentinel://a:1,b:2/main", "sentinel://a:1,b:2/other"],
])("distinguishes %s from %s, unless the epoch itself is known", (url, other) => {
  const directory = dataDirectory();
  epochFile(directory, url, "p").write(seen);

  const file = epochFile(directory, other, "p");
  expect(file.read()).toEqual(new Map());
  expect([file.countOf("one"), file.countOf("two")]).toEqual([7, 0]);
});
