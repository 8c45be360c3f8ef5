import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type FileWatch, watchApplication } from "./watch-files.ts";

let folder: string;
let files: FileWatch;
const at = (name: string) => join(folder, name);
const save = (name: string) => writeFileSync(at(name), "");

beforeEach(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-watch-")));
  for (const name of ["app/jobs", "app/node_modules", "app/.cache", "shared"])
    mkdirSync(at(name), { recursive: true });
  for (const name of ["app/jobs/handler.ts", "shared/prices.json", "shared/other.json"]) save(name);
  files = await watchApplication(at("app/holdfast.config.ts"));
});

afterEach(async () => {
  await files.close();
  rmSync(folder, { recursive: true });
});

it("sees a source that an editor saves by renaming, one that is removed, and one in a new folder", async () => {
  save("app/jobs/.handler.swp");
  renameSync(at("app/jobs/.handler.swp"), at("app/jobs/handler.ts"));
  expect(await files.nextChange()).toBe(at("app/jobs/handler.ts"));

  rmSync(at("app/jobs/handler.ts"));
  expect(await files.nextChange()).toBe(at("app/jobs/handler.ts"));

  mkdirSync(at("app/more"));
  save("app/more/new.ts");
  expect(await files.nextChange()).toBe(at("app/more/new.ts"));
});

it("sees files elsewhere once they are added, and only those", async () => {
  files.add([at("shared/prices.json"), at("app/jobs/handler.ts")]);
  // Saved again until the folder is watched.
  const saving = setInterval(() => {
    save("shared/prices.json");
    save("shared/other.json");
  }, 400);

  expect(await files.nextChange()).toBe(at("shared/prices.json"));
  clearInterval(saving);
});

it("ignores packages, hidden files and what is no source", async () => {
  for (const name of ["app/node_modules/index.js", "app/.cache/index.js", "app/notes.md"]) save(name);
  save("app/last.ts");

  expect(await files.nextChange()).toBe(at("app/last.ts"));
});

it("reports a change that came while nobody waited", async () => {
  const beside = await watchApplication(at("app/holdfast.config.ts"));
  save("app/one.ts");
  await beside.nextChange().finally(() => beside.close());

  expect(await files.nextChange()).toBe(at("app/one.ts"));
});

it("reports many at once as few", async () => {
  const many = Array.from({ length: 50 }, (_, index) => `app/${index}.ts`);
  for (const name of many) save(name);
  const reported = [await files.nextChange()];
  while (reported.at(-1) !== at("app/last.ts")) {
    save("app/last.ts");
    reported.push(await files.nextChange());
  }

  expect(reported.length).toBeLessThan(many.length / 2);
});
