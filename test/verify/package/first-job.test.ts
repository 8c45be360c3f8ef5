import { execFile } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { get, post } from "../../support/http.ts";
import { type HoldfastProcess, launch, START_MS, withProcesses } from "../../support/processes.ts";
import { until } from "../../support/until.ts";

const exec = promisify(execFile);
const checkout = fileURLToPath(new URL("../../..", import.meta.url));
/** Both compilers that people have: 6, and the native 7, which takes a sixth of the time. */
const tsc = join(checkout, "node_modules/typescript/bin/tsc");
const nativeTsc = join(checkout, "node_modules/typescript7/bin/tsc");

/** A folder with these files, in which the checkout is installed. */
function newProject(files: Readonly<Record<string, string>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-first-job-"));
  onTestFinished(() => rmSync(folder, { recursive: true, maxRetries: 5 }));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(checkout, join(folder, "node_modules/holdfast"));
  for (const name of ["zod", "tsx", "@types"])
    symlinkSync(join(checkout, "node_modules", name), join(folder, "node_modules", name));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

function init(folder: string, ...args: string[]) {
  return launch(["init", ...args], {}, { cwd: folder }).ended;
}

const read = (folder: string, path: string) => readFileSync(join(folder, path), "utf8");
const filesIn = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => !path.startsWith("node_modules"))
    .filter((path) => /\./.test(path))
    .sort();

const ofEmptyFolder = [
  ".env.example",
  ".gitignore",
  "holdfast.config.ts",
  "jobs/env.ts",
  "jobs/greeting/contract.ts",
  "jobs/greeting/handler.test.ts",
  "jobs/greeting/handler.ts",
  "jobs/greeting/schedule.ts",
  "package.json",
  "tsconfig.json",
];

describe("holdfast init", withProcesses, () => {
  it("writes a project that type-checks, under its own settings and those of tsc --init", async () => {
    const folder = newProject();

    const { code, stdout } = await init(folder);

    expect(code).toBe(0);
    expect(filesIn(folder)).toEqual(ofEmptyFolder);
    for (const path of ofEmptyFolder) expect(stdout).toContain(`created  ${path}`);
    await exec(process.execPath, [nativeTsc, "--noEmit"], { cwd: folder });
    rmSync(join(folder, "tsconfig.json"));
    await exec(process.execPath, [tsc, "--init"], { cwd: folder });
    await exec(process.execPath, [tsc, "--noEmit"], { cwd: folder });
  });

  it("takes what `npm init` and `npm install holdfast` leave for an empty folder", async () => {
    const left = {
      name: "shop",
      scripts: { test: 'echo "Error: no test specified" && exit 1' },
      dependencies: { holdfast: "file:../holdfast.tgz" },
    };
    const folder = newProject({ "package.json": JSON.stringify(left) });

    const { code } = await init(folder);

    expect(code).toBe(0);
    expect(filesIn(folder)).toEqual(ofEmptyFolder);
    expect(JSON.parse(read(folder, "package.json"))).toMatchObject({
      name: "shop",
      type: "module",
      scripts: { dev: "holdfast dev", start: "holdfast up", test: expect.stringContaining("--test") },
      dependencies: left.dependencies,
    });
    await exec(process.execPath, [nativeTsc, "--noEmit"], { cwd: folder });
  });

  it("writes nothing in a dry run, and nothing over what is there", async () => {
    const own = {
      "package.json":
        '{\n\t"name": "shop",\n\t"scripts": { "jobs:dev": "mine" },\n\t"dependencies": { "zod": "4.0.0" }\n}\n',
      "tsconfig.json": '{\n  // "module": "commonjs",\n  "compilerOptions": { "module": "nodenext" }\n}\n',
      "src/jobs/greeting/handler.mts": "mine\n",
      ".gitignore": "dist",
      ".env.example": "SHOP=\n",
    };
    const folder = newProject(own);

    const dry = await init(folder, "--dry-run");
    expect(dry.stdout).toContain("created  src/holdfast.config.mts");
    expect(filesIn(folder)).toEqual(Object.keys(own).sort());

    const { stdout } = await init(folder);
    expect(stdout).toMatch(/kept +src\/jobs\/greeting\/handler\.mts +it exists/);
    expect(stdout).toMatch(/kept +\.env\.example +it exists; it could have GREETING=Hello/);
    for (const path of ["src/jobs/greeting/handler.mts", ".env.example", "tsconfig.json"])
      expect(read(folder, path)).toBe(own[path as keyof typeof own]);
    expect(read(folder, ".gitignore")).toBe("dist\n.holdfast/\n");
    expect(read(folder, "src/holdfast.config.mts")).toContain('from "./jobs/env.mjs"');
    expect(JSON.parse(read(folder, "package.json"))).toMatchObject({
      name: "shop",
      scripts: { "jobs:dev": "mine", "jobs:up": "holdfast up" },
      dependencies: { zod: "4.0.0", holdfast: expect.stringMatching(/^\^\d/) },
    });
    expect(read(folder, "package.json")).toContain('\n\t"name"');

    const before = filesIn(folder).map((path) => read(folder, path));
    expect((await init(folder)).stdout).not.toMatch(/^(created|changed)/m);
    expect(filesIn(folder).map((path) => read(folder, path))).toEqual(before);
  });

  it("writes plain JavaScript, whose test passes, into a CommonJS project without TypeScript", async () => {
    const folder = newProject({
      "package.json": '{"name":"shop","type":"commonjs"}',
      "index.js": "",
    });

    await init(folder);

    expect(filesIn(folder).filter((path) => /ts$/.test(path))).toEqual([]);
    const args = ["--test", "--test-name-pattern=greets", "jobs/greeting/handler.test.mjs"];
    const env = { PATH: process.env.PATH, HOME: process.env.HOME };
    expect((await exec(process.execPath, args, { cwd: folder, env })).stdout).toMatch(/pass 1/);
  });

  it("writes a production image for the project's package manager, Compose and systemd, and keeps what is there", async () => {
    const folder = newProject({ "pnpm-lock.yaml": "", "compose.yaml": "mine\n" });

    const { stdout } = await init(folder, "--deploy");

    const dockerfile = read(folder, "Dockerfile");
    expect(dockerfile).toContain(
      "COPY package.json pnpm-*.yaml ./\nRUN pnpm install --prod --frozen-lockfile\n",
    );
    expect(dockerfile).toContain('ENTRYPOINT ["node_modules/.bin/holdfast"]');
    expect(read(folder, "pnpm-workspace.yaml")).toContain("esbuild: false");
    expect(read(folder, ".dockerignore")).toContain("node_modules");
    expect(read(folder, "deploy/systemd/holdfast-worker@.service")).toContain("holdfast worker");
    expect(stdout).toMatch(/kept +compose\.yaml +it exists/);
    const { dependencies } = JSON.parse(read(folder, "package.json"));
    expect(Object.keys(dependencies)).toEqual(["holdfast", "tsx", "zod"]);
  });

  it("refuses a package.json that it cannot read", async () => {
    const folder = newProject({ "package.json": "{" });

    expect(await init(folder)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("expected a JSON object"),
    });
    expect(filesIn(folder)).toEqual(["package.json"]);
  });
});

/** Waits as long as a start may take. */
const slowly = <T>(what: string, probe: () => T | Promise<T>) => until(what, probe, START_MS);

function requestOnScreen({ stdout }: HoldfastProcess) {
  const [, url = "", body = ""] =
    /curl -s (\S+) -H 'content-type: application\/json' -d '([^']+)'/.exec(stdout) ?? [];
  return { url, body: JSON.parse(body) as object };
}

async function resultOf(url: string, body: object): Promise<unknown> {
  const { id } = (await post(url, body)).body;
  const status = await slowly("the job has ended", async () => {
    const answer = await get(`${url}/${id}/status`);
    return answer.body.finishedAt !== null && answer.body;
  });
  return status.result;
}

describe("holdfast dev", withProcesses, () => {
  it("loads the application anew when a file changes, and survives one that is broken", async () => {
    const folder = newProject();
    await init(folder);
    const handler = join(folder, "jobs/greeting/handler.ts");
    const good = readFileSync(handler, "utf8");
    writeFileSync(handler, "const = ;");
    writeFileSync(join(folder, ".env"), "GREETING=Hi\n");
    const env = { HOLDFAST_CONFIG: "", HOLDFAST_PORT: "0", HOLDFAST_LOG_LEVEL: "warn" };
    const dev = launch(["dev"], env, { cwd: folder, detached: true });

    await slowly("the broken file is reported", () =>
      dev.stderr.includes("Nothing runs yet. Waiting for a change."),
    );
    expect(dev.stderr).toMatch(/handler\.ts:1:\d+: ERROR/);
    writeFileSync(handler, good);
    await slowly("dev shows its screen", () => dev.stdout.includes("Change a file"));
    // Its job sends none.
    expect(dev.stdout).not.toMatch(/^ +Mail /m);

    const { url, body } = requestOnScreen(dev);
    expect(body).toMatchObject({ type: "greeting", payload: { name: "Ada" } });
    expect(await resultOf(url, body)).toEqual({ greeting: "Hi, Ada!" });

    writeFileSync(join(folder, ".env"), "GREETING=Good day\n");
    await slowly("the change of .env is loaded", () => /Reloaded in .* \.env changed/.test(dev.stdout));
    expect(await resultOf(url, { ...body, idempotencyKey: "after .env" })).toEqual({
      greeting: "Good day, Ada!",
    });

    writeFileSync(handler, `${good}// changed\n`);
    await slowly("the change is loaded", () => /Reloaded in .*handler\.ts changed/.test(dev.stdout));
    writeFileSync(join(folder, "jobs/env.ts"), "export const env = ;");
    await slowly("the second fault is reported", () =>
      dev.stderr.includes("The version before this change keeps running."),
    );
    expect((await get(new URL("/health/live", url).href)).status).toBe(200);

    dev.kill("SIGINT");
    expect((await dev.ended).code).toBe(0);
    expect(existsSync(join(folder, ".holdfast"))).toBe(true);
  });
});
