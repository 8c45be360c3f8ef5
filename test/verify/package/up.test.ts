import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { simpleParser } from "mailparser";
import pg from "pg";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { startMailbox } from "../../../dev/mailbox/start-mailbox.ts";
import { migrate } from "../../../src/roles/outbox/database.ts";
import { freePort } from "../../support/free-port.ts";
import { get, post } from "../../support/http.ts";
import { createDatabase } from "../../support/postgres.ts";
import {
  childrenOf,
  type HoldfastProcess,
  isAlive,
  launch,
  type ProcessEntry,
  pressCtrlC,
  START_MS,
  withProcesses,
} from "../../support/processes.ts";
import { until } from "../../support/until.ts";

const CONFIG = fileURLToPath(new URL("../../../holdfast.config.ts", import.meta.url));
const roles = ["api", "worker", "scheduler", "store"] as const;

/** Waits as long as a start may take. */
const slowly = <T>(what: string, probe: () => T | Promise<T>) => until(what, probe, START_MS);

/** An empty folder, as a newcomer would have, removed when the test ends. */
async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-up-"));
  onTestFinished(() => rm(folder, { recursive: true, maxRetries: 5 }));
  return folder;
}

function killAll(processes: readonly ProcessEntry[]) {
  for (const { pid } of processes) if (isAlive(pid)) process.kill(pid, "SIGKILL");
}

/** Starts `holdfast up` in a folder, with a mailbox beside it; resolves when it has printed its screen. */
async function startUp(folder: string, variables: Readonly<Record<string, string>> = {}) {
  const port = await freePort();
  const directory = join(folder, ".holdfast", "mailbox");
  const mailbox = await startMailbox({ directory, smtpPort: 0, pagePort: 0 });
  onTestFinished(() => mailbox.stop());
  const env = {
    SMTP_URL: mailbox.smtpUrl,
    HOLDFAST_PORT: String(port),
    HOLDFAST_LOG_LEVEL: "warn",
    HOLDFAST_CONFIG: CONFIG,
    HOLDFAST_STOP_GRACE_MS: "2000",
    ...variables,
  };
  const up = launch(["up"], env, { cwd: folder, detached: true });
  // Processes that outlive their `up` lose their parent, so remember them.
  let children: ProcessEntry[] = [];
  onTestFinished(() => {
    const left = [...children, ...childrenOf(up.pid)];
    up.kill("SIGKILL"); // first, or it would restart the others
    killAll(left);
  });
  const ended = up.ended.then(({ stderr }) => Promise.reject(new Error(`up ended:\n${stderr}`)));
  await Promise.race([slowly("up shows its screen", () => up.stdout.includes("Ctrl-C")), ended]);
  ended.catch(() => {});
  children = childrenOf(up.pid);
  return { up, jobs: `http://127.0.0.1:${port}/jobs` };
}

/** The request in the `curl` command that a newcomer sees. */
function requestOnScreen({ stdout }: HoldfastProcess) {
  const [, url = "", body = ""] =
    /curl -s (\S+) -H 'content-type: application\/json' -d '([^']+)'/.exec(stdout) ?? [];
  return {
    url,
    body: JSON.parse(body) as { idempotencyKey: string; payload: { name: string; message: string } },
  };
}

const untilCompleted = (jobs: string, id: string) =>
  slowly(`job ${id} is completed`, async () => {
    const { body } = await get(`${jobs}/${id}/status`).catch(() => ({ body: { state: "away" } }));
    return body.state === "completed";
  });

async function mailsIn(folder: string) {
  const directory = join(folder, ".holdfast", "mailbox");
  const names = (await readdir(directory)).filter((name) => name.endsWith(".eml"));
  return Promise.all(names.map(async (name) => simpleParser(await readFile(join(directory, name)))));
}

/** The running process of a role, if any. */
function childOf(up: HoldfastProcess, role: (typeof roles)[number]): number | undefined {
  const pattern = role === "store" ? /(redis|valkey)-server/ : new RegExp(`holdfast ${role}\\b`);
  return childrenOf(up.pid).find(({ command }) => pattern.test(command))?.pid;
}

describe("holdfast up in an empty folder", withProcesses, () => {
  it("turns the request on its screen into one mail, however often it is sent", async () => {
    const folder = await emptyFolder();
    const { up, jobs } = await startUp(folder);
    const { url, body } = requestOnScreen(up);
    expect(url).toBe(jobs);

    const first = await post(url, body);
    expect(first).toMatchObject({ status: 202, body: { duplicate: false } });
    await untilCompleted(jobs, first.body.id);

    expect(await post(url, body)).toMatchObject({
      status: 200,
      body: { id: first.body.id, duplicate: true },
    });
    const renamed = { ...body, payload: { ...body.payload, name: "Somebody" } };
    expect(await post(url, renamed)).toMatchObject({ status: 422, body: { code: "IDEMPOTENCY_KEY_REUSED" } });
    const [mail, ...others] = await mailsIn(folder);
    expect(others).toEqual([]);
    expect(mail?.to).toMatchObject({ value: [{ name: "Anoop", address: "anoop@example.com" }] });
    expect(mail?.text).toContain("Congratulations! Your background job system is live.");
    const { body: status } = await get(`${jobs}/${first.body.id}/status`);
    expect(status.result).toEqual({ messageId: mail?.messageId });
  });

  it("relays the rows of an outbox where DATABASE_URL names one", async () => {
    const databaseUrl = await createDatabase(inject("postgresUrl"));
    await migrate(databaseUrl);
    const folder = await emptyFolder();
    const { up } = await startUp(folder, { DATABASE_URL: databaseUrl });
    const { body } = requestOnScreen(up);

    const client = new pg.Client({ connectionString: databaseUrl });
    await client.connect();
    onTestFinished(() => client.end());
    await client.query(
      "INSERT INTO holdfast_outbox (type, payload, idempotency_key) VALUES ('welcome-email', $1, 'from-sql')",
      [JSON.stringify(body.payload)],
    );

    await slowly("the mail is there", async () => (await mailsIn(folder)).length === 1);
    await slowly("the row is gone", async () => (await client.query("TABLE holdfast_outbox")).rowCount === 0);
  });

  it("says why no relay runs where DATABASE_URL names a database without an outbox", async () => {
    const variables = {
      DATABASE_URL: await createDatabase(inject("postgresUrl")),
      HOLDFAST_LOG_LEVEL: "info",
    };
    const { up } = await startUp(await emptyFolder(), variables);

    expect(up.stderr).toMatch(/holdfast outbox init --apply.*"msg":"no relay runs"/);
  });

  it("restarts whatever dies, and reports it", async () => {
    const folder = await emptyFolder();
    const { up, jobs } = await startUp(folder);
    const { body } = requestOnScreen(up);

    for (const role of roles) {
      const pid = await slowly(`there is a ${role}`, () => childOf(up, role));
      process.kill(pid, "SIGKILL");
      await slowly(`there is another ${role}`, () => {
        const now = childOf(up, role);
        return now !== undefined && now !== pid;
      });
      const notice = new RegExp(`"msg":"${role} ended; restarting it"`, "i");
      await slowly(`up says that the ${role} ended`, () => notice.test(up.stderr));
    }

    const accepted = await slowly("a job is accepted", async () => {
      const answer = await post(jobs, body).catch(() => undefined);
      return answer !== undefined && answer.status < 300 && answer;
    });
    await untilCompleted(jobs, accepted.body.id);
    expect(await mailsIn(folder)).toHaveLength(1);
  });

  it("has its data directory to itself, and leaves it with all jobs to the next one, however it ended", async () => {
    const folder = await emptyFolder();
    const first = await startUp(folder);
    const { body } = requestOnScreen(first.up);
    const { id } = (await post(first.jobs, body)).body;
    await untilCompleted(first.jobs, id);
    const started = childrenOf(first.up.pid).map(({ pid }) => pid);
    expect(started).toHaveLength(roles.length);

    const env = { HOLDFAST_PORT: "0", HOLDFAST_CONFIG: CONFIG, SMTP_URL: "smtp://127.0.0.1:9" };
    const intruder = launch(["up"], env, { cwd: folder });
    expect(await intruder.ended).toMatchObject({
      code: 1,
      stdout: "",
      stderr: `holdfast up is already running on .holdfast (process ${first.up.pid}); stop it, or set HOLDFAST_DATA_DIR\n`,
    });

    pressCtrlC(first.up);
    pressCtrlC(first.up);

    const { code, stdout } = await first.up.ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(/Stopped\. Accepted jobs are kept\.\n$/);
    expect(started.filter(isAlive)).toEqual([]);

    const second = await startUp(folder);
    expect(await post(second.jobs, body)).toMatchObject({ status: 200, body: { id } });
    const orphans = childrenOf(second.up.pid);
    second.up.kill("SIGKILL");
    await second.up.ended;
    const orphanedRoles = orphans.filter(({ command }) => command.includes("holdfast "));
    await slowly("its roles have ended by themselves", () => !orphanedRoles.some(({ pid }) => isAlive(pid)));

    const third = await startUp(folder);
    expect(await post(third.jobs, body)).toMatchObject({ status: 200, body: { id } });
    expect(await get(`${third.jobs}/${id}/status`)).toMatchObject({ body: { state: "completed" } });
    expect(orphans.map(({ pid }) => pid).filter(isAlive)).toEqual([]);
    expect(await mailsIn(folder)).toHaveLength(1);
  });
});
