import { createTransport } from "nodemailer";
import { dailyDigest, welcomeEmail } from "./contracts.ts";

// #region handler
export const welcomeEmailHandler = welcomeEmail.handler(async ({ payload, effect }) => {
  const result = await effect("send", async ({ signal }) => {
    const mail = { to: payload.email, subject: `Welcome, ${payload.name}`, text: payload.message, signal };
    // A transport for each mail: one with a pool sends again by itself.
    const mailer = createTransport({ url: process.env.SMTP_URL ?? "" });
    return (await mailer.sendMail({ from: "app@localhost", ...mail })).messageId;
  });
  return { result: result ?? "sent, as a person found out" };
});
// #endregion

export const dailyDigestHandler = dailyDigest.handler(async ({ payload, effect }) => {
  const result = await effect("post", async ({ signal }) => {
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ at: payload.at });
    const response = await fetch(payload.url, { method: "POST", headers, body, signal });
    await response.arrayBuffer();
    if (!response.ok) throw new Error(`answered ${response.status}`, { cause: response });
    return String(response.status);
  });
  return { result: result ?? "posted, as a person found out" };
});
