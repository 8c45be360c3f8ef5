import { dailyDigest } from "./daily-digest/contract.ts";
import { webhook } from "./webhook/contract.ts";
import { welcomeEmail } from "./welcome-email/contract.ts";

/** All job contracts. */
export const contracts = [welcomeEmail, webhook, dailyDigest];
