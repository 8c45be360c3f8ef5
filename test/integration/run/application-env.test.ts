import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { runProcess, withProcesses } from "../../support/processes.ts";
import { run } from "../../support/run-command.ts";
import { testEnvironment } from "../../support/service.ts";

const HOLDFAST_CONFIG = fileURLToPath(new URL("../../../holdfast.config.ts", import.meta.url));

const environment = (variables: Record<string, string>) => ({
  ...testEnvironment({ HOLDFAST_CONFIG, SMTP_URL: "smtp://127.0.0.1:9" }),
  ...variables,
});
const wrong = { OPERATOR_EMAIL: "nobody", WEBHOOK_SECRET: "hunter2" };
const lines =
  'OPERATOR_EMAIL: expected one mail address, e.g. operator@example.com, got "nobody"\n' +
  "WEBHOOK_SECRET: expected whsec_ and 24 to 64 bytes in base64, got (hidden)\n";

describe("an application's own variables", withProcesses, () => {
  it.each(["worker", "up"])(
    "keep %s from starting if they are wrong, with one line each",
    async (command) => {
      expect(await runProcess([command], environment(wrong))).toEqual({ code: 1, stdout: "", stderr: lines });
    },
  );

  it("are listed by the doctor, without secrets", async () => {
    const secret = `whsec_${Buffer.alloc(24).toString("base64")}`;
    const { stdout } = await run(
      ["doctor", "--verbose"],
      environment({ WEBHOOK_SECRET: secret, MAIL_FROM: "a@example.com" }),
    );

    expect(stdout).toMatch(/^ok +WEBHOOK_SECRET +\(hidden\)$/m);
    expect(stdout).toMatch(/^ok +MAIL_FROM +"a@example\.com"$/m);
    expect(stdout).toMatch(/^ok +OPERATOR_EMAIL +not set; operator@localhost$/m);
    expect(stdout).not.toContain(secret);
  });

  it("are bad for the doctor if a worker would not start", async () => {
    const { code, stdout } = await run(["doctor"], environment(wrong));

    expect(code).toBe(1);
    expect(stdout).toMatch(/^bad +WEBHOOK_SECRET +expected whsec_ .* got \(hidden\)$/m);
  });
});
