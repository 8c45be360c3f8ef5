// Submits a job over HTTP and follows it, with types alone of the contract. While `npm start` runs: `npx tsx examples/client.ts`
import { createClient } from "holdfast/client";
import type { welcomeEmail } from "../jobs/welcome-email/contract.ts";

// #region submit
const client = createClient<typeof welcomeEmail>({
  url: process.env.API_URL ?? "http://127.0.0.1:3000",
  key: process.env.API_KEY,
});

const { id } = await client.submit(
  "welcome-email",
  { email: "li@example.com", name: "Li", message: "This one came from a client." },
  { idempotencyKey: "signup-45" },
);
// #endregion

// #region follow
for await (const { state, progress } of client.follow(id)) console.log(state, progress);
// #endregion

// #region wait
const { state, result, error } = await client.wait(id, { timeoutMs: 60_000 });
console.log(state, result ?? error);
// #endregion
