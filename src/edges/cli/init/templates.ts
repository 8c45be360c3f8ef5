import type { Project } from "./project.ts";

type Style = Pick<Project, "extension" | "importEnding" | "sources" | "testRunner">;

/** A new application's files by their path: one job with its schedule, variables and test. */
export function applicationFiles(style: Style): Readonly<Record<string, string>> {
  const { extension, sources } = style;
  const from = (path: string) => `"${path}${style.importEnding}"`;
  return {
    [`${sources}holdfast.config.${extension}`]: config(from),
    [`${sources}jobs/env.${extension}`]: env,
    [`${sources}jobs/greeting/contract.${extension}`]: contract,
    [`${sources}jobs/greeting/handler.${extension}`]: handler(from),
    [`${sources}jobs/greeting/schedule.${extension}`]: schedule(from),
    [`${sources}jobs/greeting/handler.test.${extension}`]: test(style, from),
    ".env.example": envExample(`${sources}jobs/env.${extension}`),
  };
}

type From = (path: string) => string;

const config = (from: From) => `import { defineConfig } from "holdfast";
import { env } from ${from("./jobs/env")};
import { greeting } from ${from("./jobs/greeting/contract")};
import { morningGreeting } from ${from("./jobs/greeting/schedule")};

export default defineConfig({
  jobs: [greeting],
  // Imported by the worker alone, so that what submits jobs does not load what they do.
  handlers: async () => [(await import(${from("./jobs/greeting/handler")})).greetingHandler],
  schedules: [morningGreeting],
  env,
});
`;

const env = `import { z } from "zod";

/** This application's own variables. A worker does not start if one is wrong. */
export const env = z.object({
  GREETING: z.string().default("Hello").meta({ description: "The first word of each greeting." }),
});
`;

const contract = `import { defineJob } from "holdfast";
import { http } from "holdfast/evidence";
import { z } from "zod";

/** What the job is. Every process may load it. */
export const greeting = defineJob({
  type: "greeting",
  payload: z.strictObject({ name: z.string().min(1).max(200) }).meta({ examples: [{ name: "Ada" }] }),
  result: z.strictObject({ greeting: z.string() }),
  retry: { attempts: 3, backoff: { kind: "exponential", delayMs: 1_000 } },
  timeoutMs: 30_000,
  // What must not happen twice. If its worker dies in the middle, the job says so and waits for you.
  // \`http\` says that it is one request: then what is refused is tried again. There is \`smtp\` for a mail, \`sql\` for a statement.
  effects: { greet: { timeoutMs: 10_000, inDoubt: "hold", classify: http } },
});
`;

const handler = (from: From) => `import { readEnv } from "holdfast";
import { env } from ${from("../env")};
import { greeting } from ${from("./contract")};

/** What the job does. Only a worker loads it. */
export const greetingHandler = greeting.handler(async ({ payload, effect, log }) => {
  const text = \`\${readEnv(env).GREETING}, \${payload.name}!\`;
  // Send a mail here, or call another service, with \`key\` as its idempotency key.
  await effect("greet", async ({ key }) => log.info(text, { key }));
  return { greeting: text };
});
`;

const schedule = (from: From) => `import { defineSchedule } from "holdfast";
import { greeting } from ${from("./contract")};

/** Each morning at nine. */
export const morningGreeting = defineSchedule({
  name: "morning-greeting",
  cron: "0 9 * * *",
  timeZone: "UTC",
  job: greeting,
  payload: ({ at }) => ({ name: \`world of \${at.toISOString().slice(0, 10)}\` }),
});
`;

const test = ({ extension, sources, testRunner }: Style, from: From) => {
  const types = extension.endsWith("ts") ? '/// <reference types="node" />\n' : "";
  const runner = testRunner === "vitest" ? "vitest" : "node:test";
  return `${types}import assert from "node:assert/strict";
import { crashSweep, runHandler } from "holdfast/testing";
import { test } from "${runner}";
import { greetingHandler } from ${from("./handler")};

test("greets by name, in one effect", async () => {
  const run = await runHandler(greetingHandler, { name: "Ada" });

  assert.match(run.result?.greeting ?? "", /, Ada!$/);
  assert.deepEqual(
    run.effects.map(({ name }) => name),
    ["greet"],
  );
});

// Kills a real worker before, in and after each effect, and looks at what happened twice.
test("is safe wherever its worker dies", { timeout: 120_000 }, async () => {
  const application = "${sources}holdfast.config.${extension}";
  const report = await crashSweep(greetingHandler, { name: "Ada" }, { application });

  report.assertSafe();
});
`;
};

const envExample = (
  file: string,
) => `# Copy to .env and uncomment what you change. The environment overrides .env.

# This application's own variables are in ${file}.
# GREETING=Hello

# Holdfast's own. Without the first, dev and up bring a store.
# REDIS_URL=redis://127.0.0.1:6379
# SMTP_URL=smtp://127.0.0.1:1025
# HOLDFAST_PORT=3000
`;

/** For a project without one. */
export const tsconfig = `${JSON.stringify(
  {
    compilerOptions: {
      target: "es2023",
      module: "nodenext",
      types: ["node"],
      strict: true,
      noEmit: true,
      skipLibCheck: true,
    },
  },
  null,
  2,
)}\n`;

/** pnpm refuses an install script that nobody has decided about. tsx's esbuild works without its own. */
export const pnpmWorkspace = "allowBuilds:\n  esbuild: false\n";
