import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { launchBrowser } from "../../../test/support/browser.ts";
import { endWithUs } from "../../../test/support/command.ts";
import { freePort } from "../../../test/support/free-port.ts";
import { type Answer, call } from "../../../test/support/http.ts";
import { until } from "../../../test/support/until.ts";

/** An application that is built, and how its server and its worker are started. */
export interface BuiltApplication {
  readonly folder: string;
  /** Where its server is started. @default the folder */
  readonly serverFolder?: string;
  readonly env: NodeJS.ProcessEnv;
  readonly start: readonly [string, string[]];
  readonly worker: readonly [string, string[]];
  readonly redisUrl: string;
  /** Whether it has a form that submits a job, on its first page. */
  readonly withPages: boolean;
  /** Whether it has a page of its own with its own login, at `/team`, and refuses a body that is no JSON. */
  readonly withLogin?: boolean;
}

const START_MS = 120_000;
/** Also with a page open. */
const STOP_MS = 5_000;
const KEY = "compat";
const withKey = { authorization: `Bearer ${KEY}` };

/**
 * Starts an application and a worker, and uses all that it has: submissions, good and bad, the mounted API, console, session and event
 * stream, and its pages.
 *
 * @returns the seconds from the worker's start until the first job has completed
 * @throws Error that says what was expected and came instead
 */
export async function useApplication(application: BuiltApplication): Promise<number> {
  const port = await freePort();
  const env = {
    ...application.env,
    PORT: String(port),
    REDIS_URL: application.redisUrl,
    HOLDFAST_API_KEYS: `compat:submit+read+operate:${createHash("sha256").update(KEY).digest("hex")}`,
    JOBS_KEY: KEY,
    TEAM_PASSWORD: KEY,
    NODE_ENV: "production",
  };
  const { folder, serverFolder = folder, start, worker: work } = application;
  const server = launch({ folder: serverFolder, command: start, name: "start" }, env);
  let worker: Launched | undefined;
  try {
    const url = `http://localhost:${port}`;
    await server.untilReady(() => fetch(url).then(({ ok }) => ok));
    const id = await submit(url);
    await useMounted(`${url}/jobs-admin`, id);
    const begun = performance.now();
    worker = launch({ folder, command: work, name: "worker" }, env);
    await followToEnd(`${url}/jobs-admin/jobs/${id}/status`, worker);
    const seconds = (performance.now() - begun) / 1_000;
    if (application.withPages) await useForm(url);
    if (application.withLogin) await useLogin(url);
    await worker.stop();
    const page = await openPage(`${url}/jobs-admin/overview`);
    await server.stop();
    await page.closed;
    return seconds;
  } catch (error) {
    const printed = [server, worker].map((one) => one?.printed.text.slice(-2_000) ?? "").join("\n");
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${printed}`);
  } finally {
    server.kill();
    worker?.kill();
  }
}

/** @returns the job's id */
async function submit(url: string): Promise<string> {
  const payload = { email: "li@example.com", name: "Li" };
  const first = await call(`${url}/signups/1`, "POST", payload);
  expect("a submission", first, { status: 202, duplicate: false });
  const again = await call(`${url}/signups/1`, "POST", payload);
  expect("the same key", again, { status: 202, duplicate: true, id: first.body.id });
  const bad = await call(`${url}/signups/2`, "POST", { email: "nobody", name: "" });
  expect("a bad payload", bad, { status: 400, code: "INVALID_PAYLOAD" });
  const pointers = (bad.body.errors as { readonly pointer: string }[]).map(({ pointer }) => pointer);
  if (String(pointers) !== "/payload/email,/payload/name")
    throw new Error(`a bad payload: its errors are at ${pointers}`);
  if (!bad.headers.get("content-type")?.startsWith("application/problem+json"))
    throw new Error(`a bad payload: the answer is of type ${bad.headers.get("content-type")}`);
  const other = await call(`${url}/signups/1`, "POST", { ...payload, name: "Ann" });
  expect("the same key for something else", other, { status: 422, code: "IDEMPOTENCY_KEY_REUSED" });
  return first.body.id;
}

/** The API, the console and the session, below a prefix. */
async function useMounted(mounted: string, id: string): Promise<void> {
  const status = `${mounted}/jobs/${id}/status`;
  expect("a status without a key", await call(status, "GET"), { status: 401, code: "UNAUTHENTICATED" });
  expect("a status", await call(status, "GET", undefined, withKey), { status: 200, id, state: "waiting" });
  const page = await call(`${mounted}/console/jobs`, "GET");
  expect("the console's page", page, { status: 200 });
  const [, base = "", script = ""] =
    /<base href="([^"]*)".*?<script[^>]* src="([^"]+)"/s.exec(String(page.body.text)) ?? [];
  const asset = await call(new URL(script, new URL(base, `${mounted}/console/jobs`)).href, "GET");
  expect("the console's script", asset, { status: 200 });
  const session = await call(`${mounted}/session`, "POST", undefined, {
    ...withKey,
    "x-holdfast-console": "1",
  });
  expect("a sign-in", session, { status: 200, name: "compat" });
  const set = session.headers.get("set-cookie") ?? "";
  // Without a Path it counts below the folder of /session.
  if (!/HttpOnly/i.test(set) || /; Path=(?!\/jobs-admin)/i.test(set))
    throw new Error(`a sign-in: its cookie is ${set}`);
  const [cookie = ""] = set.split(";");
  expect("a session", await call(`${mounted}/session`, "GET", undefined, { cookie }), {
    status: 200,
    name: "compat",
  });
  expect("a status in a session", await call(status, "GET", undefined, { cookie }), { status: 200, id });
}

/** Reads the event stream to its end, which the worker brings about. */
async function followToEnd(status: string, worker: Launched): Promise<void> {
  const left = AbortSignal.timeout(START_MS);
  const headers = { ...withKey, accept: "text/event-stream" };
  const response = await fetch(status, { headers, signal: left });
  if (response.body === null || response.status !== 200)
    throw new Error(`an event stream: expected 200, got ${response.status}`);
  let text = "";
  const decoder = new TextDecoder();
  const read = async () => {
    for await (const chunk of response.body ?? [])
      text += decoder.decode(chunk as Uint8Array, { stream: true });
  };
  await Promise.race([read(), worker.ended]);
  const states = [...text.matchAll(/^data: (.+)$/gm)].map(([, data = ""]) => JSON.parse(data).state);
  if (states[0] !== "waiting" || states.at(-1) !== "completed")
    throw new Error(`an event stream: expected waiting to completed, got ${states.join(", ") || text}`);
}

/** What Holdfast must leave to the application: its own 401 and 400. */
async function useLogin(url: string): Promise<void> {
  const login = (password: string) => ({
    authorization: `Basic ${Buffer.from(`team:${password}`).toString("base64")}`,
  });
  const refused = await call(`${url}/team`, "GET", undefined, login("wrong"));
  expect("a wrong password", refused, { status: 401 });
  if (!/^Basic /.test(refused.headers.get("www-authenticate") ?? ""))
    throw new Error("a wrong password: the browser is not asked for another");
  expect("a password", await call(`${url}/team`, "GET", undefined, login(KEY)), { status: 200 });
  const headers = { "content-type": "application/json" };
  const { status } = await fetch(`${url}/signups/3`, { method: "POST", headers, body: "{" });
  if (status !== 400) throw new Error(`a body that is no JSON: expected 400, got ${status}`);
}

/** A page that stays open: the server's stop must not wait for it. */
async function openPage(url: string): Promise<{ readonly closed: Promise<void> }> {
  const response = await fetch(url, { headers: { ...withKey, accept: "text/event-stream" } });
  if (response.status !== 200) throw new Error(`a page: expected 200, got ${response.status}`);
  return { closed: response.text().then(() => undefined) };
}

/** Submits by the form of the first page, in a browser: by a server action, with the status in a client component. */
async function useForm(url: string): Promise<void> {
  const browser = await launchBrowser();
  try {
    const page = await browser.newPage();
    await page.goto(url);
    await page.getByLabel("Email").fill("nobody");
    await page.getByLabel("Name").fill("Li");
    await page.getByRole("button", { name: "Sign up" }).click();
    await page.getByRole("alert").getByText("email:").waitFor({ timeout: START_MS });
    await page.getByLabel("Email").fill("li@example.com");
    await page.getByLabel("Name").fill("Li");
    await page.getByRole("button", { name: "Sign up" }).click();
    await page.getByRole("status").getByText("completed").waitFor({ timeout: START_MS });
  } finally {
    await browser.close();
  }
}

/** @throws Error unless the answer has this status, and its body these members */
function expect(what: string, { status, body }: Answer, wanted: Readonly<Record<string, unknown>>): void {
  const got: Record<string, unknown> = { ...body, status };
  if (Object.entries(wanted).every(([name, value]) => got[name] === value)) return;
  throw new Error(
    `${what}: expected ${JSON.stringify(wanted)}, got ${status} ${JSON.stringify(body).slice(0, 1_000)}`,
  );
}

type Launched = ReturnType<typeof launch>;

interface Program {
  readonly folder: string;
  readonly command: readonly [string, string[]];
  /** For people. */
  readonly name: string;
}

/** As from a terminal: signals go to the package manager, too. */
export function launch({ folder, command: [command, args], name: role }: Program, env: NodeJS.ProcessEnv) {
  const child = spawn(command, args, {
    cwd: folder,
    env,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  endWithUs(child);
  const printed = { text: "" };
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      printed.text += text;
    });
  const closed = once(child, "close");
  const ended = closed.then(() => Promise.reject(new Error(`${role}: ended by itself`)));
  ended.catch(() => {}); // also when it is stopped
  return {
    printed,
    /** Rejects when it has ended. */
    ended,
    async untilReady(isReady: () => Promise<boolean>) {
      const asked = () => (isOver(child) ? true : isReady().catch(() => false));
      await until(`${role} is ready`, asked, START_MS);
      if (isOver(child)) throw new Error(`${role}: ended by itself`);
    },
    async stop() {
      signalGroup(child, "SIGTERM");
      const tooLong = AbortSignal.timeout(STOP_MS);
      await Promise.race([closed, once(tooLong, "abort")]);
      if (tooLong.aborted) throw new Error(`${role}: did not stop within ${STOP_MS / 1_000} s`);
    },
    kill: () => signalGroup(child, "SIGKILL"),
  };
}

function isOver({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // All of them have ended.
  }
}
