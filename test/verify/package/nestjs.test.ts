import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from "vitest";
import { useApplication } from "../../../lab/compat/lib/call.ts";
import { pack, removeFolders } from "../../../lab/compat/lib/folder.ts";
import { type NestProject, openNestProject } from "../../../lab/compat/lib/nest.ts";
import { endWithUs } from "../../support/command.ts";
import { freePort } from "../../support/free-port.ts";
import { until } from "../../support/until.ts";

/** `NEST_VERSIONS=11,12` tries both: CommonJS with Jest, and ES modules with Vitest. */
const versions = (process.env.NEST_VERSIONS ?? "11").split(",");
const START_MS = 60_000;

describe.each(versions)("in a project of Nest %s's generator", { timeout: 300_000 }, (version) => {
  let project: NestProject;
  beforeAll(async () => {
    const { tarball } = await pack();
    project = await openNestProject(tarball, version);
    await project.build();
  }, 300_000);

  afterAll(removeFolders);

  function start(args: readonly string[], more: NodeJS.ProcessEnv): ChildProcess {
    const env = { PATH: process.env.PATH, REDIS_URL: inject("redisUrl"), ...more };
    const child = spawn(process.execPath, args, { cwd: project.folder, env, stdio: "ignore" });
    endWithUs(child);
    onTestFinished(() => void child.kill("SIGKILL"));
    return child;
  }

  it("its own test passes, and those of a handler and of the application", async () => {
    const { code, output } = await project.test(inject("redisUrl"));

    expect(output).toMatch(/app\.controller\.spec\.ts/);
    expect(output).toMatch(/Tests:? +.*\b3 passed/);
    expect(code).toBe(0);
  });

  it.each([
    ["in the application's process", {}, []],
    ["by holdfast worker", { WORKER: "elsewhere" }, ["node_modules/holdfast/bin/holdfast", "worker"]],
  ])("the build runs a job %s, and stops with its signal", async (_, own, worker) => {
    const port = await freePort();
    const env = {
      HOLDFAST_PREFIX: `test-${randomUUID()}`,
      PORT: String(port),
      HOLDFAST_CONFIG: "dist/holdfast.config.js",
    };
    const application = start(["dist/main.js"], { ...env, ...own });
    const running = worker.length === 0 ? [application] : [application, start(worker, env)];
    const url = `http://localhost:${port}`;
    await until(
      "it is healthy",
      () =>
        fetch(`${url}/health`).then(
          ({ ok }) => ok,
          () => false,
        ),
      START_MS,
    );

    const answer = await fetch(`${url}/signups/1`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ email: "li@example.com", name: "Li" }),
    });
    const { id } = (await answer.json()) as { id: string };
    const status = async () =>
      (await fetch(`${url}/signups/jobs/${id}`)).json() as Promise<{ state: string }>;
    await until("the job is done", async () => (await status()).state === "completed", START_MS);
    const ended = running.map((child) => once(child, "exit"));
    for (const child of running) child.kill("SIGTERM");

    expect(answer.status).toBe(202);
    // Nest ends its process by the signal, when everything is closed.
    expect(await Promise.all(ended)).toEqual(
      running.map((child) => (child === application ? [null, "SIGTERM"] : [0, null])),
    );
  });

  it("the build, beside holdfast worker, serves submissions, the mounted API, console, session and event stream, and stops with a page open", async () => {
    const env = {
      PATH: process.env.PATH,
      HOLDFAST_PREFIX: `test-${randomUUID()}`,
      HOLDFAST_CONFIG: "dist/holdfast.config.js",
      WORKER: "elsewhere",
    };
    const doneAfterS = await useApplication({
      folder: project.folder,
      env,
      redisUrl: inject("redisUrl"),
      start: ["node", ["dist/main.js"]],
      worker: ["node", ["node_modules/holdfast/bin/holdfast", "worker"]],
      withPages: false,
    });

    expect(doneAfterS).toBeGreaterThan(0);
  });
});
