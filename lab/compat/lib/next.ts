import { spawn } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { endChild, endWithUs } from "../../../test/support/command.ts";
import { until } from "../../../test/support/until.ts";
import { type Bundled, bytesIn, jobId, ofTheHost } from "./bundles.ts";
import { checkout, must, newFolder, writeProject } from "./folder.ts";

const packages = ["next", "react", "react-dom", "typescript@6", "@types/react", "@types/node@20"];
const quiet = ["--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts"];
const env = { NEXT_TELEMETRY_DISABLED: "1", CI: "1" };
const START_MS = 60_000;

/** Builds a Next.js application whose route handler has a producer, starts it, and submits a job through it. */
export async function bundleWithNext(tarball: string, redisUrl: string): Promise<Bundled> {
  const folder = newFolder("next");
  writeProject(folder);
  await must(folder, "npm", ["install", ...quiet, tarball, "zod@^4", ...packages]);
  writeApplication(folder);
  const { seconds } = await must(folder, "node_modules/.bin/next", ["build"], { env });
  const id = await submitThrough(folder, redisUrl);
  return {
    bundler: "Next.js, route handler",
    seconds,
    bytes: bytesIn(join(folder, ".next/server")),
    jobId: id,
  };
}

function writeApplication(folder: string): void {
  const api = join(folder, "app/api/jobs");
  mkdirSync(api, { recursive: true });
  const route = readFileSync(join(checkout, "lab/compat/application/next/route.ts"), "utf8");
  writeFileSync(join(api, "route.ts"), route.replace("../contract.js", "./contract"));
  cpSync(join(checkout, "lab/compat/application/contract.ts"), join(api, "contract.ts"));
  const layout = "export default ({ children }) => <html><body>{children}</body></html>;";
  writeFileSync(join(folder, "app/layout.jsx"), layout);
  writeFileSync(join(folder, "app/page.jsx"), "export default () => <p>Hello</p>;");
}

async function submitThrough(folder: string, redisUrl: string): Promise<string> {
  const { PORT: _, ...others } = ofTheHost;
  const server = spawn(process.execPath, ["node_modules/next/dist/bin/next", "start", "--port", "0"], {
    cwd: folder,
    env: { PATH: process.env.PATH, ...env, ...others, HOST: "127.0.0.1", REDIS_URL: redisUrl },
    stdio: ["ignore", "pipe", "inherit"],
  });
  endWithUs(server);
  let printed = "";
  server.stdout.setEncoding("utf8").on("data", (text: string) => {
    printed += text;
  });
  try {
    const url = await until("Next.js listens", () => /http:\/\/localhost:\d+/.exec(printed)?.[0], START_MS);
    const response = await fetch(`${url}/api/jobs`, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": "through Next.js" },
      body: JSON.stringify({ to: "li@example.com" }),
    });
    const answer = await response.text();
    const [id] = jobId.exec(JSON.parse(answer).id) ?? [];
    if (id === undefined) throw new Error(`Next.js: expected the id of a job, got ${answer}`);
    return id;
  } finally {
    await endChild(server, "SIGKILL");
  }
}
