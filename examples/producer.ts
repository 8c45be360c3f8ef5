// Submits a job without HTTP. While `npm start` runs: `npx tsx examples/producer.ts`
import { createProducer } from "holdfast";
import application from "../holdfast.config.ts";
import { welcomeEmail } from "../jobs/welcome-email/contract.ts";

// #region submit
await using producer = await createProducer(application);

const receipt = await producer.submit(
  welcomeEmail,
  { email: "maria@example.com", name: "Maria", message: "This one came without HTTP." },
  { idempotencyKey: "signup-43" },
);
console.log(receipt);
// #endregion
