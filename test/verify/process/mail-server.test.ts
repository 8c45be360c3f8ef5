import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startWorker } from "holdfast/worker";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { startMailbox } from "../../../dev/mailbox/start-mailbox.ts";
import application from "../../../holdfast.config.ts";
import { getMailServer } from "../../../src/edges/cli/screen/first-screen.ts";
import { launch, launchRole, runProcess, withProcesses } from "../../support/processes.ts";
import { run } from "../../support/run-command.ts";
import { testEnvironment, type Variables } from "../../support/service.ts";

/** The jobs that come with Holdfast: two of the three send mail. */
const HOLDFAST_CONFIG = fileURLToPath(new URL("../../../holdfast.config.ts", import.meta.url));

const environment = (variables: Variables = {}) => testEnvironment({ HOLDFAST_CONFIG, ...variables });
const refusal =
  "SMTP_URL: expected smtp:// or smtps:// (required by welcome-email, daily-digest), got nothing";

describe("a worker whose jobs send mail", withProcesses, () => {
  it("does not start without a mail server, and prints one line with what is missing", async () => {
    for (const nothing of [{}, { SMTP_URL: "" }]) {
      const { code, stderr } = await runProcess(["worker"], environment(nothing));
      expect({ code, stderr }).toEqual({ code: 1, stderr: `${refusal}\n` });
    }
  });

  it("ends holdfast up before anything starts, with one more line on how to get one", async () => {
    // Elsewhere than in the checkout, where `up` has the development mailbox.
    const { code, stdout, stderr } = await launch(["up"], environment(), { cwd: tmpdir() }).ended;
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toBe(`${refusal}\nTo get a mail server: ${getMailServer}\n`);
  });

  it("says in one line what is wrong with a setting, also where up brings the mailbox", async () => {
    const cwd = fileURLToPath(new URL("../../..", import.meta.url));
    const { code, stderr } = await launch(["up"], environment({ HOLDFAST_PORT: "x" }), { cwd }).ended;
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/^HOLDFAST_PORT: expected a port.*\n$/),
    });
  });

  it("does not start without one from the library, either", async () => {
    vi.stubEnv("SMTP_URL", "");
    await expect(startWorker(application, environment())).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: refusal,
      issues: [{ pointer: "SMTP_URL" }],
    });
    vi.unstubAllEnvs();
  });

  it("does not use the mailbox of another process, even in the same data directory", async () => {
    const directory = join(environment().HOLDFAST_DATA_DIR, "mailbox");
    const mailbox = await startMailbox({ directory, smtpPort: 0, pagePort: 0 });
    onTestFinished(() => mailbox.stop());

    expect(await runProcess(["worker"], environment())).toMatchObject({ code: 1, stderr: `${refusal}\n` });
  });

  it("starts with one", async () => {
    const worker = await launchRole("worker", environment({ SMTP_URL: "smtp://127.0.0.1:9" }));
    worker.kill("SIGTERM");
    expect(await worker.ended).toMatchObject({ code: 0 });
  });
});

describe("holdfast doctor, for jobs that send mail", withProcesses, () => {
  const mailFinding = async (variables: Variables) => {
    const { stdout } = await run(["doctor", "--json"], environment(variables));
    const findings = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { name: string });
    return findings.find(({ name }) => name === "SMTP_URL");
  };

  it("warns without a mail server, because their worker would not start", async () => {
    expect(await mailFinding({})).toMatchObject({
      verdict: "warn",
      found: "not set; required by welcome-email, daily-digest",
      reason: expect.stringContaining("does not start"),
      remedy: expect.stringContaining("SMTP_URL"),
    });
  });

  it("names the server without its password", async () => {
    expect(await mailFinding({ SMTP_URL: "smtps://user:secret@mail.example:465" })).toEqual({
      name: "SMTP_URL",
      verdict: "ok",
      found: "mail.example:465",
      reason: null,
      remedy: null,
      code: null,
    });
  });
});
