import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import { newServerFolder } from "./server-folder.ts";

export interface RedisServerOptions {
  /** Where its files are. @default a new temporary folder, which `stop()` removes */
  readonly directory?: string;
  /** @default a free one */
  readonly port?: number;
  /** The address that it listens on. @default 127.0.0.1 */
  readonly host?: string;
  /** The network namespace that it runs in. @default this process's */
  readonly namespace?: string;
  /** More arguments, such as `["--maxmemory", "10mb"]`; they override the defaults below. */
  readonly args?: readonly string[];
  /** Added to its environment. */
  readonly env?: NodeJS.ProcessEnv;
  /** Its configuration file, which makes it a Sentinel. */
  readonly sentinelFile?: string;
}

/** A Redis or Valkey server that a test may damage. */
export interface RedisServer {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Of the running process; it changes with `restart()`. */
  readonly pid: number;
  /** Ends it with SIGKILL, even if it is paused; resolves when it is gone. Its files stay. */
  kill(): Promise<void>;
  /** Kills it and removes its temporary folder. Safe to call twice. */
  stop(): Promise<void>;
  /** Kills it if it runs, and starts it on the same port and files; resolves when it answers. */
  restart(): Promise<void>;
}

/** Acknowledged means on disk, and nothing is ever evicted. */
const durable = [
  ["--appendonly", "yes"],
  ["--appendfsync", "always"],
  ["--no-appendfsync-on-rewrite", "no"],
  ["--maxmemory-policy", "noeviction"],
  ["--save", ""],
].flat();

/** Below the range of ephemeral ports, so that a port stays ours over a restart. */
const ports = { from: 20_000, to: 32_000 };
const portTries = 20;

/** Starts a server on 127.0.0.1; resolves when it answers. */
export async function startRedisServer(options: RedisServerOptions = {}): Promise<RedisServer> {
  const directory = options.directory ?? (await newServerFolder("redis"));
  const tidyUp = async () => {
    if (options.directory === undefined) await rm(directory, { recursive: true, force: true });
  };
  const { sentinelFile, host = "127.0.0.1" } = options;
  const own = sentinelFile === undefined ? ["--dir", directory, ...durable] : ["--sentinel"];
  const args = [...own, ...(options.args ?? [])];
  let { server, port } = await launchOnFreePort(args, options).catch(async (error) => {
    await tidyUp();
    throw error;
  });

  return {
    url: `redis://${host}:${port}`,
    host,
    port,
    get pid() {
      return server.pid;
    },
    kill: () => server.kill(),
    async stop() {
      await server.kill();
      await tidyUp();
    },
    async restart() {
      await server.kill();
      ({ server } = await launchOnFreePort(args, { ...options, port }));
    },
  };
}

async function launchOnFreePort(
  args: readonly string[],
  { port: wantedPort, env, sentinelFile, host = "127.0.0.1", namespace }: RedisServerOptions,
) {
  for (let tries = 0; tries < portTries; tries += 1) {
    const port = wantedPort ?? randomInt(ports.from, ports.to);
    // A configuration file is recognised only as the first argument.
    const file = sentinelFile === undefined ? [] : [sentinelFile];
    const command: [string, ...string[]] = [
      findServer(),
      ...file,
      "--bind",
      host,
      "--port",
      String(port),
      ...args,
    ];
    const server = await launch(inNamespace(command, namespace), env);
    if (server !== "port in use") return { server, port };
  }
  throw new Error(`No free port for a Redis server: tried ${wantedPort ?? "random ones"} ${portTries} times`);
}

/** Resolves when the server itself reports that it is ready, so another server on the port is not mistaken for it. */
async function launch([program, ...args]: readonly [string, ...string[]], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
  const exited = once(child, "exit");
  const kill = async () => {
    child.kill("SIGKILL");
    await exited;
  };
  endWithUs(child);

  const printed: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    printed.push(line);
    if (!/Ready to accept connections|Sentinel ID is/.test(line)) continue;
    child.stdout.resume(); // a full pipe would block the server
    return { pid: child.pid!, kill };
  }
  await exited;
  if (printed.some((line) => line.includes("Address already in use"))) return "port in use";
  throw new Error(`The Redis server did not start:\n${printed.join("\n")}`);
}

/** The command that runs another one, as the same process, in a network namespace. */
export function inNamespace(
  command: readonly [string, ...string[]],
  namespace: string | undefined,
): readonly [string, ...string[]] {
  return namespace === undefined ? command : ["ip", "netns", "exec", namespace, ...command];
}

/** The guard ends the server however this process ends, even by SIGKILL, because its pipe closes. */
function endWithUs(server: ChildProcess) {
  const guard = spawn("sh", ["-c", `read _; kill -9 ${server.pid}`], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true, // Ctrl-C in the terminal must not end the guard first
  });
  guard.unref();
  server.once("exit", () => guard.kill("SIGKILL"));
}

function findServer(): string {
  const folders = (process.env.PATH ?? "").split(path.delimiter);
  const candidates = ["redis-server", "valkey-server"].flatMap((name) =>
    folders.map((folder) => path.join(folder, name)),
  );
  const found = candidates.find((file) => existsSync(file));
  if (found === undefined) throw new Error("Neither redis-server nor valkey-server is on PATH");
  return found;
}
