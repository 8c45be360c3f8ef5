import { execFile } from "node:child_process";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it, onTestFinished } from "vitest";
import application from "../../../holdfast.config.ts";
import { withProcesses } from "../../support/processes.ts";
import { createService } from "../../support/service.ts";

const modules = fileURLToPath(new URL("../../../node_modules", import.meta.url));
const exec = promisify(execFile);

/** What somebody would write on top of the generated types. */
const program = `
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

const client = createClient<paths>({ baseUrl: process.argv[2] ?? "" });
const payload = { email: "anoop@example.com", name: "Anoop", message: "Hello" };
const submit = (name: string) =>
  client.POST("/jobs", {
    body: { type: "welcome-email", payload: { ...payload, name }, idempotencyKey: "signup-42" },
  });

const { data: receipt } = await submit("Anoop");
if (receipt === undefined) throw new Error("refused");
const { data: status } = await client.GET("/jobs/{id}/status", { params: { path: { id: receipt.id } } });
const { state } = status as components["schemas"]["JobStatus"];
const { error } = await submit("Maria");
const code = error?.code satisfies string | undefined;
console.log(JSON.stringify({ state, code }));

export function wrong() {
  // @ts-expect-error a member of the payload is missing
  client.POST("/jobs", { body: { type: "welcome-email", payload: { email: "a@example.com" } } });
  // @ts-expect-error no such type
  client.POST("/jobs", { body: { type: "welcome", payload } });
  // @ts-expect-error no such route
  client.GET("/jobs/{id}/states");
}
`;

const options = {
  compilerOptions: {
    module: "nodenext",
    target: "es2022",
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: ["node"],
  },
};

it(
  "openapi-typescript makes a typed client that compiles and calls a running API",
  withProcesses,
  async () => {
    const { url } = await createService(application, { SMTP_URL: "smtp://127.0.0.1:1" }).startApi();
    const folder = await mkdtemp(join(tmpdir(), "holdfast-generated-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    await symlink(modules, join(folder, "node_modules"));
    await writeFile(join(folder, "package.json"), '{"type":"module"}');
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify(options));
    await writeFile(join(folder, "program.ts"), program);
    const run = (command: string, ...args: string[]) =>
      exec(join(modules, ".bin", command), args, { cwd: folder }).catch(({ message, stdout }) => {
        throw new Error(`${message}\n${stdout}`);
      });

    await run("openapi-typescript", `${url}/openapi.json`, "-o", "api.d.ts");
    await run("tsc", "-p", ".");
    const { stdout } = await run("tsx", "program.ts", url);

    expect(JSON.parse(stdout)).toEqual({ state: "waiting", code: "IDEMPOTENCY_KEY_REUSED" });
  },
);
