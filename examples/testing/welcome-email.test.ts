// How to test a job. `node --import tsx --test examples/testing/*.test.ts`; Vitest and Jest do it the same way.
import assert from "node:assert/strict";
import { test } from "node:test";
import { NotDoneError } from "holdfast";
import { crashSweep, runHandler, startTestHoldfast } from "holdfast/testing";
import application from "../../holdfast.config.ts";
import { dailyDigest } from "../../jobs/daily-digest/contract.ts";
import { welcomeEmail } from "../../jobs/welcome-email/contract.ts";
import { welcomeEmailHandler } from "../../jobs/welcome-email/handler.ts";
import { startScriptedSmtp as startMailServer } from "../../test/support/smtp-script.ts";

const payload = { email: "anoop@example.com", name: "Anoop", message: "You are live." };

// #region handler
test("a mail that is refused is tried again", async () => {
  const refused = { throws: new NotDoneError("451 try later") };

  const run = await runHandler(welcomeEmailHandler, payload, { effects: { send: refused } });

  assert.equal(run.state, "delayed");
  assert.equal(run.error?.message, "451 try later");
  assert.equal(run.effects[0]?.state, "not-done");
});

test("a mail that an earlier attempt has sent is not sent again", async () => {
  const sent = { done: { messageId: "<1@example.com>" } };

  const run = await runHandler(welcomeEmailHandler, payload, { attempt: 2, effects: { send: sent } });

  assert.deepEqual(run.result, { messageId: "<1@example.com>" });
  assert.equal(run.effects[0]?.ran, false);
});
// #endregion

// #region holdfast
test("a mail goes out on the second attempt, two seconds later", async () => {
  await using mail = await startMailServer({ message: "451 try later" });
  process.env.SMTP_URL = mail.url;
  await using holdfast = await startTestHoldfast(application);

  const { id } = await holdfast.submit(welcomeEmail, payload);
  await holdfast.drain();
  assert.equal((await holdfast.job(id).status()).state, "delayed");

  await holdfast.clock.advance(2_000);
  await holdfast.job(id).completed();
  assert.equal(mail.received.length, 2);
});
// #endregion

// #region schedule
test("the digest is due each morning, for the day before", async () => {
  process.env.SMTP_URL = "smtp://127.0.0.1:9";
  await using holdfast = await startTestHoldfast(application);

  await holdfast.clock.advance(7 * 24 * 60 * 60 * 1000);

  assert.equal((await holdfast.submitted(dailyDigest)).length, 7);
});
// #endregion

// #region sweep
test("no crash sends a second mail", async () => {
  await using mail = await startMailServer();

  const report = await crashSweep(welcomeEmailHandler, payload, { env: { SMTP_URL: mail.url } });

  console.log(String(report));
  report.assertSafe();
});
// #endregion
