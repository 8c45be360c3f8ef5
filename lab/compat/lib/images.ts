import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { freePort } from "../../../test/support/free-port.ts";
import { call } from "../../../test/support/http.ts";
import { startRedisServer } from "../../../test/support/redis-server.ts";
import { until } from "../../../test/support/until.ts";
import { launch } from "./call.ts";
import { must, newFolder } from "./folder.ts";
import { type Manager, pathOf, type Runtime } from "./programs.ts";

/** What `init --deploy` writes, installed by a package manager, as its image runs it. */
export interface ImageCombination {
  readonly runtime: Runtime;
  readonly manager: Manager;
}

export interface TriedImage {
  readonly combination: ImageCombination;
  /** Of the image's steps. */
  readonly buildS?: number;
  readonly jobS?: number;
  readonly fault?: string;
}

const runtimes: readonly Runtime[] = ["Node.js 20", "Node.js 22", "Node.js 24"];
const managers: readonly Manager[] = ["npm", "pnpm 10", "pnpm 12", "Yarn"];
export const images: readonly ImageCombination[] = runtimes.flatMap((runtime) =>
  managers.map((manager) => ({ runtime, manager })),
);

export function imageRowOf({ runtime, manager }: ImageCombination): string {
  return `image, ${runtime}, ${manager}`;
}

const KEY = "compat";
const START_MS = 120_000;

/** Takes the steps of the image in plain folders, and runs its roles from there. There is no container: users, volumes and ports are the machine's. */
export async function tryImage(combination: ImageCombination, tarball: string): Promise<TriedImage> {
  const project = newFolder("image-of");
  const redis = await startRedisServer();
  try {
    const path = await pathOf(combination.runtime, combination.manager);
    const env = { HOME: process.env.HOME, PATH: path, ...certificates() };
    await writeProjectWith(combination.manager, project, tarball, env);
    const begun = performance.now();
    const image = await buildImage(project, env);
    const buildS = (performance.now() - begun) / 1_000;
    return { combination, buildS, jobS: await useImage(image, env, redis.url) };
  } catch (error) {
    return { combination, fault: error instanceof Error ? error.message : String(error) };
  } finally {
    await redis.stop();
    rmSync(project, { recursive: true, force: true, maxRetries: 5 });
  }
}

function certificates(): NodeJS.ProcessEnv {
  const { NODE_EXTRA_CA_CERTS } = process.env;
  return NODE_EXTRA_CA_CERTS === undefined ? {} : { NODE_EXTRA_CA_CERTS };
}

/** An empty folder, in which somebody runs `init --deploy` and installs. */
async function writeProjectWith(
  manager: Manager,
  project: string,
  tarball: string,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const [program = "npm"] = manager.toLowerCase().split(" ");
  cpSync(tarball, join(project, "holdfast.tgz"));
  const init = ["exec", "--yes", `--package=${tarball}`, "--", "holdfast", "init", "--deploy"];
  const agent = {
    npm_config_user_agent: program === "npm" ? "npm/11" : `${program}/${manager === "Yarn" ? "4" : "10"}`,
  };
  // npm names itself in that variable, so the command is called as the package manager would.
  await must(
    project,
    "npm",
    [
      "exec",
      "--yes",
      `--package=${tarball}`,
      "-c",
      `npm_config_user_agent=${agent.npm_config_user_agent} holdfast ${init.slice(-2).join(" ")}`,
    ],
    { env },
  );
  const file = join(project, "package.json");
  const written = JSON.parse(readFileSync(file, "utf8"));
  written.dependencies.holdfast = "file:./holdfast.tgz";
  writeFileSync(file, JSON.stringify(written, null, 2));
  const installs = {
    npm: ["npm", "install", "--no-audit", "--no-fund"],
    pnpm: ["pnpm", "install", "--no-frozen-lockfile", "--reporter=append-only"],
    yarn: ["yarn", "install", "--no-immutable"],
  };
  const [command = "", ...args] = installs[program as keyof typeof installs] ?? [];
  await must(project, command, args, { env: { ...env, YARN_ENABLE_TELEMETRY: "false" } });
}

interface Stage {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
}

/** What the Dockerfile says, line by line. @returns the folder of its last stage, with only its variables */
async function buildImage(project: string, outer: NodeJS.ProcessEnv): Promise<Stage> {
  const ignored = new Set(readFileSync(join(project, ".dockerignore"), "utf8").trim().split("\n"));
  const text = readFileSync(join(project, "Dockerfile"), "utf8").replaceAll("\\\n", " ");
  const stages = new Map<string, Stage>();
  let stage: Stage | undefined;
  for (const line of text.split("\n").filter((one) => /^[A-Z]+ /.test(one))) {
    const [, keyword = "", rest = ""] = /^([A-Z]+) (.*)$/.exec(line) ?? [];
    if (keyword === "FROM") {
      stage = { folder: newFolder("stage"), env: {} };
      stages.set(/ AS (\S+)/.exec(rest)?.[1] ?? "last", stage);
    } else if (stage !== undefined) await takeStep(keyword, rest, { project, ignored, stages, stage, outer });
  }
  const last = stages.get("last");
  if (last === undefined) throw new Error("the Dockerfile has no last stage");
  return last;
}

interface Step {
  readonly project: string;
  readonly ignored: ReadonlySet<string>;
  readonly stages: ReadonlyMap<string, Stage>;
  readonly stage: Stage;
  readonly outer: NodeJS.ProcessEnv;
}

async function takeStep(keyword: string, rest: string, step: Step): Promise<void> {
  const { stage, outer } = step;
  if (keyword === "ENV")
    for (const pair of rest.trim().split(/\s+/)) {
      const [name = "", value = ""] = pair.split("=", 2);
      stage.env[name] = value;
    }
  else if (keyword === "COPY") copy(rest.trim().split(/\s+/), step);
  // The package manager is there, and what prepares the machine's own folders is the container's.
  else if (keyword === "RUN" && !/^npm install --global|^mkdir /.test(rest))
    await must(stage.folder, "sh", ["-ec", rest], { env: { ...outer, ...stage.env } });
}

function copy(words: readonly string[], { project, ignored, stages, stage }: Step): void {
  const from = /^--from=(.*)$/.exec(words[0] ?? "")?.[1];
  const paths = words.slice(from === undefined ? 0 : 1, -1);
  for (const path of paths)
    if (from !== undefined) {
      const name = basename(path);
      cpSync(join(stages.get(from)?.folder ?? "", name), join(stage.folder, name), {
        recursive: true,
        verbatimSymlinks: true,
      });
    } else copyFromProject(path, project, ignored, stage.folder);
}

function copyFromProject(path: string, project: string, ignored: ReadonlySet<string>, target: string): void {
  const pattern = new RegExp(`^${path.replaceAll(".", "\\.").replaceAll("*", ".*")}$`);
  const found = readdirSync(project).filter((name) => path === "." || pattern.test(name));
  if (found.length === 0) throw new Error(`COPY ${path}: there is no such file`);
  // The packed package stands for the one of the registry.
  for (const name of new Set([...found, "holdfast.tgz"]))
    if (!ignored.has(name)) cpSync(join(project, name), join(target, name), { recursive: true });
}

/** @returns the seconds from the roles' start until a job has completed */
async function useImage(
  { folder, env: own }: Stage,
  outer: NodeJS.ProcessEnv,
  redisUrl: string,
): Promise<number> {
  const [port, metrics] = [await freePort(), await freePort()];
  const dataDir = join(folder, ".data");
  mkdirSync(dataDir, { mode: 0o700 });
  const env = {
    ...outer,
    ...own,
    REDIS_URL: redisUrl,
    HOLDFAST_PORT: String(port),
    HOLDFAST_DATA_DIR: dataDir,
    HOLDFAST_API_KEYS: `compat:submit+read:${createHash("sha256").update(KEY).digest("hex")}`,
  };
  const role = (name: string, at: number) =>
    launch(
      { folder, command: ["node_modules/.bin/holdfast", [name]], name },
      { ...env, HOLDFAST_METRICS_PORT: String(at) },
    );
  const begun = performance.now();
  const roles = [role("api", metrics), role("worker", await freePort()), role("scheduler", await freePort())];
  const url = `http://127.0.0.1:${port}/jobs`;
  const withKey = { authorization: `Bearer ${KEY}` };
  try {
    await roles[0]?.untilReady(() => fetch(`http://127.0.0.1:${metrics}/health/ready`).then(({ ok }) => ok));
    const job = { type: "greeting", payload: { name: "Li" }, idempotencyKey: "1" };
    const { body } = await call(url, "POST", job, withKey);
    const state = async () => (await call(`${url}/${body.id}/status`, "GET", undefined, withKey)).body.state;
    const ended = Promise.race(roles.map((one) => one.ended));
    await Promise.race([
      until("the job has completed", async () => (await state()) === "completed", START_MS),
      ended,
    ]);
    const seconds = (performance.now() - begun) / 1_000;
    for (const one of roles) await one.stop();
    return seconds;
  } catch (error) {
    const printed = roles.map((one) => one.printed.text.slice(-2_000)).join("\n");
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${printed}`);
  } finally {
    for (const one of roles) one.kill();
  }
}
