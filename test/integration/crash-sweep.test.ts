import { readFileSync } from "node:fs";
import { crashSweep } from "holdfast/testing";
import { describe, expect, it, onTestFinished } from "vitest";
import { unsafeMailHandler } from "../support/fixtures/unsafe-mail.config.ts";
import { withProcesses } from "../support/processes.ts";
import { startScriptedSmtp } from "../support/smtp-script.ts";

const docs = readFileSync(new URL("../../docs/testing.md", import.meta.url), "utf8");
const unsafe = new URL("../support/fixtures/unsafe-mail.config.ts", import.meta.url);
const email = "anoop@example.com";

async function mailServer() {
  const server = await startScriptedSmtp();
  onTestFinished(() => server.stop());
  return { server, env: { SMTP_URL: server.url } };
}

describe("a crash sweep", withProcesses, () => {
  it("catches a mail that is sent outside of an effect, as the docs show", async () => {
    const { server, env } = await mailServer();

    const report = await crashSweep(unsafeMailHandler, { email }, { env, application: unsafe });

    const { host } = new URL(env.SMTP_URL);
    expect(docs).toContain(String(report).replace(host, "127.0.0.1:1025"));
    expect(report).toMatchObject({
      ok: false,
      boundaries: [{ outcome: "repeated", repeatedCalls: [{ call: `connection to ${host}`, times: 2 }] }],
    });
    expect(() => report.assertSafe()).toThrow("NOT SAFE");
    // Once without a crash, and twice with one.
    expect(server.received).toHaveLength(3);
  });

  it("refuses to begin with a job that does not complete, or an application that is not there", async () => {
    const sweep = (handler: typeof unsafeMailHandler) =>
      crashSweep(handler, { email }, { application: unsafe, env: { SMTP_URL: "smtp://127.0.0.1:9" } });
    await expect(sweep(unsafeMailHandler)).rejects.toThrow(
      /^The job does not complete, even without a crash: HANDLER_FAILED: .*ECONNREFUSED/,
    );
    await expect(
      crashSweep(unsafeMailHandler, { email }, { application: "no-such.config.ts" }),
    ).rejects.toThrow("there is no file");
  });
});
