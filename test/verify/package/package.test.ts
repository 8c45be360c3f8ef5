import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { withProcesses } from "../../support/processes.ts";
import { testEnvironment } from "../../support/service.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const exec = promisify(execFile);

/** Packs the package into a new folder, as `npm publish` would. */
async function pack() {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-package-"));
  const { stdout } = await exec("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], {
    cwd: root,
  });
  const [{ filename, files }] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  return { folder, tarball: join(folder, filename), files: files.map(({ path }) => path) };
}

/** Unpacks it into an application's `node_modules`, with its dependencies but no development dependencies. */
async function unpack(folder: string, tarball: string): Promise<void> {
  const modules = join(folder, "node_modules");
  await mkdir(join(modules, "holdfast"), { recursive: true });
  await exec("tar", ["-xzf", tarball, "-C", join(modules, "holdfast"), "--strip-components=1"]);
  const lock = JSON.parse(await readFile(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, { dev?: true; devOptional?: true }>;
  };
  for (const [path, { dev, devOptional }] of Object.entries(lock.packages)) {
    const isOurs = /^node_modules\/(@[^/]+\/)?[^/]+$/.test(path) && !dev && !devOptional;
    if (!isOurs) continue;
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await symlink(join(root, path), join(folder, path));
  }
}

const entries = [
  "",
  "/client",
  "/evidence",
  "/guard",
  "/nestjs",
  "/postgres",
  "/server",
  "/testing",
  "/worker",
].map((entry) => `holdfast${entry}`);

/** Optional peers, and Node.js's types. */
async function addPeers(folder: string): Promise<void> {
  for (const name of ["@nestjs", "@types", "pg", "reflect-metadata", "rxjs"]) {
    const link = join(folder, "node_modules", name);
    await symlink(join(root, "node_modules", name), link).catch((error: { code: string }) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
}

describe("the published package", withProcesses, () => {
  let packed: Awaited<ReturnType<typeof pack>>;
  beforeAll(async () => {
    packed = await pack();
  });
  afterAll(() => rm(packed.folder, { recursive: true }));

  it("has types that TypeScript before 5.7 reads without skipLibCheck: no typed array of a buffer's type", async () => {
    const folder = await mkdtemp(join(tmpdir(), "holdfast-types-"));
    try {
      await exec("tar", ["-xzf", packed.tarball, "-C", folder]);
      const declarations = packed.files.filter((path) => path.endsWith(".d.ts") && !path.includes("vendor"));
      expect(declarations.length).toBeGreaterThan(50);
      for (const path of declarations) {
        const text = await readFile(join(folder, "package", path), "utf8");
        expect(text, path).not.toMatch(/\b(?:Float|Int|Uint|BigInt|BigUint)\d+(?:Clamped)?Array</);
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("exports every module under its name in the build", async () => {
    const { stdout } = await exec("tar", ["-xOzf", packed.tarball, "--wildcards", "package/dist/*.js"], {
      maxBuffer: 2 ** 26,
    });
    expect(stdout.match(/\b(?:from|import\()\s*"\.[^"]*\.ts"/g)).toBeNull();
  });

  it("contains only what it needs to run, and its documentation", async () => {
    const { files } = packed;
    const stages = (await readdir(join(root, "src"), { withFileTypes: true })).filter((one) =>
      one.isDirectory(),
    );
    const folders = new Set(files.map((file) => dirname(file).split("/").slice(0, 2).join("/")));
    expect([...folders].sort()).toEqual(
      [
        ".",
        "bin",
        "dist",
        "dist/chunks",
        "dist/cjs",
        "dist/console",
        "dist/vendor",
        "ops",
        "ops/deploy",
        ...stages.map(({ name }) => `dist/${name}`),
      ].sort(),
    );
    expect(files.filter((file) => !file.includes("/")).sort()).toEqual([
      "CHANGELOG.md",
      "LICENSE",
      "README.md",
      "package.json",
    ]);
    const inside = files.filter((file) => file.includes("/"));
    expect(
      inside.filter(
        (file) =>
          !/^bin\/holdfast$|\.(c?js|d\.ts)$|^ops\/README\.md$|^ops\/deploy\/(Dockerfile|dockerignore|compose\.yaml|systemd\/[\w@-]+\.service)$|\/(licenses\.md|bom\.cdx\.json|cjs\/package\.json)$/.test(
            file,
          ),
      ),
    ).toEqual([]);
    expect(inside.filter((file) => /\.test\.|\.env|\.config\./.test(file))).toEqual([]);
  });

  it("works in an application's folder, without development dependencies", async () => {
    const { folder, tarball } = packed;
    await unpack(folder, tarball);
    await writeFile(
      join(folder, "application.mjs"),
      'import * as all from "holdfast"; import { startApi } from "holdfast/server"; import { startWorker } from "holdfast/worker"; console.log(Object.keys({ ...all, startApi, startWorker }).join());',
    );

    const { stdout: exported } = await exec(process.execPath, ["application.mjs"], { cwd: folder });
    const command = "node_modules/holdfast/bin/holdfast";
    const { stdout: help } = await exec(process.execPath, [command, "--help"], { cwd: folder });

    expect(exported).toMatch(/createProducer.*startApi,startWorker/);
    expect(help).toContain("Usage: holdfast");
  });

  it("serves its pages where only its modules were copied, as Next.js does for a container", async () => {
    const { folder, tarball } = packed;
    const copy = join(folder, "copied");
    await unpack(copy, tarball);
    await exec("find", [
      ...[join(copy, "node_modules/holdfast"), "-type", "f"],
      ...["!", "-regex", String.raw`.*/\(dist/.*\.c?js\|package\.json\)`, "-delete"],
    ]);
    await writeFile(
      join(copy, "pages.mjs"),
      `import { defineConfig, defineJob } from "holdfast";
      import { createHandler } from "holdfast/server";
      import { z } from "zod";
      const retry = { attempts: 1, backoff: { kind: "fixed", delayMs: 1 } };
      const job = defineJob({ type: "one", payload: z.string(), result: z.string(), retry, timeoutMs: 1_000 });
      const handler = await createHandler(defineConfig({ jobs: [job] }), { prefix: "/jobs" });
      for (const path of ["console/", "docs/", "docs/scalar.js", "openapi.json"])
        console.log(path, (await handler.fetch(new Request("http://localhost/jobs/" + path))).status);
      await handler.stop();`,
    );

    const env = { ...process.env, ...testEnvironment() };
    const { stdout } = await exec(process.execPath, ["pages.mjs"], { cwd: copy, env });

    expect(stdout).toBe("console/ 200\ndocs/ 200\ndocs/scalar.js 200\nopenapi.json 200\n");
  });

  it("gives CommonJS the instances that ES modules get", async () => {
    const { folder } = packed;
    await addPeers(folder);
    const compare = `for (const entry of ${JSON.stringify(entries)}) {
      const required = require(entry);
      import(entry).then((imported) => {
        for (const name of Object.keys(imported)) console.log(name, imported[name] === required[name]);
      });
    }`;
    const { stdout } = await exec(process.execPath, ["-e", compare], { cwd: folder });
    expect(stdout).toContain("PermanentError true");
    expect(stdout).toContain("HoldfastModule true");
    expect(stdout).not.toContain("false");
  });

  it("gives classes the names that they are exported by, which frameworks log", async () => {
    const { folder } = packed;
    await addPeers(folder);
    const list = `for (const entry of ${JSON.stringify(entries)})
      for (const [name, value] of Object.entries(require(entry)))
        if (/^class\\b/.test(value)) console.log(name, value.name);`;
    const { stdout } = await exec(process.execPath, ["-e", list], { cwd: folder });
    const classes = stdout
      .trim()
      .split("\n")
      .map((line) => line.split(" "));
    expect(classes.map(([name]) => name)).toContain("HoldfastModule");
    for (const [name, own] of classes) expect(own).toBe(name);
  });

  it("has types that need nothing else, and say what a job's status has", async () => {
    const { folder } = packed;
    await addPeers(folder);
    const names = entries.map((entry, index) => `import * as entry${index} from "${entry}";`);
    const used = `export const entries = [${entries.map((_, index) => `entry${index}`).join()}];
type Status = NonNullable<Awaited<ReturnType<entry0.Producer["status"]>>>;
export const members: (keyof Status)[] = ["tags", "children", "parentId", "held", "replaced"];`;
    await writeFile(join(folder, "all.mts"), [...names, used].join("\n"));
    const compilerOptions = { strict: true, skipLibCheck: false, noEmit: true, types: ["node"] };
    const resolution = { target: "es2022", lib: ["es2023", "dom"], module: "nodenext" };
    await writeFile(
      join(folder, "tsconfig.json"),
      JSON.stringify({ compilerOptions: { ...compilerOptions, ...resolution }, include: ["all.mts"] }),
    );
    const compiler = join(root, "node_modules/typescript7/bin/tsc");
    const check = exec(process.execPath, [compiler, "-p", "."], { cwd: folder });
    const { stdout } = await check.catch((error: { stdout: string }) => error);
    expect(stdout.split("\n").filter((line) => /^(all\.mts|node_modules\/holdfast)/.test(line))).toEqual([]);
  });

  it("imports a guard without what connects, and runs an effect without BullMQ", async () => {
    const { folder } = packed;
    await writeFile(
      join(folder, "hooks.mjs"),
      `import { writeSync } from "node:fs";
      export const load = (url, context, next) => (writeSync(2, url + "\\n"), next(url, context));`,
    );
    const register = `import { register } from "node:module"; register("./hooks.mjs", import.meta.url);`;
    await writeFile(join(folder, "register.mjs"), register);
    await writeFile(
      join(folder, "guarded.mjs"),
      `import { writeSync } from "node:fs";
      import { createGuard, defineEffect } from "holdfast/guard";
      writeSync(2, "imported\\n");
      const act = defineEffect({ name: "act", timeoutMs: 5_000, inDoubt: "hold" });
      const guard = await createGuard({ effects: [act] });
      console.log(await guard.once(act, { key: "1" }, async () => "acted"));
      await guard.stop();`,
    );
    const env = { ...process.env, ...testEnvironment() };
    const args = ["--import", "./register.mjs", "guarded.mjs"];
    const { stdout, stderr } = await exec(process.execPath, args, { cwd: folder, env });
    expect(stdout).toBe("acted\n");
    const [before = "", after = ""] = stderr.split("imported\n");
    expect(before).toContain("holdfast/dist/guard.js");
    for (const name of ["ioredis", "zod", "bullmq"]) expect(before).not.toContain(`node_modules/${name}/`);
    expect(after).toContain("node_modules/ioredis/");
    expect(after).not.toContain("node_modules/bullmq/");
  });

  it("has the same names in the build that Jest requires, which needs no ES module", async () => {
    const { folder } = packed;
    const compare = `for (const entry of ["index", "worker", "server", "edges/client/index", "evidence/index", "guard", "testing/index"]) {
      const built = require("./node_modules/holdfast/dist/cjs/" + entry + ".js");
      import("./node_modules/holdfast/dist/" + entry + ".js").then((imported) => {
        console.log(entry, Object.keys(imported).sort().join() === Object.keys(built).sort().join());
      });
    }
    const { createProducer } = require("./node_modules/holdfast/dist/cjs/index.js");
    createProducer({ jobs: new Map(), queues: [] }, { HOLDFAST_PREFIX: "!" }).catch(({ code }) => console.log(code));`;
    // Like Jest, which has no `require` of ES modules.
    const args = ["--no-experimental-require-module", "-e", compare];
    const { stdout } = await exec(process.execPath, args, { cwd: folder });
    expect(stdout.match(/ true/g)).toHaveLength(7);
    expect(stdout).toContain("CONFIG_INVALID");
  });

  it("runs an application of JavaScript, and says in one line what TypeScript takes", async () => {
    const { folder } = packed;
    await writeFile(join(folder, "jobs.mjs"), "export const jobs = new Map();");
    await writeFile(
      join(folder, "holdfast.config.mjs"),
      'import { jobs } from "./jobs.mjs";\nexport default { jobs, queues: [] };',
    );
    await writeFile(
      join(folder, "typed.mts"),
      "export default { jobs: new Map<string, object>(), queues: [] };",
    );
    const list = (config: string) => {
      const env = { ...process.env, ...testEnvironment(), HOLDFAST_CONFIG: config };
      const args = ["node_modules/holdfast/bin/holdfast", "jobs", "list"];
      return exec(process.execPath, args, { cwd: folder, env });
    };

    await expect(list("holdfast.config.mjs")).resolves.toMatchObject({ stderr: "" });
    await writeFile(join(folder, "imports.mts"), 'export { default } from "./typed.mjs";');
    await writeFile(join(folder, "bare.mts"), 'export { default } from "./typed";');
    // By Node.js alone, also where imports are written for compilers and bundlers.
    if ("typescript" in process.features)
      for (const config of ["typed.mts", "imports.mts", "bare.mts"]) await list(config);
    else await expect(list("typed.mts")).rejects.toThrow("npm install --save-dev tsx");
  });
});
