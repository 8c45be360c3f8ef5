import { dailyDigest } from "./daily-digest/contract.ts";
import { webhook } from "./webhook/contract.ts";
import { welcomeEmail } from "./welcome-email/contract.ts";

/** All jobs that exist. */
export const contracts = [welcomeEmail, webhook, dailyDigest];
